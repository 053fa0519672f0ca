"""A pin that does not hold is found out, whatever undoes it: none is read back from itself."""

from __future__ import annotations

import functools
import importlib.util
import textwrap

import pytest

from nondet.guest.factors import REGISTRY, by_name
from tests.guest.running import Shown, guided
from tests.guest.sabotage import ALL, ON_JAX, ON_KERAS, ON_TORCH, Sabotage, site

NAMES = ("plain", "numpy", "torch", "jax", "keras")
ELSEWHERE = {
    "third-party-rng": "tests/guest/test_plugins.py",
    "initial-weights": "tests/guest/test_consumers.py",
    "noise-and-augmentation": "tests/guest/test_consumers.py",
    "nccl": "tests/guest/test_registry.py",
    "gpu-count": "tests/guest/test_registry.py",
    "cuda-streams": "tests/guest/test_registry.py",
    "device": "tests/guest/test_registry.py",
    "leftovers": "the host's, which reads nothing back: tests/host/executors",
}


def cases() -> list[object]:
    heavy = (ON_TORCH, ON_JAX, ON_KERAS)
    return [
        pytest.param(
            one,
            factor,
            id=f"{name}-{factor}",
            marks=[pytest.mark.subject, pytest.mark.xdist_group(f"sabotage-{name}")]
            if one in heavy
            else [],
        )
        for name, one in zip(NAMES, ALL, strict=True)
        for factor in one.factors
    ]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> functools._lru_cache_wrapper[Shown]:
    """Each sabotage run once, with the pins of all its factors."""
    room = tmp_path_factory.mktemp("sabotage")

    @functools.cache
    def run(name: str) -> Shown:
        one = ALL[NAMES.index(name)]
        folder, aside = room / name, room / f"{name}-site"
        folder.mkdir()
        aside.mkdir()
        (folder / "train.py").write_text(textwrap.dedent(one.script))
        (aside / "sitecustomize.py").write_text(site(one))
        environ: dict[str, str | None] = {"PYTHONPATH": str(aside), "PYTHONHASHSEED": None}
        for factor in one.factors if one.host else ():
            environ |= by_name(factor).environment("pinned", 7)
        return guided(folder, "train.py", pinned=one.factors, environ=environ)

    return run


@pytest.mark.parametrize(("one", "factor"), cases())
def test_a_pin_that_is_undone_is_found_out(
    one: Sabotage, factor: str, runs: functools._lru_cache_wrapper[Shown]
) -> None:
    missing = [name for name in one.needs if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    shown = runs(NAMES[ALL.index(one)])
    assert (shown.code, shown.of("guest-error")) == (0, []), shown.err
    assert factor in {pin["factor"] for pin in shown.of("pin") if not pin["ok"]}


def test_every_pin_is_undone_somewhere() -> None:
    here = {factor for one in ALL for factor in one.factors}
    assert sorted({*here, *ELSEWHERE}) == sorted(factor.name for factor in REGISTRY)
