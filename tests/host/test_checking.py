"""Whether there is anything to compare, and where runs part, in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from nondet import record
from nondet.host import checking, wording
from nondet.host.errors import BrokenSubject
from nondet.host.sites import Sites
from nondet.verdict import Verdict
from tests.host.acting import settings
from tests.host.written import Written


def test_a_script_that_trains_nothing_is_told_so(tmp_path: Path) -> None:
    trial = Written(tmp_path).heard("completed")
    with pytest.raises(BrokenSubject, match="nothing was trained that nondet knows of"):
        checking.check([trial], Verdict.AGREES, Sites(settings(tmp_path).subject))


def test_what_parts_at_the_very_first_step_has_recorded_something(tmp_path: Path) -> None:
    written = Written(tmp_path)
    tensors = [["tree 0/threshold", "float64", [3]]]
    written.emit("layout", id=1, model="Booster", index=0, tensors=tensors)
    trial = written.heard("stopped-early")
    assert not trial.checkpoints
    checking.check([trial], Verdict.DIVERGES, Sites(settings(tmp_path).subject))


@pytest.mark.parametrize(("differing", "end"), [(1, "`coef_` differs"), (3, "and 2 more differ")])
def test_runs_that_part_in_a_fit_name_the_estimator(differing: int, end: str) -> None:
    divergence = record.Divergence(
        checkpoint="fit",
        model="Lasso",
        epoch=0,
        step=2,
        tensor="coef_",
        kind="value",
        tensors_differing=differing,
    )
    place = wording.place(divergence)
    assert place.startswith("Runs part in fit 2 of `Lasso`: `coef_`")
    assert place.endswith(end)


def test_a_seed_that_comes_late_is_told_in_the_singular() -> None:
    assert wording.generator("torch-seed") == "PyTorch's generator"
    assert wording.generator("numpy-global") == "NumPy's global generator"
