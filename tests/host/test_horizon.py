"""A shortened horizon: where it is, what counts up to there, and what lies behind it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nondet import record
from nondet.host import events, planning, recording, wording
from nondet.host import laboratory as module
from nondet.host.horizon import Course, Horizon
from nondet.host.laboratory import Laboratory
from nondet.record import Arm
from nondet.search.questions import Finding, Question
from nondet.verdict import Verdict
from tests.host.acting import Act, ActingExecutor, laboratory, settings

TWO = Horizon("epoch", 2)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)


# -- where it is


def recorded(kind: str, index: int = 0, step: int = 0) -> events.Recorded:
    model = f"model_{index}"
    return events.Recorded(kind, model, index, 1, 0, 0, step, [])  # type: ignore[arg-type]


def metric() -> events.Metric:
    return events.Metric("model_0", 1, 1, {})


def admitted(horizon: Horizon | None, *told: events.AnyEvent) -> list[int]:
    """Places of the events that lie before the horizon."""
    course = Course(horizon)
    return [place for place, event in enumerate(told) if course.admits(event)]


def test_an_epoch_ends_with_its_metrics() -> None:
    told = (recorded("init"), recorded("epoch"), metric(), recorded("epoch"), metric(), metric())
    assert admitted(Horizon("epoch", 1), *told) == [0, 1, 2]
    assert admitted(TWO, *told) == [0, 1, 2, 3, 4]
    assert admitted(None, *told) == list(range(6))


def test_what_is_changed_after_training_lies_behind_the_horizon_and_is_no_step() -> None:
    told = (recorded("step", step=2), recorded("end", step=5), recorded("end", 1, step=5))
    assert admitted(Horizon("step", 9), *told) == [0, 1, 2]
    assert admitted(Horizon("step", 2), *told) == [0]
    assert admitted(Horizon("epoch", 1), recorded("epoch"), metric(), told[1]) == [0, 1]


def test_an_epoch_without_metrics_ends_with_the_next_checkpoint() -> None:
    told = (recorded("epoch"), events.Framework("keras", "3"), recorded("epoch"), metric())
    assert admitted(Horizon("epoch", 1), *told) == [0, 1]


def test_epochs_of_every_fit_and_model_count() -> None:
    folds = [event for index in range(3) for event in (recorded("epoch", index), metric())]
    assert admitted(TWO, *folds) == [0, 1, 2, 3]


def test_steps_of_every_model_count_and_each_once() -> None:
    turns = [recorded("step", index, step) for step in (1, 2, 3) for index in (0, 1)]
    assert admitted(Horizon("step", 3), *turns) == [0, 1, 2]
    # The end of an epoch tells the step as well, which is no further one.
    told = (recorded("step", 0, 1), recorded("step", 0, 2), recorded("epoch", 0, 2), metric())
    assert admitted(Horizon("step", 3), *told, recorded("step", 0, 3), metric()) == [0, 1, 2, 3, 4]


def test_steps_that_were_thinned_out_are_stepped_over() -> None:
    told = [recorded("step", 0, step) for step in (98, 100, 102, 104)]
    assert admitted(Horizon("step", 101), *told) == [0, 1, 2]


def test_checkpoints_of_the_user_s_own_are_no_steps() -> None:
    told = [recorded("user", -1, step) for step in range(1, 9)]
    assert admitted(Horizon("step", 2), *told) == list(range(8))


def test_a_script_that_starts_itself_again_begins_anew() -> None:
    again = events.Started("t01", "hash", 1, "3")
    told = (recorded("epoch"), metric(), again, recorded("epoch"), metric(), recorded("epoch"))
    assert admitted(TWO, *told) == list(range(6))


# -- what counts up to there


@dataclasses.dataclass(frozen=True)
class Training(Act):
    """A trial that trains: `shows` holds a letter for the weights at init and each epoch's end."""

    fits: int = 1
    """Fits that the epochs are shared among."""

    def events(self, plan: str) -> Iterator[dict[str, Any]]:
        for event in super().events(plan):
            if event["event"] != "checkpoint":
                yield event
                continue
            number = event["step"] - 1
            fit, epoch = self._fit(number)
            kind = "epoch" if number else "init"
            yield event | {"kind": kind, "fit": fit, "epoch": epoch, "step": 10 * number}
            if number:
                value = float(number)
                yield {"event": "metric", "model": "value", "fit": fit, "epoch": epoch} | {
                    "values": {"loss": value}
                }

    def _fit(self, number: int) -> tuple[int, int]:
        each = (len(self.shows) - 1) // self.fits
        return (0, 0) if not number else ((number - 1) // each + 1, (number - 1) % each + 1)


def shortened(
    folder: Path, *acts: Act, horizon: Horizon = TWO, **more: Any
) -> tuple[Laboratory, ActingExecutor]:
    return laboratory(folder, *acts, same=settings(folder, horizon=horizon), **more)


def ask(agreeing: int = 1, held: dict[str, Arm] | None = None, **more: Any) -> Question:
    return Question("Does it repeat?", held or {}, agreeing, **more)


def test_a_trial_is_ended_there_and_is_whole(tmp_path: Path) -> None:
    lab, executor = shortened(tmp_path, Training("iabcdefgh"))
    answer = lab.ask(ask(agreeing=2))
    assert answer.verdict is Verdict.AGREES
    assert answer.comparisons == 2
    for trial in lab.trials:
        assert (trial.outcome, trial.whole, trial.matched or trial is lab.trials[0]) == (
            "stopped-early",
            True,
            True,
        )
        assert [c.label for c in trial.checkpoints] == ["init", "epoch 1", "epoch 2"]
        assert trial.metrics == {"loss": 2.0}
        assert trial.remark == "ended at the horizon, epoch 2"
    assert len(executor.launches) == 3
    assert lab.single_run_seconds() == 1.0


def test_what_differs_behind_it_is_no_difference(tmp_path: Path) -> None:
    late = (Training("iabc"), Training("iabx"), Training("iaby"))
    lab, _ = shortened(tmp_path, *late)
    assert lab.ask(ask(agreeing=2)).verdict is Verdict.AGREES
    lab, _ = shortened(tmp_path, *late, horizon=Horizon("epoch", 3))
    assert lab.ask(ask(agreeing=2)).verdict is Verdict.DIVERGES


def test_what_differs_before_it_is_one(tmp_path: Path) -> None:
    lab, _ = shortened(tmp_path, Training("iabc", hangs=True), Training("iaxc", hangs=True))
    answer = lab.ask(ask(agreeing=2, to_end=True))
    assert answer.verdict is Verdict.DIVERGES
    assert lab.trials[1].witness is not None
    assert lab.trials[1].witness.checkpoint.label == "epoch 2"
    assert lab.trials[1].note == "parts from t01 at epoch 2, value"
    assert all(trial.whole for trial in lab.trials[:2]), "both are followed to the horizon"


def test_a_trial_ended_there_is_not_one_that_was_stopped_for_parting(tmp_path: Path) -> None:
    """Nothing takes its place as what the others are compared with."""
    acts = (Training("iabc"), Training("iabc", late=9), Training("iabc", late=30))
    lab, _ = shortened(tmp_path, *acts, jobs=3)
    assert lab.ask(ask(agreeing=2)).verdict is Verdict.AGREES
    assert not any(trial.extends for trial in lab.trials)
    assert [trial.reference for trial in lab.trials] == ["", "t01", "t01"]


@pytest.mark.parametrize("exit_code", [1, -9])
def test_however_it_ends_behind_the_horizon_it_is_whole(tmp_path: Path, exit_code: int) -> None:
    crashing = Training("iab", exit_code=exit_code)
    lab, _ = shortened(tmp_path, crashing, Training("iab"), crashing)
    assert lab.ask(ask(agreeing=2)).verdict is Verdict.AGREES
    assert all(trial.whole for trial in lab.trials)
    assert {trial.outcome for trial in lab.trials} <= {"completed", "stopped-early"}


def test_before_the_horizon_a_crash_is_a_crash(tmp_path: Path) -> None:
    lab, _ = shortened(tmp_path, Training("ia", exit_code=1))
    assert lab.ask(ask()).verdict is Verdict.BROKEN
    assert not any(trial.whole for trial in lab.trials)


@pytest.mark.parametrize("act", [Training("ia"), Act("abcdefgh")], ids=["fewer epochs", "no fit"])
def test_a_script_that_never_comes_there_runs_to_its_end(tmp_path: Path, act: Act) -> None:
    lab, _ = shortened(tmp_path, act)
    assert lab.ask(ask(agreeing=2)).verdict is Verdict.AGREES
    assert {trial.outcome for trial in lab.trials} == {"completed"}
    assert [len(trial.checkpoints) for trial in lab.trials] == [len(act.shows)] * 3
    told = recording.horizon(TWO, lab)
    assert told is not None
    assert (told.unit, told.count, told.reached) == ("epoch", 2, "")


def test_a_shorter_run_differs_from_one_that_came_there(tmp_path: Path) -> None:
    lab, _ = shortened(tmp_path, Training("iabc"), Training("ia"))
    assert lab.ask(ask()).verdict is Verdict.DIVERGES


@pytest.mark.parametrize(
    ("act", "reached", "end"),
    [
        (Training("iabcd"), "epoch 3", "the end of epoch 3"),
        (Training("iabcd", fits=2), "fit 2, epoch 1", "the end of epoch 3 (fit 2, epoch 1)"),
    ],
)
def test_the_record_says_where_it_was(tmp_path: Path, act: Act, reached: str, end: str) -> None:
    three = Horizon("epoch", 3)
    lab, _ = shortened(tmp_path, act, horizon=three)
    lab.ask(ask())
    told = recording.horizon(three, lab)
    assert told is not None
    assert (told.reached, told.end) == (reached, end)
    assert recording.horizon(None, lab) is None


# -- going on


def test_trials_of_the_same_horizon_are_taken_over(tmp_path: Path) -> None:
    lab, _ = shortened(tmp_path, Training("iabcdef"))
    lab.ask(ask(agreeing=2))
    for name, kept in (("same", 3), ("longer", 0), ("steps", 0), ("none", 0)):
        horizon = {"same": TWO, "longer": Horizon("epoch", 3), "steps": Horizon("step", 2)}
        now = settings(tmp_path, horizon=horizon.get(name))
        again, executor = laboratory(tmp_path, Training("iabcdef"), same=now)
        assert again.restore(now.output / "trials") == kept, name
        if kept:
            assert all(trial.whole and len(trial.checkpoints) == 3 for trial in again.trials)
            assert again.ask(ask(agreeing=2)).trials == ("t01", "t02", "t03")
            assert executor.launches == []


def test_each_horizon_names_its_plans(tmp_path: Path) -> None:
    names = {
        planning.plan_hash(settings(tmp_path, horizon=horizon), {})
        for horizon in (None, None, TWO, Horizon("epoch", 2), Horizon("step", 2))
    }
    assert len(names) == 3


def test_provoked_trials_are_compared_up_to_there(tmp_path: Path) -> None:
    acts = (*[Training("iabc")] * 2, Training("iabx"), Training("iabx"), Training("ixbc"))
    lab, _ = shortened(tmp_path, *acts)
    assert lab.ask(ask()).verdict is Verdict.AGREES
    held: dict[str, Arm] = {"hash-seed": "varied"}
    assert lab.ask(ask(held=held, reference={}, agreeing=2)).verdict is Verdict.AGREES
    held = {"python-random": "varied"}
    assert lab.ask(ask(held=held, reference={})).verdict is Verdict.DIVERGES


# -- what the verdict says


def test_where_nothing_is_trained_the_summary_names_what_was_compared() -> None:
    finding = Finding("reproducible", verified=("t01", "t02"))
    named = record.Compared(values=("loss", "x"), checkpoints=5)
    said = wording.summary(finding, (), None, None, False, compared=named)
    assert said == (
        "2 runs in fresh processes agree bit for bit in the values `loss` and `x` given to "
        "`nondet.checkpoint`, at 5 checkpoints."
    )


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (
            Finding("reproducible", verified=("t01", "t02")),
            "2 runs in fresh processes agree bit for bit in the weights of `sequential` at 3 "
            "checkpoints, up to the end of epoch 2.",
        ),
        (
            Finding("unresolved"),
            "Runs part, and nothing that nondet can pin holds them together. Runs were followed "
            "up to the end of epoch 2.",
        ),
        (
            Finding("unsure"),
            "No difference so far, in too few runs to say more (the budget was spent). Runs were "
            "followed up to the end of epoch 2.",
        ),
    ],
)
def test_the_summary_says_how_far_it_looked(finding: Finding, said: str) -> None:
    def summary(horizon: record.Horizon | None) -> str:
        found = record.Compared(models=("sequential",), checkpoints=3)
        return wording.summary(finding, (), None, None, False, horizon, found)

    there = record.Horizon(unit="epoch", count=2, reached="epoch 2")
    assert summary(there) == said
    never = record.Horizon(unit="epoch", count=2)
    assert summary(never) == summary(None)
    assert "epoch" not in summary(None)
