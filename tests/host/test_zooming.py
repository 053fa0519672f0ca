"""Where trials are looked into, and what is told of what they show."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nondet import record
from nondet.host import comparing, zooming
from nondet.host.horizon import Horizon
from nondet.host.planning import Window
from nondet.host.trials import Trial
from nondet.record import Arm
from nondet.search.questions import Answer, Finding, Guilt
from nondet.verdict import Checkpoint, Verdict, Witness
from tests.host.acting import laboratory, settings
from tests.host.written import PATHS, Written

HELD: dict[str, Arm] = {"hash-seed": "pinned"}


def two(folder: Path, **how: Any) -> tuple[Written, Written]:
    return Written(folder, "t01", **how), Written(folder, "t02", **how)


def parted(one: Written, other: Written, outcome: str | None = None) -> tuple[Trial, Trial]:
    """Both as a laboratory leaves them."""
    reference, trial = one.heard(outcome), other.heard(outcome)
    trial.refer_to(reference.id)
    trial.witness = comparing.parting(reference, trial, ended=False)
    return reference, trial


def place(one: Written, other: Written) -> zooming.Place | None:
    return zooming.place(*parted(one, other), ["hash-seed"])


# -- where to look


def test_the_place_is_the_step_of_the_log(tmp_path: Path) -> None:
    one, other = two(tmp_path, held=HELD)
    one.model().train(range(1, 61), epoch=50)
    other.model().train(range(1, 61), epoch=50, apart=40)
    found = place(one, other)
    assert found == zooming.Place(
        held=HELD, factors=("hash-seed",), model="m", index=0, step=40, before=39, others=0
    )
    assert found.window == Window(24, 56)


@pytest.mark.parametrize(("framework", "seen"), [("jax", False), ("torch", True)])
def test_steps_of_some_libraries_cannot_be_looked_into(
    framework: str, seen: bool, tmp_path: Path
) -> None:
    one, other = two(tmp_path)
    for written, apart in ((one, None), (other, 2)):
        written.emit("framework", name=framework, version="1")
        written.model().train([1, 2, 3], apart=apart)
    assert (place(one, other) is not None) == seen


def test_without_a_log_the_whole_epoch_is_looked_into(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    for written, apart in ((one, None), (other, 140)):
        written.model().train(range(1, 151), epoch=50, interval=1000, apart=apart)
    found = place(one, other)
    assert found is not None
    assert (found.step, found.before) == (150, 100)
    assert found.window == Window(101, 166)


def test_what_the_log_leaves_out_is_looked_into(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    for written, apart in ((one, None), (other, 70)):
        written.model().train(range(1, 129), epoch=50, interval=64, apart=apart)
    found = place(one, other)
    assert found is not None
    # The end of the epoch comes before the next step that is logged.
    assert (found.step, found.before, found.window) == (100, 50, Window(51, 116))


@pytest.mark.parametrize(
    ("step", "before", "window"),
    [(1, 0, (1, 17)), (10, 9, (1, 26)), (17, 16, (1, 33)), (18, 17, (2, 34)), (99, 40, (41, 115))],
)
def test_windows_have_a_margin(step: int, before: int, window: tuple[int, int]) -> None:
    found = zooming.Place({}, (), "m", 0, step, before, 0)
    assert found.window == Window(*window)


def test_differences_outside_of_training_have_no_place(tmp_path: Path) -> None:
    one, other = two(tmp_path / "init")
    one.model().train(range(1, 4))
    other.model(init=1).train(range(1, 4), apart=1)
    assert place(one, other) is None
    one, other = two(tmp_path / "user")
    for written, value in ((one, 1), (other, 2)):
        written.model()
        written.checkpoint("user", -1, 1, values=[value] * 3)
    assert parted(one, other)[1].witness is not None
    assert place(one, other) is None
    one, other = two(tmp_path / "fit")
    for written, value in ((one, 1), (other, 2)):
        written.model().checkpoint("fit", 0, 1, values=[value] * 3)
    assert parted(one, other)[1].witness is not None
    assert place(one, other) is None
    one, other = two(tmp_path / "equal")
    one.model().train([1])
    other.model().train([1])
    assert place(one, other) is None


def test_steps_of_models_that_trained_before_are_counted(tmp_path: Path) -> None:
    """Also of one that has the same name, as in cross validation."""
    one, other = two(tmp_path)
    for written, apart in ((one, None), (other, 2)):
        written.model("encoder", 0).train(range(1, 31), 0, epoch=30)
        written.model("fold", 1).train(range(1, 41), 1, epoch=40)
        written.model("fold", 2).train(range(1, 6), 2, epoch=5, apart=apart)
    found = place(one, other)
    assert found is not None
    assert (found.model, found.index, found.step, found.before) == ("fold", 2, 2, 1)
    assert found.others == 30 + 40
    same = settings(tmp_path / "output")
    looked = found.settings(same)
    assert looked == dataclasses.replace(
        same, zoom=Window(1, 18), granularity="step", horizon=Horizon("step", 70 + 18)
    )


def test_the_latest_of_models_of_one_name_has_parted_before_its_next_checkpoint(
    tmp_path: Path,
) -> None:
    one, other = two(tmp_path)
    for written, apart in ((one, None), (other, 2)):
        written.model("fold", 0).train(range(1, 7), 0)
        # Stopped in its first epoch.
        written.model("fold", 1).train([1, 2], 1, apart=apart)
    found = place(one, other)
    assert found is not None
    assert (found.index, found.step, found.others) == (1, 2, 6)


def test_a_model_that_only_the_other_trains_does_no_harm(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    one.model().train(range(1, 4))
    other.model().train(range(1, 4)).model("more", 1)
    reference, trial = parted(one, other)
    trial.witness = Witness(2, Checkpoint("epoch", "more", 1, 1, 5, ()), None, "", 0)
    found = zooming.place(reference, trial, [])
    assert found is not None
    assert (found.model, found.step) == ("more", 5)


@pytest.mark.parametrize(
    ("factors", "races"),
    [((), True), (("cpu-threads",), True), (("op-determinism",), True), (("os-entropy",), False)],
)
def test_more_pairs_are_wanted_where_a_race_is_looked_for(
    factors: tuple[str, ...], races: bool
) -> None:
    found = zooming.Place(HELD, factors, "m", 0, 9, 8, 0)
    assert found.races is races
    question = found.question(zooming.PAIRS)
    assert (question.held, question.agreeing, question.parting) == (HELD, 2, 2)


@pytest.mark.parametrize(
    ("finding", "factors"),
    [
        (Finding("unresolved", pinned_trials=("t01", "t02"), free_trials=("t08",)), [()]),
        (Finding("unresolved", free_trials=("t01", "t02")), [()]),
        (Finding("causes-found", (Guilt("clock", ("t01", "t02"), ()),)), [("clock",)]),
        (
            Finding("causes-found", tuple(Guilt(n, ("t02",), ()) for n in "abcd")),
            [("a",), ("b",), ("c",)],
        ),
        # Trials that are ended start from no other's files: with `leftovers` free, they agree.
        (
            Finding("causes-found", tuple(Guilt(n, ("t02",), ()) for n in ["leftovers", *"abc"])),
            [("a",), ("b",), ("c",)],
        ),
        (Finding("causes-found", (Guilt("clock", ("t01", "gone"), ()),)), []),
        (Finding("reproducible", free_trials=("t01", "t02")), []),
        (Finding("unsure", free_trials=("t01", "t02")), []),
    ],
)
def test_each_cause_has_its_place(
    finding: Finding, factors: list[tuple[str, ...]], tmp_path: Path
) -> None:
    one, other = two(tmp_path)
    one.model().train(range(1, 4))
    other.model().train(range(1, 4), apart=2)
    lab, _ = laboratory(tmp_path)
    lab.trials = list(parted(one, other))
    found = list(zooming.places(lab, finding))
    assert [where.factors for where in found] == factors
    assert {where.step for where in found} <= {2}


# -- the first to differ

AGREEING = {"batch x": 1, "forward m/dense/output": 2, "loss loss": 3, "update m/dense/kernel": 4}


def changed(**others: int) -> dict[str, int]:
    """By the tensor's name."""
    return {
        name: others.get(name.rpartition("/")[2].rpartition(" ")[2], value)
        for name, value in AGREEING.items()
    }


