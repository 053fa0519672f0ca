"""The tables of docs/gpu.md, which need no GPU."""

from __future__ import annotations

from typing import Any

from nondet.host import shipped
from tests.gpu import repeating, table


def test_the_page_shows_what_was_measured() -> None:
    text = table.PAGE.read_text(encoding="utf-8")
    assert text == table.page(text, table.results()), "run: python -m tests.gpu.table"


def test_every_probe_that_needs_a_gpu_has_its_makers_words() -> None:
    assert {p.name for p in shipped.all_probes() if p.needs_gpu} == set(table.DOCUMENTED)


def test_figures_stand_with_machine_and_versions() -> None:
    row = {"name": "scatter_add", "documented": "on request", "failure": ""}
    told = row | {"differing": 20, "distinct": 21, "between_processes": 3, "held": "equal"}
    failed = row | {"name": "histc", "failure": "RuntimeError: no"}
    found: dict[str, Any] = {
        "machine": {"gpus": ["NVIDIA H100"], "driver": "550.54"},
        "probes": {"gpu_scatter": "live, 21 results in 21 runs"},
        "frameworks": [
            {
                "framework": "torch",
                "version": "2",
                "kernels": [told, failed],
                "drift": {"a": 1e-3},
            },
            {"failure": "timeout"},
        ],
        "overhead": [
            {"backend": "torch", "steps": 60, "logged": 9, "plain": 0.05, "ratio": 1.02},
            {"failure": "timeout"},
        ],
    }
    text = table.tables(found)
    assert "On NVIDIA H100, driver 550.54:" in text
    assert "| scatter_add | on request | 20, 21 distinct | 3 distinct | equal |" in text
    assert "| histc | on request | fails: RuntimeError: no |  |  |" in text
    assert "float64: a 1.0e-03." in text
    assert "50.0 ms, with recording 1.020 times that (9 of 60 steps logged)." in text
    assert "PyTorch: deterministic on request | live, 21 results in 21 runs |" in text
    assert text.count(table.NOT) == len(table.DOCUMENTED) - 1


def test_results_that_differ_are_counted() -> None:
    answers = iter([b"a", b"b", b"a", b"b", b"a", b"a", b"a", b"a"])
    switched: list[bool] = []
    one = repeating.Kernel("one", "on request", lambda: next(answers))
    (told,) = repeating.told([one], bytes, switched.append, 4)
    assert (told.differing, told.distinct, told.held) == (2, 2, "equal")
    assert switched == [True, False]


def test_what_fails_or_is_refused_is_told() -> None:
    calls = []

    def refused() -> bytes:
        calls.append(1)
        if len(calls) > 3:
            raise RuntimeError("it does not have a deterministic implementation")
        return b"a"

    def fails() -> bytes:
        raise ValueError("no such shape\nat all")

    kernels = [repeating.Kernel("a", "", refused), repeating.Kernel("b", "", fails)]
    one, other = repeating.told(kernels, bytes, lambda on: None, 3)
    assert (one.differing, one.held) == (0, "refused")
    assert (other.differing, other.failure) == (None, "ValueError: no such shape")
