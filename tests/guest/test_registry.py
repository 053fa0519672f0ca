"""One law for every factor: its texts are whole, its use is seen, its pin holds, its varied arm
acts. Shown by the scripts in exemplars.py, run under the guest as the host runs a trial."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import shutil
from pathlib import Path

import pytest

from nondet.guest.factors import CONSUMERS, REGISTRY, SOURCES, by_name
from nondet.guest.factors.base import FIRST, OF_KERAS_2, Factor
from nondet.host import gpus, machine, shipped
from tests.guest.exemplars import EXEMPLARS, Exemplar
from tests.guest.running import Shown, guided

SCRIPT = "train.py"
NUMBERS = {"pinned": 7, "t01": 1, "t02": 2}
"""What a diagnosis would hand to `Factor.environment`."""
RACES = 40
"""Runs in which a race must show itself once; mostly the second does."""


GPU_ONLY = {
    "cudnn": "cuDNN and cuBLAS run on a GPU only",
    "tf32": "only GPUs compute with TensorFloat-32",
    "device": "there is another device only where there is a GPU",
    "cuda-streams": "only GPUs have streams",
    "nccl": "it adds up over GPUs only",
    "gpu-count": "it takes several GPUs",
    "precision": "what it holds is of GPUs",
}
"""Factors that no exemplar can use on a CPU, with the reason. Their probes need a GPU."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A factor with its exemplar."""

    name: str
    exemplar: Exemplar
    group: tuple[str, ...]

    @property
    def factor(self) -> Factor:
        return by_name(self.name)

    @property
    def marked(self) -> frozenset[int]:
        """Lines of the script at which this factor's use must be seen."""
        return shipped.marks(self.exemplar.script.splitlines()).get(self.name, frozenset())

    def value(self, shown: Shown) -> str:
        """What the script printed for this factor."""
        (line,) = [x for x in shown.out.splitlines() if x.startswith(f"{self.name}: ")]
        return line

    def lines_seen(self, shown: Shown) -> set[int]:
        """Lines at which this factor was seen at work, as a source or as what draws."""
        seen = [e for e in shown.of("exercised") if self.name in (e["factor"], e["consumer"])]
        return {e["site"]["line"] for e in seen if e["site"] is not None}

    def pins(self, shown: Shown) -> list[dict[str, object]]:
        return [pin for pin in shown.of("pin") if pin["factor"] == self.name]


def parameter(case: Case, *heavy: pytest.MarkDecorator) -> object:
    # One worker for a script whose runs are shared by several factors.
    shared = [pytest.mark.subject, pytest.mark.xdist_group(case.exemplar.name), *heavy]
    return pytest.param(case, id=case.name, marks=shared if case.exemplar.heavy else [])


CASES = [Case(name, e, group) for e in EXEMPLARS for group in e.groups for name in group]
every_case = pytest.mark.parametrize("case", [parameter(case) for case in CASES])
every_light_case = pytest.mark.parametrize(
    "case", [parameter(case, pytest.mark.long) for case in CASES]
)
"""The others are `long`."""


class Runs:
    """Runs of exemplars, each made once for all the factors that share it."""

    def __init__(self, room: Path) -> None:
        self.room = room
        self.run = functools.cache(self._run)

    def free(self, case: Case, number: int) -> Shown:
        """The free run of that number; those before are made first, as files may be left."""
        for before in range(number):
            self.run(case.exemplar, (), "free", before)
        return self.run(case.exemplar, (), "free", number)

    def pinned(self, case: Case, number: int) -> Shown:
        return self.run(case.exemplar, case.group, "pinned", number)

    def varied(self, case: Case, number: int) -> Shown:
        return self.run(case.exemplar, case.group, "varied", number)

    def _run(self, exemplar: Exemplar, group: tuple[str, ...], arm: str, number: int) -> Shown:
        """One run, with what else the host does for a trial: environment, addresses, folder."""
        # Streams are named by call sites, so the folder must be the same one for all runs.
        folder = self.room / exemplar.name
        left = sorted(folder.rglob("*.txt")) if arm == "free" and number else []
        if not left:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (folder / SCRIPT).write_text(exemplar.script)
        temporary = self.room / "tmp"
        temporary.mkdir(exist_ok=True)
        # Nobody else takes the names there that a pin gives.
        environ: dict[str, str | None] = {"PYTHONHASHSEED": None, "TMPDIR": str(temporary)}
        trial = f"t{number + 1:02d}"
        for name in group:
            environ |= by_name(name).environment(
                arm, NUMBERS["pinned" if arm == "pinned" else trial]
            )
        shown = guided(
            folder,
            SCRIPT,
            arms=dict.fromkeys(group, arm),
            environ=environ,
            trial=trial,
            fixed_addresses=arm == "pinned" and any(by_name(n).fixed_addresses for n in group),
            left=[str(path) for path in left],
        )
        assert (shown.code, shown.of("guest-error")) == (0, []), shown.err
        # What must be read back by now, the host sees to.
        assert told(shown, "due") <= told(shown, "pin")
        return shown