def insides(written: Written, *steps: tuple[int, Mapping[str, int]], index: int = 0) -> Written:
    for step, moments in steps:
        written.inside(step, moments, index)
    return written


def first(one: Written, other: Written) -> tuple[int, str, str] | None:
    found = zooming.first_inside(one.heard(), other.heard())
    return (found.step, found.first.phase, found.first.tensor) if found is not None else None


def test_the_first_moment_that_differs_is_found(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    insides(one.model(), (1, AGREEING), (2, AGREEING), (3, AGREEING))
    insides(other.model(), (1, AGREEING), (2, changed(output=9, kernel=9)), (3, changed(x=9)))
    assert first(one, other) == (2, "forward", "output")
    found = zooming.first_inside(one.trial, other.trial)
    assert found is not None
    assert found.key == (0, 2)
    assert [moment.differs for moment in found.moments] == [False, True, False, True]
    assert found.first == record.Moment(
        phase="forward",
        tensor="output",
        layer="m/dense",
        kind="Dense",
        dtype="float32",
        shape=(2,),
        differs=True,
    )


def test_insides_that_agree_have_no_first(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    insides(one.model(), (1, AGREEING))
    insides(other.model(), (1, AGREEING))
    assert first(one, other) is None


def test_steps_are_compared_as_they_were_taken(tmp_path: Path) -> None:
    """Of two models in turns, not one after the other."""
    one, other = two(tmp_path)
    for written, later in ((one, AGREEING), (other, changed(x=9))):
        written.model("a", 0)
        written.model("b", 1)
        written.inside(1, AGREEING, 0).inside(1, later, 1).inside(2, later, 0)
    found = zooming.first_inside(one.heard(), other.heard())
    assert found is not None
    assert found.key == (1, 1)


def test_nothing_is_told_beyond_what_both_have_seen(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    insides(one.model(), (1, AGREEING), (2, AGREEING), (3, AGREEING))
    insides(other.model(), (1, AGREEING), (3, changed(x=9)))
    assert first(one, other) is None


@pytest.mark.parametrize(
    ("theirs", "tensor", "moments"),
    [
        (
            {"batch x": 1, "forward m/dense/input": 2, "loss loss": 3, "update m/dense/kernel": 4},
            "output",
            2,
        ),
        ({"batch x": 1}, "output", 2),
        ({**AGREEING, "update m/dense/bias": 5}, "bias", 5),
        ({}, "x", 1),
    ],
)
def test_steps_that_are_put_together_in_another_way_differ_there(
    theirs: dict[str, int], tensor: str, moments: int, tmp_path: Path
) -> None:
    one, other = two(tmp_path)
    insides(one.model(), (1, AGREEING))
    insides(other.model(), (1, theirs))
    for a, b in ((one, other), (other, one)):
        found = zooming.first_inside(a.heard(), b.heard())
        assert found is not None
        assert len(found.moments) == moments
        assert [moment.differs for moment in found.moments] == [False] * (moments - 1) + [True]
    found = zooming.first_inside(one.trial, other.trial)
    assert found is not None
    assert found.first.tensor == tensor


# -- what is told

PLACE = zooming.Place(HELD, ("cpu-threads",), "m", 0, 20, 19, 0)
DIVERGES = Answer(Verdict.DIVERGES, ())


def look(folder: Path, *seen: tuple[Mapping[str, int], int | None], steps: int = 6) -> list[Trial]:
    """Trials that were looked into: the moments of step 5, and from which step on weights part."""
    rooms = [Written(folder, f"t{i:02}") for i in range(1, len(seen) + 1)]
    trials = []
    for written, (moments, apart) in zip(rooms, seen, strict=True):
        written.model()
        for step in range(1, steps + 1):
            written.train([step], apart=apart)
            written.inside(step, moments if step == 5 else AGREEING)
        trials.append(parted(rooms[0], written)[1])
    trials[0].refer_to("")
    return trials


def test_of_pairs_that_part_the_first_moments_are_counted(tmp_path: Path) -> None:
    seen = [
        (AGREEING, None),
        (changed(output=9, kernel=9), 5),
        (AGREEING, None),
        (changed(x=8), 5),
        (changed(output=7), 5),
    ]
    looked = look(tmp_path, *seen)
    found = zooming.zoom(PLACE, DIVERGES, looked, [])
    assert (found.model, found.factors) == ("m", ("cpu-threads",))
    assert found.trials == ("t01", "t02", "t03", "t04", "t05")
    assert (found.first_step, found.last_step) == (4, 36)
    assert found.pairs == 3
    assert [(f.step, f.moment.tensor, f.pairs) for f in found.firsts] == [
        (5, "output", 2), (5, "x", 1)
    ]  # fmt: skip
    assert (found.step, found.pair, found.mode) == (5, ("t01", "t02"), "graph")
    assert [moment.differs for moment in found.moments] == [False, True, False, True]
    assert (found.unchanged_steps, found.note) == (0, "")


def test_a_script_that_does_not_run_when_looked_into_is_told(tmp_path: Path) -> None:
    looked = look(tmp_path, (AGREEING, None), (changed(x=8), 5))
    broken = Answer(Verdict.BROKEN, (), broken="ValueError: oh")
    found = zooming.zoom(PLACE, broken, looked, [])
    assert found.note == "looked into, the script does not run: ValueError: oh"
    assert (found.pairs, found.firsts, found.moments, found.pair) == (0, (), (), None)


@pytest.mark.parametrize(
    ("seen", "note"),
    [
        ([(AGREEING, None), (AGREEING, None)], ""),
        (
            [(AGREEING, None), (AGREEING, 5)],
            "the weights part, and nothing that is seen of a step does",
        ),
    ],
)
def test_looking_may_be_in_vain(
    seen: list[tuple[Mapping[str, int], int | None]], note: str, tmp_path: Path
) -> None:
    found = zooming.zoom(PLACE, DIVERGES, look(tmp_path, *seen), [])
    assert (found.pairs, found.step, found.note) == (0, 0, note)


def test_that_nothing_of_a_step_was_seen_is_told(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    one.model().train(range(1, 4))
    other.model().train(range(1, 4), apart=2)
    for looked in ([], list(parted(one, other))):
        found = zooming.zoom(PLACE, DIVERGES, looked, [])
        assert found.note == "nothing of a step could be seen"


def test_a_pair_whose_reference_counts_no_more_is_left_out(tmp_path: Path) -> None:
    looked = look(tmp_path, (AGREEING, None), (changed(x=8), 5))
    # It crashed after the other one had parted from it.
    found = zooming.zoom(PLACE, DIVERGES, looked[1:], [])
    assert (found.pairs, found.trials) == (0, ("t02",))


@pytest.mark.parametrize(
    ("apart", "interval", "until", "unchanged"),
    [
        (None, 1, 6, 4),
        (5, 1, 6, 4),
        (3, 1, 6, 2),
        (1, 1, 6, 0),
        (None, 2, 6, 4),
        (4, 2, 6, 2),
        (None, 1, 3, 3),
    ],
)
def test_steps_that_looking_leaves_as_they_are_are_counted(
    apart: int | None, interval: int, until: int, unchanged: int, tmp_path: Path
) -> None:
    """Against a trial of fewer checkpoints, which goes its own way from some step on."""
    looked = look(tmp_path, (AGREEING, None), (changed(output=9), 5))
    plain = Written(tmp_path, "t09")
    plain.model().train(range(1, until + 1), epoch=100, apart=apart, interval=interval, tensor=2)
    found = zooming.zoom(PLACE, DIVERGES, looked, [plain.heard("completed")])
    assert found.unchanged_steps == unchanged


def test_the_trial_that_goes_along_for_longest_tells_what_is_unchanged(tmp_path: Path) -> None:
    looked = look(tmp_path, (AGREEING, None), (changed(output=9), 5))
    others = []
    for name, apart in (("t08", 2), ("t09", 4)):
        written = Written(tmp_path, name)
        others.append(written.model().train(range(1, 7), apart=apart).heard("completed"))
    untouched = Written(tmp_path, "t10").heard("completed")
    found = zooming.zoom(PLACE, DIVERGES, looked, [*others, untouched])
    assert found.unchanged_steps == 3


DIVERGENCE = record.Divergence(
    checkpoint="epoch", model="m", epoch=1, step=5, tensor=PATHS[0], kind="weights"
)


@pytest.mark.parametrize(
    ("changes", "tensor"),
    [
        ({}, "m/dense/output"),
        ({"checkpoint": "step"}, "m/dense/output"),
        ({"checkpoint": "init", "step": 0}, PATHS[0]),
        ({"model": "other"}, PATHS[0]),
        ({"step": 6}, PATHS[0]),
    ],
)
def test_where_runs_part_is_told_by_what_is_first_inside(
    changes: dict[str, Any], tensor: str, tmp_path: Path
) -> None:
    looked = look(tmp_path, (AGREEING, None), (changed(output=9, kernel=9), 5))
    zoom = zooming.zoom(PLACE, DIVERGES, looked, [])
    divergence = record_with(DIVERGENCE, **changes)
    found = zooming.sharpened(divergence, [zoom])
    assert found is not None
    assert found.tensor == tensor
    if tensor != PATHS[0]:
        assert (found.checkpoint, found.step, found.kind) == ("step", 5, "forward")
        assert (found.tensors_differing, found.tensors) == (2, 4)
    assert zooming.sharpened(None, [zoom]) is None
    assert zooming.sharpened(divergence, []) == divergence


def record_with(divergence: record.Divergence, **changes: Any) -> record.Divergence:
    fields = {name: getattr(divergence, name) for name in divergence.__struct_fields__}
    return record.Divergence(**fields | changes)


def test_firsts_that_vary_leave_the_place_where_it_was(tmp_path: Path) -> None:
    looked = look(tmp_path, (AGREEING, None), (changed(output=9), 5), (changed(x=9), 5))
    zoom = zooming.zoom(PLACE, DIVERGES, looked, [])
    assert len(zoom.firsts) == 2
    assert zooming.sharpened(DIVERGENCE, [zoom]) == DIVERGENCE


@pytest.mark.parametrize(
    ("frameworks", "old"),
    [
        ({"keras": "3.15.1", "tensorflow": "2.21.0"}, False),
        ({"keras": "2.15.0", "tensorflow": "2.15.1"}, True),
        ({"tf_keras": "2.21.0", "tensorflow": "2.21.0"}, True),
        ({"keras": "2.3.1", "theano": "1.0.5"}, True),
        ({"torch": "2.13.0"}, False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_steps_of_keras_2_are_not_looked_into(frameworks: dict[str, str], old: bool) -> None:
    assert zooming.keras_2(frameworks) is old
