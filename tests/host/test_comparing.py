"""Where two trials part: at a checkpoint or in a step between, and what groups of trials say."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from nondet.host import laboratory as module
from nondet.host.comparing import Following, parting, telling
from nondet.host.horizon import Horizon
from nondet.host.laboratory import Laboratory
from nondet.host.planning import Window
from nondet.host.trials import Trial
from nondet.record import Arm
from nondet.search.questions import Question
from nondet.verdict import Verdict, Witness
from tests.host.acting import Act, laboratory, settings
from tests.host.written import PATHS, Written

MORE: dict[str, Arm] = {"hash-seed": "pinned", "python-random": "pinned"}
LESS: dict[str, Arm] = {"hash-seed": "pinned"}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)


def ask(held: dict[str, Arm], agreeing: int = 1, **more: Any) -> Question:
    return Question("?", held, agreeing, **more)


def test_one_trial_that_equals_another_plan_s_is_enough(tmp_path: Path) -> None:
    lab, executor = laboratory(tmp_path, Act("abc"))
    assert lab.ask(ask(MORE)).verdict is Verdict.AGREES
    answer = lab.ask(ask(LESS, reference=MORE))
    assert answer.verdict is Verdict.AGREES
    assert answer.trials == ("t01", "t03")
    assert len(executor.launches) == 3
    # A later question about that plan alone starts from it.
    assert lab.ask(ask(LESS)).trials == ("t03", "t04")


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_a_result_that_is_shifted_is_told_from_one_that_varies(tmp_path: Path, jobs: int) -> None:
    acts = (Act("abc"), Act("abc"), Act("xbc", hangs=True), Act("xbc"))
    lab, executor = laboratory(tmp_path, *acts, jobs=jobs)
    assert lab.ask(ask(MORE)).verdict is Verdict.AGREES
    beside = lab.ask(ask(LESS, reference=MORE))
    assert beside.verdict is Verdict.DIVERGES
    assert lab.trials[2].outcome == "stopped-early"
    answer = lab.ask(ask(LESS))
    assert answer.verdict is Verdict.AGREES
    assert answer.trials == ("t04", "t05")
    # The trial that was stopped beside the other plan has nothing to say of how often these part.
    assert answer.alike == (2,)
    assert len(executor.launches) == 5


@pytest.mark.parametrize(
    ("shows", "alike"),
    [
        (("axc", "abc", "abc", "abc"), (3, 1)),
        (("abc", "axc", "ayc", "azc"), (1, 1, 1, 1)),
        (("abc", "axc", "axc", "abx"), (2, 1, 1)),
    ],
)
def test_trials_are_counted_by_groups_of_equal_ones(
    tmp_path: Path, shows: tuple[str, ...], alike: tuple[int, ...]
) -> None:
    lab, _ = laboratory(tmp_path, *[Act(text) for text in shows], jobs=4)
    answer = lab.ask(ask(LESS, 3, parting=3, to_end=True))
    assert answer.verdict is Verdict.DIVERGES
    assert answer.divergences == 3
    assert answer.alike == alike
    assert answer.seen == 3
    assert answer.apart == 4 - alike[0]


def test_what_a_stopped_trial_takes_is_told(tmp_path: Path) -> None:
    lab, executor = laboratory(tmp_path, Act("abcdefgh"))
    assert lab.ask(ask(MORE)).stopped_share == 0.0
    executor.acts = (*[Act()] * 2, Act("abcd", hangs=True), Act("axcd", hangs=True))
    assert 0.0 < lab.ask(ask(LESS)).stopped_share <= 1.0


# -- trials made of files


def two(folder: Path, **how: Any) -> tuple[Written, Written]:
    return Written(folder, "t01", **how), Written(folder, "t02", **how)


def apart(one: Written, other: Written, *, ended: bool = True) -> Witness | None:
    return parting(one.heard(), other.heard(), ended=ended)


def where(witness: Witness | None) -> tuple[str, str, int, str] | None:
    """Model, kind of checkpoint, step and tensor."""
    if witness is None:
        return None
    checkpoint = witness.checkpoint
    return checkpoint.model, checkpoint.kind, checkpoint.step, witness.tensor


def test_a_difference_in_a_step_is_found_before_the_end_of_its_epoch(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    one.model().train(range(1, 7))
    other.model().train(range(1, 7), apart=2)
    witness = apart(one, other)
    assert witness is not None
    assert (witness.index, witness.tensor, witness.differing) == (1, PATHS[1], 1)
    assert witness.checkpoint.key == ("step", "m", 0, 0, 2)
    assert witness.other is not None
    assert witness.other.key == witness.checkpoint.key
    assert [path for path, _ in witness.checkpoint.tensors] == list(PATHS)
    differs = [
        a != b for a, b in zip(witness.checkpoint.tensors, witness.other.tensors, strict=True)
    ]
    assert differs == [False, True, False]


def test_a_difference_at_the_first_checkpoint_comes_before_all_steps(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    one.model().train(range(1, 4))
    other.model(init=1).train(range(1, 4), apart=1)
    assert where(apart(one, other)) == ("m", "init", 0, PATHS[0])


@pytest.mark.parametrize(
    ("changed", "kind", "tensor"),
    [((True, False), "end", ""), ((True, True), "end", PATHS[2]), ((False, False), None, None)],
)
def test_what_is_changed_after_training_is_a_difference(
    changed: tuple[bool, bool], kind: str | None, tensor: str | None, tmp_path: Path
) -> None:
    trials = two(tmp_path)
    for value, (trial, is_changed) in enumerate(zip(trials, changed, strict=True)):
        trial.model().train(range(1, 7))
        if is_changed:
            trial.checkpoint("end", step=6, values=[6, 6, 100 + value])
    # While they run, one may still be about to change them.
    assert (apart(*trials, ended=False) is None) is (changed[0] != changed[1] or kind is None)
    expected = kind and ("m", kind, 6, tensor)
    assert where(apart(*trials)) == where(apart(*reversed(trials))) == expected


@pytest.mark.parametrize("interval", [1, 2])
@pytest.mark.parametrize(
    ("parted", "logged", "expected"),
    [(None, True, ("end", 5)), (None, False, ("step", 5)), (2, True, ("step", 2))],
)
def test_a_last_step_that_was_recorded_late_is_told_from_what_came_after_it(
    interval: int,
    parted: int | None,
    logged: bool,
    expected: tuple[str, int],
    tmp_path: Path,
) -> None:
    trials = two(tmp_path)
    for value, trial in enumerate(trials):
        trial.model()
        if logged:
            trial.train(range(1, 6), apart=parted if value else None, epoch=99, interval=interval)
        trial.checkpoint("step", step=5, values=[5, 5, 100 + value], late=True)
    witness = apart(*trials)
    assert witness is not None
    assert (witness.checkpoint.kind, witness.checkpoint.step) == expected


def test_a_step_that_was_recorded_at_once_is_no_later_one(tmp_path: Path) -> None:
    trials = two(tmp_path)
    for value, trial in enumerate(trials):
        trial.model().train(range(1, 6), epoch=99, interval=2)
        trial.checkpoint("step", step=5, values=[5, 5, 100 + value])
    assert where(apart(*trials)) == ("m", "step", 5, PATHS[2])


def test_where_rows_were_not_kept_no_tensor_is_named(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    for trial in (one, other):
        trial.model()
        trial.logs[0].rows_limit = 0
    one.train(range(1, 4))
    other.train(range(1, 4), apart=2)
    witness = apart(one, other)
    assert where(witness) == ("m", "step", 2, "")
    assert witness is not None
    assert (witness.differing, witness.checkpoint.tensors) == (0, ())


def test_steps_that_only_one_has_recorded_tell_nothing(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    one.model().train(range(1, 7), epoch=99)
    other.model().train(range(1, 7), apart=3, epoch=99, interval=2)
    assert where(apart(one, other)) == ("m", "step", 4, PATHS[1])


def test_steps_behind_the_end_of_the_other_tell_nothing(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    one.model().train(range(1, 6))
    other.model().train(range(1, 9), apart=6, epoch=3)
    assert apart(one, other, ended=False) is None
    # Both ended: one has trained for longer.
    assert where(apart(one, other)) == ("m", "epoch", 6, "")


@pytest.mark.parametrize(
    ("steps", "second", "expected"),
    [
        ((2, None), 0, ("a", "step", 2, PATHS[1])),
        ((2, None), 7, ("a", "step", 2, PATHS[1])),
        ((5, None), 7, ("b", "init", 0, PATHS[0])),
        ((5, 2), 0, ("b", "step", 2, PATHS[1])),
        ((3, None), 7, ("a", "step", 3, PATHS[1])),
        ((None, 5), 0, ("b", "step", 5, PATHS[1])),
        ((5, 5), 0, ("a", "step", 5, PATHS[1])),
    ],
)
def test_of_several_models_what_is_first_in_execution_counts(
    steps: tuple[int | None, int | None],
    second: int,
    expected: tuple[str, str, int, str],
    tmp_path: Path,
) -> None:
    """An epoch of one, an epoch of the other, in turns."""
    one, other = two(tmp_path)
    for trial, parted, init in ((one, (None, None), 0), (other, steps, second)):
        trial.model("a").train(range(1, 4), apart=parted[0])
        trial.model("b", 1, init=init).train(range(1, 4), 1, apart=parted[1])
        trial.train(range(4, 7), 0, apart=parted[0])
        trial.train(range(4, 7), 1, apart=parted[1])
    assert where(apart(one, other)) == expected


def test_models_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """As in cross validation: the first fold has long passed the step where the second parts."""
    one, other = two(tmp_path)
    for trial, parted in ((one, None), (other, 2)):
        trial.model("fold", 0).train(range(1, 7), 0)
        trial.model("fold", 1).train(range(1, 4), 1, apart=parted)
    witness = apart(one, other)
    assert where(witness) == ("fold", "step", 2, PATHS[1])
    assert witness is not None
    # Of two checkpoints named alike, the one behind the second model's first.
    assert witness.index == 4
    assert one.trial.owners == [0, 0, 0, 1, 1]


def test_growing_trials_are_followed(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    one.model()
    other.model()
    following = Following(one.trial, other.trial)
    for step in range(1, 7):
        one.train([step])
        other.train([step], apart=5)
        one.heard()
        other.heard()
        expected = None if step < 5 else ("m", "step", 5, PATHS[1])
        assert where(following.parting(ended=False)) == expected
        assert following.covers()
    one.train([7])
    one.heard()
    assert not following.covers()


@pytest.mark.parametrize(
    ("parted", "expected"),
    [(2, ("m", "step", 2, PATHS[1])), (3, ("m", "step", 3, PATHS[1])), (4, None), (None, None)],
)
def test_steps_behind_the_horizon_tell_nothing(
    parted: int | None, expected: tuple[str, str, int, str] | None, tmp_path: Path
) -> None:
    one, other = two(tmp_path, horizon=Horizon("epoch", 1))
    one.model().train(range(1, 9))
    other.model().train(range(1, 9), apart=parted)
    for trial in (one, other):
        trial.emit("metric", model="m", fit=1, epoch=1, values={})
    assert where(apart(one, other)) == expected
    assert [trial.trial.last_step(0) for trial in (one, other)] == [3, 3]


def test_before_the_horizon_is_reached_all_steps_count(tmp_path: Path) -> None:
    one, other = two(tmp_path, horizon=Horizon("epoch", 2))
    one.model().train(range(1, 6))
    other.model().train(range(1, 6), apart=4)
    assert where(apart(one, other, ended=False)) == ("m", "step", 4, PATHS[1])


# -- scripts that start themselves again


def again(written: Written, *, apart: int | None = None, until: int = 3, init: int = 0) -> None:
    written.begin()
    written.model(init=init).train(range(1, until + 1), apart=apart)


def test_what_came_before_a_restart_is_not_compared(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    one.model().train(range(1, 7))
    other.model(init=5).train(range(1, 5), apart=1)
    again(one)
    again(other)
    assert apart(one, other) is None
    again(other, apart=2)
    again(one)
    assert where(apart(one, other)) == ("m", "step", 2, PATHS[1])


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    ("later", "expected"),
    [({"init": 6}, ("m", "init", 0, PATHS[0])), ({"apart": 2}, ("m", "step", 2, PATHS[1]))],
)
def test_a_restart_begins_the_comparison_anew(
    later: dict[str, int], expected: tuple[str, str, int, str], first: int, tmp_path: Path
) -> None:
    """Whichever of the two is the first, and however far it has come by the next look."""
    pair = two(tmp_path)
    for written in pair:
        written.model(init=5).train(range(1, 7))
    following = Following(pair[0].heard(), pair[1].heard())
    assert following.parting(ended=False) is None
    early, late = pair[first], pair[1 - first]
    again(early, until=8)
    early.heard()
    # It is another process's work that the other one still shows.
    assert following.parting(ended=False) is None
    again(late, until=8, **later)
    late.heard()
    assert where(following.parting(ended=False)) == expected


def test_one_that_ends_without_a_restart_differs_from_one_that_has_restarted(
    tmp_path: Path,
) -> None:
    one, other = two(tmp_path)
    one.model().train(range(1, 7))
    other.model().train(range(1, 4))
    again(other)
    assert apart(one, other, ended=False) is None
    assert where(apart(one, other)) == ("m", "epoch", 6, "")


def test_a_restart_takes_with_it_what_was_seen_before(tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.model().train(range(1, 4)).inside(2, {"batch x": 1}).inside(1, {"batch x": 1})
    written.emit("pace", model="m", index=0, interval=8, share=0.5)
    trial = written.heard()
    assert list(trial.insides) == [(0, 2), (0, 1)]
    written.begin()
    assert written.heard() is trial
    assert (trial.checkpoints, trial.owners, trial.traces) == ([], [], {})
    assert (trial.insides, trial.scenes, trial.paces) == ({}, {}, {})
    written.model().train([1]).inside(1, {"batch y": 1})
    assert list(written.heard().insides) == [(0, 1)]
    assert len(trial.traces[0]) == 1


# -- what a comparison is worth


def damage(written: Written) -> None:
    """Take away the last record behind the reader's back."""
    path = written.trial.traces[0].path
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("which", [0, 1])
def test_a_trial_with_a_damaged_log_is_no_evidence(which: int, tmp_path: Path) -> None:
    pair = two(tmp_path)
    for written in pair:
        written.model().train(range(1, 3))
        written.heard()
    damage(pair[which])
    assert parting(pair[0].trial, pair[1].trial, ended=False) is None
    assert [written.trial.counts for written in pair] == [which != 0, which != 1]
    assert "it has lost record 1" in pair[which].trial.fault


