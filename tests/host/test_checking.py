"""Whether there is anything to compare, and where runs part, in a sentence."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from nondet import record
from nondet.host import checking, compared, events, portable, wording
from nondet.host.errors import BrokenSubject, UsageError
from nondet.host.sites import Sites
from nondet.host.trials import Trial
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


def shown(folder: Path, *models: tuple[str, bool]) -> Trial:
    """A whole trial with one checkpoint of each model, which may be a by-product."""
    written = Written(folder)
    for index, (name, by_product) in enumerate(models):
        tensors = [["mean_", "float64", [2]]]
        told = {"by_product": True} if by_product else {}
        written.emit("layout", id=index, model=name, index=index, tensors=tensors, **told)
        written.layout, written.names[index] = index, name
        written.checkpoint("fit", index, 1, values=[1])
    return written.heard("completed")


def test_agreement_of_what_only_prepares_data_is_none(tmp_path: Path) -> None:
    sites = Sites(settings(tmp_path).subject)
    trial = shown(tmp_path, ("StandardScaler", True))
    told = "only `StandardScaler` was seen, which prepares data and predicts nothing"
    with pytest.raises(BrokenSubject, match=told) as broken:
        checking.check([trial], Verdict.AGREES, sites)
    assert broken.value.slug == "nothing-recorded"
    assert "nondet.checkpoint()" in broken.value.message
    # A difference is one, and budgets say nothing.
    checking.check([trial], Verdict.DIVERGES, sites)
    checking.check([trial], Verdict.UNSURE, sites)
    two = shown(tmp_path / "two", ("PCA", True), ("LabelEncoder", True))
    with pytest.raises(BrokenSubject, match="only `PCA` and `LabelEncoder` were seen, which prep"):
        checking.check([two], Verdict.AGREES, sites)
    # A model whose steps were logged, and that has no checkpoint yet.
    two.layouts[9] = events.Layout(id=9, model="net", index=2, tensors=[])
    checking.check([two], Verdict.AGREES, sites)
    trained = shown(tmp_path / "trained", ("PCA", True), ("Lasso", False))
    checking.check([trained], Verdict.AGREES, sites)


def test_values_that_are_empty_are_nothing_to_compare(tmp_path: Path) -> None:
    """As `nondet.checkpoint("weights", {})` gives: a gate would pass whatever the script does."""
    sites = Sites(settings(tmp_path).subject)
    written = Written(tmp_path)
    written.emit("layout", id=0, model="weights", index=-1, tensors=[])
    written.layout, written.names[-1] = 0, "weights"
    written.checkpoint("user", -1, 1, values=[])
    trial = written.heard("completed")
    with pytest.raises(BrokenSubject, match=r"given to nondet.checkpoint\(\) is empty") as broken:
        checking.check([trial], Verdict.AGREES, sites)
    assert broken.value.slug == "nothing-recorded"
    checking.check([trial], Verdict.DIVERGES, sites)
    with pytest.raises(UsageError, match="it recorded nothing"):
        portable.pack(tmp_path / "a.nd", trial, settings(tmp_path), "")


def test_what_was_compared_is_named(tmp_path: Path) -> None:
    found = compared.of([shown(tmp_path, ("PCA", True), ("Lasso", False), ("PCA", True))])
    assert found == record.Compared(models=("PCA", "Lasso"), checkpoints=3)
    assert found.words == "the weights of `PCA` and `Lasso` at 3 checkpoints"
    one = record.Compared(models=("sequential",), checkpoints=1)
    assert one.words == "the weights of `sequential` at 1 checkpoint"
    many = record.Compared(models=tuple("abcdefg"), values=("loss",), checkpoints=40)
    assert many.words == (
        "the weights of `a`, `b`, `c` and 4 more and the value `loss` given to "
        "`nondet.checkpoint`, at 40 checkpoints"
    )
    assert record.Compared(models=("net",)).words == "the weights of `net`"
    assert compared.of([]) is None


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


def test_runs_that_part_after_training_say_so() -> None:
    divergence = record.Divergence(
        checkpoint="end",
        model="Net",
        epoch=0,
        step=10,
        tensor="0.weight",
        kind="weights",
        tensors_differing=3,
    )
    said = "Runs part after the last recorded step: the final weights of"
    assert wording.place(divergence) == f"{said} `0.weight` and 2 more differ"
    # One of them has changed nothing.
    alone = msgspec.structs.replace(divergence, tensor="")
    assert wording.place(alone) == f"{said} model `Net` differ"


def test_runs_that_train_another_model_first_say_so() -> None:
    """One has loaded what the other has trained. Its initial weights are no other ones."""
    divergence = record.Divergence(
        checkpoint="init",
        model="base",
        epoch=0,
        step=0,
        tensor="",
        kind="initial-weights",
        tensors_differing=4,
    )
    said = "Runs part before training: what is trained first differs: in one run, model `base`"
    assert wording.place(divergence) == said


def test_a_seed_that_comes_late_is_told_in_the_singular() -> None:
    assert wording.generator("torch-seed") == "PyTorch's generator"
    assert wording.generator("numpy-global") == "NumPy's global generator"