def told(shown: Shown, event: str) -> set[str]:
    """Factors that such an event names."""
    return {one["factor"] for one in shown.of(event)}


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("exemplars"))


def facts() -> dict[str, object]:
    """What a diagnosis tells `Factor.unavailable` of this machine."""
    found: dict[str, object] = {
        "gpus": gpus.found().devices,
        "cores": machine.cores(),
        "environ": {},
        "fixed_addresses": machine.can_fix_addresses(),
    }
    for name in ("tensorflow", "keras", "torch", "jax"):
        found[name] = "?" if importlib.util.find_spec(name) else None
    return found


def need(case: Case) -> None:
    """Skips, with the reason, what can't act or run here."""
    missing = [name for name in case.exemplar.needs if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    if reason := case.factor.unavailable(facts()):
        pytest.skip(reason)


def test_every_factor_has_an_exemplar_or_a_reason() -> None:
    names = [case.name for case in CASES]
    assert sorted([*names, *GPU_ONLY]) == sorted(factor.name for factor in REGISTRY)


WHERE_USED = {
    "third-party-rng", "data-threads", "python-workers", "update-order", "distribution",
    "initial-weights", "dropout", "noise-and-augmentation", "shuffle", "jax-seed",
}  # fmt: skip
"""Factors whose pins are read back where something uses what they hold, each time."""


def test_every_pin_says_when_it_must_be_read_back() -> None:
    due = {factor.name for factor in REGISTRY if factor.due}
    of_the_host = {factor.name for factor in REGISTRY if factor.acts == "host"}
    assert sorted([*due, *WHERE_USED, *of_the_host]) == sorted(f.name for f in REGISTRY)


# -- texts


@pytest.mark.parametrize("factor", REGISTRY, ids=lambda factor: factor.name)
def test_texts_are_whole(factor: Factor) -> None:
    texts = [factor.title, factor.explanation, factor.pinned, factor.free, factor.noticed]
    texts += [factor.advice, factor.because if factor in SOURCES else factor.off or factor.pinned]
    assert all(texts)
    for text in (*texts, factor.varied, *(code for _, code in factor.edits)):
        assert text.isascii()
        assert text == text.strip()
    advices = [factor.advice, *(text for _, text in factor.advices)]
    for sentence in (factor.explanation, factor.pinned, factor.free, factor.noticed, *advices):
        assert sentence.isascii()
        assert sentence.endswith(".")
    assert factor.consumer == (factor in CONSUMERS)
    assert factor.stress in ("", "dormant", "sensitivity")
    # A stress test tells what was done to provoke.
    provokes = factor.stress or factor.loads or factor.environment("varied", 1)
    assert factor.varied or not provokes
    for other in factor.instead:
        assert by_name(other) in SOURCES


# -- what a trial shows


@every_case
def test_use_is_seen_at_the_line_of_the_user(case: Case, runs: Runs) -> None:
    need(case)
    assert case.marked or not case.factor.observable
    seen = case.lines_seen(runs.free(case, 0)) | case.lines_seen(runs.free(case, 1))
    assert case.marked <= seen


@every_case
def test_free_it_varies_and_pinned_it_repeats(case: Case, runs: Runs) -> None:
    need(case)
    first = case.value(runs.free(case, 0))
    others = (case.value(runs.free(case, number)) for number in range(1, RACES))
    if case.name in case.exemplar.repeats:
        assert next(others) == first
    else:
        assert any(value != first for value in others)
    one, other = runs.pinned(case, 0), runs.pinned(case, 1)
    assert case.value(one) == case.value(other)
    for shown in (one, other):
        # The host's pins are outside the process.
        assert case.pins(shown) or case.factor.acts == "host"
        assert [pin for pin in case.pins(shown) if not pin["ok"]] == []
    assert case.pins(runs.free(case, 0)) == []


@every_light_case
def test_varied_it_differs(case: Case, runs: Runs) -> None:
    need(case)
    one, other = runs.varied(case, 0), runs.varied(case, 1)
    assert [pin for pin in case.pins(one) if not pin["ok"]] == []
    if not case.factor.varied:
        # The arm does nothing, as its empty text says.
        assert case.pins(one) == []
    elif case.factor.loads:
        # The host keeps the cores busy; in the process it is as free.
        assert case.pins(one) == []
    elif case.name in case.exemplar.repeats:
        assert case.value(one) == case.value(other) != case.value(runs.free(case, 0))
    else:
        assert case.value(one) != case.value(other)


@pytest.mark.parametrize("name", GPU_ONLY)
def test_what_needs_a_gpu_says_so(name: str) -> None:
    factor = by_name(name)
    assert factor.unavailable(facts() | {"gpus": ()}) == "this machine has no GPU that NVML can see"
    assert not factor.unavailable(facts() | {"gpus": ("one", "two")})


def test_nothing_is_added_up_over_one_gpu() -> None:
    for name in ("nccl", "gpu-count"):
        assert by_name(name).unavailable({"gpus": ("one",)}) == "this machine has one GPU"
    two: dict[str, object] = {"gpus": ("one", "two"), "environ": {"CUDA_VISIBLE_DEVICES": "1"}}
    shown = "CUDA_VISIBLE_DEVICES shows one GPU or none"
    assert by_name("gpu-count").unavailable(two) == shown
    assert not by_name("gpu-count").unavailable(two | {"environ": {"CUDA_VISIBLE_DEVICES": "1,0"}})


KERAS_ALONE = ("initial-weights", "dropout", "noise-and-augmentation", "keras-seed")


@pytest.mark.parametrize(
    ("installed", "reason"),
    [
        ({}, "Keras is not installed"),
        ({"torch": "2.13.0"}, "Keras is not installed"),
        ({"tensorflow": "1.15.5"}, OF_KERAS_2),
        ({"keras": "2.15.0", "tensorflow": "2.15.1", "torch": "2.13.0"}, OF_KERAS_2),
        ({"keras": "3.15.1", "torch": "2.13.0"}, ""),
        ({"keras": "?"}, ""),
    ],
)
def test_what_keras_3_alone_does_can_be_held_only_there(
    installed: dict[str, object], reason: str
) -> None:
    assert {by_name(name).unavailable(installed) for name in KERAS_ALONE} == {reason}


def test_what_acts_in_frameworks_alone_needs_one() -> None:
    """Without one its pin would hold nothing."""
    bare = {name for name in (f.name for f in REGISTRY) if by_name(name).unavailable({})}
    needing = {factor.name for factor in REGISTRY if factor.framework is not None}
    assert {
        *KERAS_ALONE,
        "tf-seed",
        "torch-seed",
        "jax-seed",
        "shuffle",
        "onednn",
    } | needing <= bare


@pytest.mark.parametrize("name", [n for n in GPU_ONLY if by_name(n).environment("pinned", 7)])
def test_what_the_host_sets_for_a_gpu_is_read_back(name: str, tmp_path: Path) -> None:
    factor = by_name(name)
    folder = tmp_path / "subject"
    folder.mkdir()
    (folder / "train.py").write_text("print(1)\n")
    environ = factor.environment("pinned", 7)
    environ = {key: "0" if value == FIRST else value for key, value in environ.items()}
    pinned = guided(folder, "train.py", pinned=(name,), environ=environ)
    assert [pin["ok"] for pin in pinned.of("pin")] == [True]
    # Without what the host sets, the read-back must fail.
    missed = guided(folder, "train.py", pinned=(name,))
    assert [pin["ok"] for pin in missed.of("pin")] == [False]


@pytest.mark.parametrize("name", ["device", "gpu-count", "cuda-streams", "nccl", "tf32"])
def test_what_the_script_sets_otherwise_for_a_gpu_is_found_out(name: str, tmp_path: Path) -> None:
    """Above its imports, where it still has an effect."""
    folder = tmp_path / "subject"
    folder.mkdir()
    environ = by_name(name).environment("pinned", 7)
    given = {key: "0" if value == FIRST else value for key, value in environ.items()}
    text = f"import os, nondet\nos.environ.update(dict.fromkeys({list(given)}, '0,1'))\n"
    (folder / "train.py").write_text(text + "nondet.checkpoint('value', 1)\n")
    shown = guided(folder, "train.py", pinned=(name,), environ=given)
    assert [pin["ok"] for pin in shown.of("pin")] == [True, False]


def test_what_no_checkpoint_asks_for_is_read_back_at_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    folder.mkdir()
    (folder / "train.py").write_text("print(1)\n")
    names = [factor.name for factor in REGISTRY if factor.due]
    environ: dict[str, str | None] = {}
    for name in names:
        environ |= by_name(name).environment("pinned", 7)
    environ = {key: "0" if value == FIRST else value for key, value in environ.items()}
    shown = guided(folder, "train.py", pinned=tuple(names), environ=environ)
    assert shown.of("finished")
    assert "cpu-isa" in told(shown, "due") <= told(shown, "pin")