def test_a_log_of_another_version_is_no_evidence(tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.model().train([1])
    path = written.trial.folder / "steps-0.bin"
    path.write_bytes(path.read_bytes().replace(b"nd-steps\x01", b"nd-steps\x09"))
    assert "version 9" in written.heard().fault


def test_a_whole_trial_has_come_as_far_as_its_reference(tmp_path: Path) -> None:
    """Its longer interval may leave out the last steps, which the reference has logged."""
    one, other = two(tmp_path)
    one.model().train(range(1, 8))
    other.model().train(range(1, 8), interval=4)
    one.heard("stopped-early")
    following = Following(one.trial, other.heard())
    assert not following.covers()
    other.heard("completed")
    assert following.covers()


def test_trials_that_parted_in_a_step_alone_are_used_again(tmp_path: Path) -> None:
    trials = []
    for name, parted in (("t01", None), ("t02", None), ("t03", 2), ("t04", None)):
        written = Written(tmp_path, name)
        # They were stopped before their first epoch ended.
        written.model().train(range(1, 3), apart=parted)
        trials.append(written.heard("stopped-early"))
    assert [trial.id for trial in telling(trials)] == ["t01", "t03"]
    # One that was stopped and parts from nothing can't be what others are compared with.
    assert telling(trials[:2]) == []
    written = Written(tmp_path, "t05")
    written.model().train(range(1, 7))
    whole = written.heard("completed")
    assert telling([trials[0], whole]) == [whole]
    assert telling([whole, trials[2], trials[3]]) == [whole, trials[2]]


def compared(lab: Laboratory, one: Trial, other: Trial) -> Trial:
    other.refer_to(one.id)
    lab._compare(one, other)
    return other


def test_trials_that_agree_take_the_memory_of_one(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    for written, last in ((one, 3), (other, 4)):
        written.model()
        for epoch in (1, 2):
            written.checkpoint("epoch", 0, epoch, epoch, values=[epoch] * len(PATHS))
        written.checkpoint("epoch", 0, 3, 3, values=[last] * len(PATHS))
    pair = one.heard("completed"), other.heard("completed")
    assert pair[1].checkpoints[0] is not pair[0].checkpoints[0]
    witness = parting(*pair, ended=True)
    assert witness is not None and witness.checkpoint.epoch == 3
    same = [a is b for a, b in zip(pair[0].checkpoints, pair[1].checkpoints, strict=True)]
    assert same == [True] * (len(same) - 1) + [False]
    # The names of all tensors, too.
    assert pair[0].layouts[1] is pair[1].layouts[1]


def test_a_laboratory_stops_at_the_step(tmp_path: Path) -> None:
    lab, _ = laboratory(tmp_path)
    one, other = two(tmp_path / "rooms")
    one.model().train(range(1, 5))
    other.model().train(range(1, 5), apart=4)
    trial = compared(lab, one.heard(), other.heard())
    assert where(trial.witness) == ("m", "step", 4, PATHS[1])
    assert trial.note == f"parts from t01 at step 4, {PATHS[1]}"
    assert not trial.matched


def test_a_trial_that_goes_beyond_a_stopped_reference_takes_its_place(tmp_path: Path) -> None:
    lab, _ = laboratory(tmp_path)
    one, other = two(tmp_path / "rooms")
    one.model().train(range(1, 6))
    other.model().train(range(1, 5))
    one.heard("stopped-early")
    # As many checkpoints, but not as many steps.
    assert not compared(lab, one.trial, other.heard()).extends
    other.train([5])
    assert compared(lab, one.trial, other.heard()).extends
    # With another reference all is compared again.
    third = Written(tmp_path / "rooms", "t03")
    third.model().train(range(1, 6), apart=2)
    found = compared(lab, third.heard(), other.trial)
    assert where(found.witness) == ("m", "step", 2, PATHS[1])


def test_trials_of_a_laboratory_beside_are_no_evidence_in_this_one(tmp_path: Path) -> None:
    lab, executor = laboratory(tmp_path, Act("abc"), jobs=1, max_trials=9, timeout=5.0)
    assert lab.ask(ask(MORE)).verdict is Verdict.AGREES
    zoomed = dataclasses.replace(settings(tmp_path), zoom=Window(1, 9), granularity="step")
    beside = lab.beside(zoomed)
    assert (beside.jobs, beside.max_trials, beside.time_limit()) == (1, 7, 5.0)
    assert beside.warming is lab.warming
    # The same plan: its trials are run anew, under names of their own.
    answer = beside.ask(ask(MORE))
    assert answer.verdict is Verdict.AGREES
    assert answer.trials == ("t03", "t04")
    assert [trial.id for trial in lab.trials] == ["t01", "t02"]
    assert len({trial.plan for trial in (*lab.trials, *beside.trials)}) == 2
    assert len(executor.launches) == 4


def test_a_question_for_several_differences_goes_on_past_whole_trials(tmp_path: Path) -> None:
    """Two that part and are whole do not settle it: more are started."""
    shows = ["abc", "abc", "axc", "abc", "ayc", "azc"]
    lab, executor = laboratory(tmp_path, *[Act(text) for text in shows], jobs=1)
    answer = lab.ask(ask(LESS, 9, parting=3, to_end=True))
    assert answer.verdict is Verdict.DIVERGES
    assert answer.divergences == 3
    assert len(executor.launches) == 6
