"""What counts as evidence, what is run again, and what is not, with trials that are acts."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from nondet.host import laboratory as module
from nondet.host import output, trials
from nondet.host.executors.interface import Ended, ExecutorError, Launch
from nondet.host.horizon import Horizon
from nondet.host.laboratory import MOST_LOST, Laboratory
from nondet.record import Arm
from nondet.search.questions import BudgetSpent, Question
from nondet.verdict import Verdict
from tests.host.acting import Act, ActingExecutor, ActingTrial, laboratory, settings

HELD: dict[str, Arm] = {"hash-seed": "pinned"}
CLEAN: dict[str, Arm] = {"leftovers": "pinned"}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)


def ask(agreeing: int = 1, held: dict[str, Arm] | None = None, **more: Any) -> Question:
    return Question("Does it repeat?", held or {}, agreeing, **more)


def outcomes(lab: Laboratory) -> list[str | None]:
    return [trial.outcome for trial in lab.trials]


def test_trials_that_agree(tmp_path: Path) -> None:
    lab, executor = laboratory(tmp_path, Act("abc"))
    answer = lab.ask(ask(agreeing=4))
    assert answer.verdict is Verdict.AGREES
    assert answer.trials == ("t01", "t02", "t03", "t04", "t05")
    assert (answer.comparisons, answer.divergences) == (4, 0)
    assert len(executor.launches) == 5


def test_one_differing_pair_is_enough(tmp_path: Path) -> None:
    lab, executor = laboratory(tmp_path, Act("abc", hangs=True), Act("abx", hangs=True))
    answer = lab.ask(ask(agreeing=4))
    assert answer.verdict is Verdict.DIVERGES
    assert answer.trials == ("t01", "t02")
    witness = lab.trials[1].witness
    assert witness is not None
    assert (witness.index, witness.tensor) == (2, "value")
    assert "parts from t01" in lab.trials[1].note
    assert outcomes(lab) == ["stopped-early"] * 2
    assert len(executor.launches) == 2


def test_asked_to_the_end_the_first_pair_is_not_stopped(tmp_path: Path) -> None:
    lab, _ = laboratory(tmp_path, Act("abcde"), Act("axcde"), jobs=3)
    assert lab.ask(ask(agreeing=4, to_end=True)).verdict is Verdict.DIVERGES
    assert outcomes(lab)[:2] == ["completed", "completed"]
    assert [len(trial.checkpoints) for trial in lab.trials[:2]] == [5, 5]


def test_how_the_difference_grows_is_asked_of_two_more_when_the_first_were_stopped(
    tmp_path: Path,
) -> None:
    lab, _ = laboratory(
        tmp_path, Act("abc", hangs=True), Act("axc", hangs=True), Act("aycd"), Act("azcd")
    )
    assert lab.ask(ask(agreeing=4)).verdict is Verdict.DIVERGES
    assert outcomes(lab) == ["stopped-early"] * 2
    assert lab.ask(ask(to_end=True)).verdict is Verdict.DIVERGES
    assert outcomes(lab) == ["stopped-early"] * 2 + ["completed"] * 2
    lab.ask(ask(to_end=True))
    assert len(lab.trials) == 4


def test_how_the_difference_grows_is_given_up_when_trials_crash(tmp_path: Path) -> None:
    lab, _ = laboratory(
        tmp_path, Act("abc", hangs=True), Act("axc", hangs=True), Act("a", exit_code=1)
    )
    lab.ask(ask(agreeing=4))
    assert lab.ask(ask(to_end=True)).verdict is Verdict.DIVERGES
    assert len(lab.trials) <= 2 + 3


@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_a_crash_agrees_with_nothing(tmp_path: Path, jobs: int) -> None:
    lab, _ = laboratory(tmp_path, Act("ab"), Act("ab", exit_code=1), Act("ab"), jobs=jobs)
    answer = lab.ask(ask(agreeing=2))
    assert answer.verdict is Verdict.AGREES
    assert answer.trials == ("t01", "t03", "t04")
    assert answer.comparisons == 2
    assert lab.trials[1].note == "ValueError: oh"


def test_a_crash_differs_from_nothing(tmp_path: Path) -> None:
    """Shorter than the others because it crashed, not because it trained for less."""
    lab, _ = laboratory(tmp_path, Act("abc"), Act("a", exit_code=1, late=9), Act("abc"))
    assert lab.ask(ask(agreeing=2)).verdict is Verdict.AGREES


def test_a_plan_that_crashes_again_is_broken(tmp_path: Path) -> None:
    lab, executor = laboratory(tmp_path, Act("ab"), Act("ab"), Act("a", exit_code=1))
    assert lab.ask(ask()).verdict is Verdict.AGREES
    answer = lab.ask(ask(held=HELD))
    assert answer.verdict is Verdict.BROKEN
    assert answer.broken == "ValueError: oh"
    assert answer.comparisons == 0
    assert len(executor.launches) == 4


def test_a_crash_of_the_reference_takes_its_comparisons_with_it(tmp_path: Path) -> None:
    acts = (Act("ab"), Act("ab"), Act("xcdef", exit_code=1), Act("bcdefgh"))
    lab, _ = laboratory(tmp_path, *acts)
    assert lab.ask(ask()).verdict is Verdict.AGREES
    answer = lab.ask(ask(held=HELD, to_end=True))
    assert answer.verdict is Verdict.AGREES
    assert answer.trials == ("t04", "t05")
    assert all(trial.witness is None for trial in lab.trials)
    assert [trial.reference for trial in lab.trials] == ["", "t01", "", "", "t04"]


@pytest.mark.parametrize("hangs", [False, True])
@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"pins": (True, False)}, "the pin of hash-seed did not take: expected 0, found 1"),
        ({"due": ("hash-seed",)}, "the pin of hash-seed did not take: it was not read back"),
        (
            {"pins": (True,), "due": ("hash-seed", "clock")},
            "the pin of clock did not take: it was not read back",
        ),
        ({"plan": "another"}, "it ran another plan than it was given"),
    ],
)
def test_trials_that_did_not_do_as_told_count_for_nothing(
    tmp_path: Path, hangs: bool, bad: dict[str, Any], why: str
) -> None:
    lab, executor = laboratory(
        tmp_path, Act("abc"), Act("abc"), Act("abc"), Act("xyz", hangs=hangs, **bad), Act("abc")
    )
    assert lab.ask(ask()).verdict is Verdict.AGREES
    answer = lab.ask(ask(held=HELD))
    assert answer.verdict is Verdict.AGREES
    assert answer.trials == ("t03", "t05")
    assert lab.trials[3].outcome == "crashed"
    assert lab.trials[3].note == why
    executor.acts = (Act("abc", hangs=hangs, **bad),)
    answer = lab.ask(ask(held={"python-random": "pinned"}))
    assert answer.verdict is Verdict.BROKEN
    assert answer.broken == why


def test_a_pin_that_was_read_back_before_or_after_it_was_due_counts(tmp_path: Path) -> None:
    act = Act("abc", pins=(True,), due=("hash-seed",))
    lab, _ = laboratory(tmp_path, act, act)
    assert lab.ask(ask(held=HELD, agreeing=2)).verdict is Verdict.AGREES
    assert [trial.fault for trial in lab.trials] == ["", "", ""]


def test_a_trial_that_never_began_counts_for_nothing(tmp_path: Path) -> None:
    lab, _ = laboratory(tmp_path, Act(begins=False))
    answer = lab.ask(ask())
    assert answer.verdict is Verdict.BROKEN
    assert answer.broken == "it ended before the script began"


@pytest.mark.parametrize("shows", [("abc", "ab"), ("ab", "abc"), ("ab", "")])
def test_a_shorter_run_differs_where_it_ends(tmp_path: Path, shows: tuple[str, str]) -> None:
    lab, _ = laboratory(tmp_path, Act(shows[0]), Act(shows[1], late=3))
    assert lab.ask(ask()).verdict is Verdict.DIVERGES
    witness = lab.trials[1].witness
    assert witness is not None
    assert witness.index == min(map(len, shows))
    assert witness.other is None


def test_a_run_is_not_shorter_while_it_still_runs(tmp_path: Path) -> None:
    lab, _ = laboratory(tmp_path, Act("abc"), Act("abc", late=20))
    assert lab.ask(ask()).verdict is Verdict.AGREES


@pytest.mark.parametrize("jobs", [1, 2, 4])
@pytest.mark.parametrize("wrote", [(), ("model.bin",)])
def test_more_than_one_pair_can_be_asked_for(
    tmp_path: Path, jobs: int, wrote: tuple[str, ...]
) -> None:
    lab, executor = laboratory(tmp_path, Act("ab", wrote=wrote), jobs=jobs)
    assert lab.ask(ask(held=CLEAN)).verdict is Verdict.AGREES
    before = len(executor.launches)
    executor.acts = (
        *[Act()] * before,
        Act("abcd", hangs=jobs > 1, wrote=wrote),
        Act("axcd", hangs=True, wrote=wrote),
        Act("aycd", hangs=True, wrote=wrote),
    )
    answer = lab.ask(ask(agreeing=4, held=HELD, parting=2))
    assert answer.verdict is Verdict.DIVERGES
    assert answer.divergences >= 2
    group = lab.of_plan(HELD)
    assert len(group) <= 3 + jobs
    assert {trial.outcome for trial in group[1:]} == {"stopped-early"}
    # Nobody waits for the end of what has parted.
    assert len(group[1].checkpoints) <= 3


def test_the_third_trial_starts_from_a_former_one_s_files(tmp_path: Path) -> None:
    lab, executor = laboratory(tmp_path, Act("ab", wrote=("state.txt",)))
    assert lab.ask(ask(agreeing=1)).verdict is Verdict.AGREES
    starts = [launch.leftovers for launch in executor.launches]
    assert starts[:2] == [None, None]
    assert starts[2] in [trial.left for trial in executor.trials[:2]]
    assert len(starts) == 3
    assert all(launch.keep_leftovers for launch in executor.launches)


def test_no_number_of_jobs_makes_all_trials_start_afresh(tmp_path: Path) -> None:
    acts = [Act("ab", wrote=("state.txt",))] * 6
    lab, executor = laboratory(tmp_path, *acts, Act("aX", wrote=("state.txt",)), jobs=8)
    assert lab.ask(ask(agreeing=5)).verdict is Verdict.DIVERGES
    assert executor.launches[-1].leftovers is not None


def test_no_more_layers_are_piled_up_than_can_be_mounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_LAYERS", 3)
    lab, executor = laboratory(tmp_path, Act("ab", wrote=("state.txt",)), jobs=1)
    assert lab.ask(ask(agreeing=7)).verdict is Verdict.AGREES
    left = {trial.left: trial.launch.trial for trial in executor.trials}
    starts = [launch.leftovers and left[launch.leftovers] for launch in executor.launches]
    assert starts == [None, "t01", "t02", "t03", "t03", "t03", "t03", "t03"]
    assert [launch.keep_leftovers for launch in executor.launches] == [True] * 3 + [False] * 5


def test_what_a_crashed_trial_left_is_not_gone_on_from(tmp_path: Path) -> None:
    wrote = ("state.txt",)
    acts = (Act("ab", wrote=wrote), Act("ab", wrote=wrote, exit_code=1, late=2))
    lab, executor = laboratory(tmp_path, *acts, Act("ab", wrote=wrote), jobs=1)
    assert lab.ask(ask(agreeing=3)).verdict is Verdict.AGREES
    left = {launch.trial: launch.leftovers for launch in executor.launches}
    assert executor.trials[1].left not in left.values()


def test_held_leftovers_are_neither_kept_nor_given(tmp_path: Path) -> None:
    lab, executor = laboratory(tmp_path, Act("ab", wrote=("state.txt",)))
    assert lab.ask(ask(agreeing=3, held=CLEAN)).verdict is Verdict.AGREES
    assert [launch.leftovers for launch in executor.launches] == [None] * 4
    assert not any(launch.keep_leftovers for launch in executor.launches)


@pytest.mark.parametrize("jobs", [1, 2])
def test_trials_that_are_ended_at_a_horizon_wait_for_none_that_starts_from_another_s_files(
    jobs: int, tmp_path: Path
) -> None:
    """Such a trial leaves nothing to start from, and no number of them would be enough."""
    short = settings(tmp_path, horizon=Horizon("step", 2))
    act = Act("abcdef", hangs=True, wrote=("state.txt",), kind="step")
    lab, executor = laboratory(tmp_path, act, jobs=jobs, same=short)
    assert lab.ask(ask(agreeing=2, parting=1)).verdict is Verdict.AGREES
    assert outcomes(lab) == ["stopped-early"] * 3
    assert all(trial.whole for trial in lab.trials)
    assert [launch.keep_leftovers for launch in executor.launches] == [False] * 3


def test_trials_of_equal_plans_are_used_again(tmp_path: Path) -> None:
    lab, executor = laboratory(tmp_path, Act("ab"))
    both: dict[str, Arm] = {"hash-seed": "pinned", "python-random": "pinned"}
    assert lab.ask(ask(held=both)).trials == ("t01", "t02")
    reverse = dict(reversed(both.items()))
    assert lab.ask(ask(held=reverse)).trials == ("t01", "t02")
    assert len(executor.launches) == 2
    answer = lab.ask(ask(agreeing=4, held=both))
    assert answer.trials == ("t01", "t02", "t03", "t04", "t05")
    assert len(executor.launches) == 5
    assert lab.ask(ask(held=HELD)).trials == ("t06", "t07")


def test_nothing_to_compare_is_noticed_after_one_trial(tmp_path: Path) -> None:
    lab, executor = laboratory(tmp_path, Act(""), jobs=1)
    assert lab.ask(ask(agreeing=5)).verdict is Verdict.UNSURE
    assert len(executor.launches) == 1


def test_a_budget_of_trials(tmp_path: Path) -> None:
    lab, executor = laboratory(tmp_path, Act("ab"), max_trials=3)
    with pytest.raises(BudgetSpent):
        lab.ask(ask(agreeing=4))
    assert len(executor.launches) == 3
    assert outcomes(lab) == ["completed"] * 3


def test_a_budget_of_time(tmp_path: Path) -> None:
    def check() -> None:
        if len(lab.trials) == 2 and all(trial.checkpoints for trial in lab.trials):
            lab.deadline = 0.0

    lab, executor = laboratory(tmp_path, Act("ab", hangs=True), check=check)
    with pytest.raises(BudgetSpent):
        lab.ask(ask(agreeing=4))
    assert outcomes(lab) == ["stopped-early"] * 2
    assert all(trial.running is None for trial in lab.trials)
    with pytest.raises(BudgetSpent):
        lab.ask(ask(agreeing=4, held={"hash-seed": "pinned"}))
    assert len(executor.launches) == 2, "no trial is started after the deadline"


def test_a_trial_over_its_time_breaks_the_plan(tmp_path: Path) -> None:
    lab, _ = laboratory(tmp_path, Act("ab", hangs=True), timeout=0.01)
    answer = lab.ask(ask(agreeing=4))
    assert answer.verdict is Verdict.BROKEN
    assert "time limit of 0.01 s" in answer.broken
    assert "timed-out" in outcomes(lab)
    assert all(trial.running is None for trial in lab.trials)


def test_an_interruption_ends_all_trials(tmp_path: Path) -> None:
    def check() -> None:
        if len(lab.trials) == 2 and all(trial.checkpoints for trial in lab.trials):
            raise KeyboardInterrupt

    lab, executor = laboratory(tmp_path, Act("ab", hangs=True), check=check)
    with pytest.raises(KeyboardInterrupt):
        lab.ask(ask(agreeing=4))
    assert len(executor.launches) == 2
    assert outcomes(lab) == ["stopped-early"] * 2


def test_an_interruption_between_a_trials_end_and_what_is_made_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, _ = laboratory(tmp_path, Act("ab"), Act("ab", hangs=True))
    free, asked = output.free, itertools.count()

    def interrupted(folder: Path) -> int | None:
        if next(asked) == 0:
            raise KeyboardInterrupt
        return free(folder)

    monkeypatch.setattr(output, "free", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lab.ask(ask(agreeing=4))
    assert not lab.running
    assert [trial.outcome for trial in lab.trials] == ["stopped-early"]


# -- going on


def resumed(tmp_path: Path, *acts: Act, **more: Any) -> tuple[Laboratory, ActingExecutor]:
    lab, executor = laboratory(tmp_path, *acts, **more)
    lab.restore(lab.settings.output / "trials")
    return lab, executor


def test_whole_trials_are_taken_over(tmp_path: Path) -> None:
    lab, _ = laboratory(tmp_path, Act("ab"))
    lab.ask(ask(agreeing=2))
    again, executor = resumed(tmp_path, Act("ab"))
    assert again.ask(ask(agreeing=2)).trials == ("t01", "t02", "t03")
    assert executor.launches == []
    assert again.ask(ask(agreeing=4)).trials == ("t01", "t02", "t03", "t04", "t05")
    assert len(executor.launches) == 2


def test_an_interrupted_trial_is_no_reference(tmp_path: Path) -> None:
    """It showed nothing: whatever is compared with it would agree."""
    test_an_interruption_ends_all_trials(tmp_path)
    again, _ = resumed(tmp_path, Act("abc"), Act("abx"))
    assert again.trials == []
    answer = again.ask(ask(agreeing=2))
    assert answer.verdict is Verdict.DIVERGES
    assert answer.trials == ("t03", "t04")


def test_an_interrupted_trial_keeps_no_place(tmp_path: Path) -> None:
    def check() -> None:
        if lab.trials and lab.trials[0].outcome == "completed":
            raise KeyboardInterrupt

    lab, _ = laboratory(tmp_path, Act("ab"), Act("ab", hangs=True), check=check)
    with pytest.raises(KeyboardInterrupt):
        lab.ask(ask(agreeing=2))
    again, executor = resumed(tmp_path, Act("ab"))
    assert [trial.id for trial in again.trials] == ["t01"]
    assert again.ask(ask(agreeing=2)).verdict is Verdict.AGREES
    assert len(executor.launches) == 2


def test_a_pair_that_parted_is_taken_over_though_it_was_stopped(tmp_path: Path) -> None:
    lab, _ = laboratory(tmp_path, Act("abc", hangs=True), Act("axc", hangs=True))
    lab.ask(ask(agreeing=2))
    again, executor = resumed(tmp_path, Act("abc"))
    answer = again.ask(ask(agreeing=2))
    assert answer.verdict is Verdict.DIVERGES
    assert answer.trials == ("t01", "t02")
    assert executor.launches == []


@pytest.mark.parametrize("other", ["arguments", "granularity"])
def test_trials_of_something_else_are_left_alone(tmp_path: Path, other: str) -> None:
    lab, _ = laboratory(tmp_path, Act("ab"))
    lab.ask(ask(agreeing=2))
    if other == "arguments":
        now = settings(tmp_path, "--epochs", "5")
    else:
        now = settings(tmp_path, granularity="step")
    again, _ = resumed(tmp_path, Act("xy"), same=now)
    assert again.trials == []
    assert again.ask(ask()).trials == ("t04", "t05")


def test_a_damaged_trial_is_run_again(tmp_path: Path) -> None:
    lab, _ = laboratory(tmp_path, Act("ab"))
    lab.ask(ask(agreeing=2))
    folder = lab.settings.output / "trials"
    (folder / "t02/trial.json").write_bytes(b'{"id": "t0')
    (folder / "t03/trial.json").unlink()
    (folder / "notes.txt").write_text("not ours")
    (folder / "t").mkdir()
    again, executor = resumed(tmp_path, Act("ab"))
    assert [trial.id for trial in again.trials] == ["t01"]
    assert again.ask(ask(agreeing=2)).trials == ("t01", "t04", "t05")
    assert len(executor.launches) == 2


def test_trials_are_taken_over_in_the_order_they_ran(tmp_path: Path) -> None:
    lab, _ = laboratory(tmp_path, Act("ab"), max_trials=200)
    lab.ask(ask(agreeing=104))
    again, _ = resumed(tmp_path, Act("ab"), max_trials=200)
    assert [trial.id for trial in again.trials] == [trial.id for trial in lab.trials]
    assert again.trials[99].id == "t100"


def test_what_a_former_session_left_is_looked_for_again(tmp_path: Path) -> None:
    """The files that trials left are gone with their session: one more trial has to leave some."""
    wrote = ("state.txt",)
    lab, _ = laboratory(tmp_path, Act("ab", wrote=wrote), max_trials=2)
    with pytest.raises(BudgetSpent):
        lab.ask(ask(agreeing=1))
    acts = (Act("ab", wrote=wrote), Act("aX", wrote=wrote))
    again, executor = resumed(tmp_path, *acts)
    assert again.ask(ask(agreeing=1)).verdict is Verdict.DIVERGES
    assert [launch.leftovers for launch in executor.launches] == [None, executor.trials[0].left]


def test_a_trial_s_number() -> None:
    assert [trials.number(name) for name in ("t07", "t100", "t", "x1", "t-1", "t²")] == [
        *(7, 100),
        *(0, 0, 0, 0),
    ]


def test_arguments_that_are_no_text_reach_the_plan(tmp_path: Path) -> None:
    lab, executor = laboratory(tmp_path, Act("ab"), same=settings(tmp_path, "\udcff", "é"))
    assert lab.ask(ask()).verdict is Verdict.AGREES
    plan = json.loads((executor.launches[0].log_folder / "plan.json").read_bytes())
    assert plan["args"] == ["\udcff", "é"]


def test_a_pin_that_makes_a_run_trip_over_the_former_ones_files_is_no_broken_plan(
    tmp_path: Path,
) -> None:
    wrote = ("run-0001/log.txt",)
    fresh = Act("ab", wrote=wrote)
    lab, executor = laboratory(tmp_path, fresh, fresh, Act("", exit_code=1), fresh, jobs=1)
    answer = lab.ask(ask(agreeing=2, held=HELD))
    assert answer.verdict is Verdict.AGREES
    assert answer.trials == ("t01", "t02", "t04")
    assert [launch.leftovers is not None for launch in executor.launches] == [False, True, True] + [
        False
    ]
    assert lab.clashing == {"hash-seed"}


# -- questions that compare with another plan


def provoke(agreeing: int = 2) -> Question:
    return ask(agreeing, {"hash-seed": "varied"}, reference={})


def test_provoked_trials_are_compared_with_the_reference_and_not_with_one_another(
    tmp_path: Path,
) -> None:
    lab, executor = laboratory(tmp_path, *[Act("ab")] * 2, Act("ax"), Act("ax"))
    lab.ask(ask())
    answer = lab.ask(provoke())
    assert answer.verdict is Verdict.DIVERGES
    assert answer.trials[0] == "t01"
    assert lab.trials[2].reference == "t01"
    # What the reference was compared with in its own plan stays as it was.
    assert lab.trials[1].matched
    assert lab.ask(ask()).verdict is Verdict.AGREES
    assert len(executor.launches) <= 4


def test_provoked_trials_that_equal_the_reference_agree(tmp_path: Path) -> None:
    lab, executor = laboratory(tmp_path, Act("ab"))
    lab.ask(ask())
    answer = lab.ask(provoke())
    assert answer.verdict is Verdict.AGREES
    assert answer.trials == ("t01", "t03", "t04")
    assert answer.comparisons == 2
    assert len(executor.launches) == 4


def test_a_provoked_trial_that_crashes_proves_nothing(tmp_path: Path) -> None:
    lab, _ = laboratory(tmp_path, *[Act("ab")] * 2, Act("a", exit_code=1))
    lab.ask(ask())
    answer = lab.ask(provoke())
    assert answer.verdict is Verdict.BROKEN
    assert lab.ask(ask()).verdict is Verdict.AGREES


@pytest.mark.parametrize(
    ("held", "fixed", "busy"),
    [
        ({"data-threads": "varied"}, False, True),
        ({"data-threads": "pinned"}, False, False),
        ({"addresses": "pinned"}, True, False),
        ({"addresses": "varied"}, False, False),
    ],
)
def test_what_a_plan_needs_of_the_machine(
    tmp_path: Path, held: dict[str, Arm], fixed: bool, busy: bool
) -> None:
    lab, executor = laboratory(tmp_path, Act("ab"))
    lab.ask(ask(held=held))
    for launch in executor.launches:
        assert launch.fixed_addresses is fixed
        assert (launch.load > 0) is busy


def test_a_pin_that_did_not_take_is_blamed(tmp_path: Path) -> None:
    lab, _ = laboratory(tmp_path, Act("ab", pins=(False,)))
    answer = lab.ask(ask(held=HELD))
    assert answer.verdict is Verdict.BROKEN
    assert answer.blamed == ("hash-seed",)


def test_a_trial_whose_supervisor_was_killed_is_asked_again(tmp_path: Path) -> None:
    lab, executor = laboratory(tmp_path, Act("a", exit_code=None), Act("ab"), Act("ab"))
    answer = lab.ask(ask(agreeing=1))
    assert answer.verdict is Verdict.AGREES
    assert outcomes(lab) == ["killed", "completed", "completed"]
    assert len(executor.launches) == 3


def test_supervisors_that_are_killed_again_and_again_are_a_failure(tmp_path: Path) -> None:
    lab, executor = laboratory(tmp_path, *[Act("a", exit_code=None)] * 9, jobs=1)
    answer = lab.ask(ask(agreeing=1))
    assert answer.verdict is Verdict.BROKEN
    assert answer.broken == "its supervisor was killed"
    assert len(executor.launches) == MOST_LOST + 1


# -- a machine that has no more of something


class Filling(ActingExecutor):
    """Starts so many trials; then the disk is full."""

    most = 3

    def start(self, launch: Launch) -> ActingTrial:
        if len(self.launches) == self.most:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().start(launch)


def filling(folder: Path, *acts: Act) -> tuple[Laboratory, Filling]:
    lab, acting = laboratory(folder, *acts)
    lab.executor = executor = Filling(acting.runtime, acts)
    return lab, executor


def test_where_a_disk_is_full_what_has_ended_is_kept(tmp_path: Path) -> None:
    lab, executor = filling(tmp_path, Act("abc"), Act("abc"), Act("abc", hangs=True))
    short: list[OSError] = []
    lab.ran_short = short.append
    with pytest.raises(KeyboardInterrupt):
        lab.ask(ask(agreeing=4))
    assert [error.errno for error in short] == [errno.ENOSPC]
    assert outcomes(lab) == ["completed", "completed", "stopped-early"]
    assert executor.trials[2].stopped
    assert not lab.running
    assert len(list(lab.settings.output.glob("trials/*/trial.json"))) == 3


def test_where_no_end_can_be_written_nothing_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, executor = filling(tmp_path, Act("abc"), Act("abc"), Act("abc", hangs=True))
    executor.most = 100
    lab.ran_short = lambda error: None

    def full(trial: trials.Trial) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(trials.Trial, "save", full)
    with pytest.raises(KeyboardInterrupt):
        lab.ask(ask(agreeing=4))
    assert not lab.running
    # Whose end was seen is kept, if only here.
    assert None not in outcomes(lab)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_other_errors_and_those_nobody_waits_for_are_raised(tmp_path: Path, number: int) -> None:
    lab, executor = filling(tmp_path, Act("abc"))
    if number != errno.ENOSPC:
        lab.ran_short = lambda error: None

    def refuse(launch: Launch) -> ActingTrial:
        raise OSError(number, "no")

    executor.start = refuse  # type: ignore[method-assign]
    with pytest.raises(OSError, match="no"):
        lab.ask(ask())


@pytest.mark.parametrize("act", [Act("a", exit_code=74), Act("ab", exit_code=1)])
@pytest.mark.parametrize("free", [0, None, 2**30])
def test_a_trial_that_a_full_disk_let_fail_counts_for_nothing(
    act: Act, free: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "free", lambda folder: free)
    act = dataclasses.replace(act, message="[Errno 28] No space left on device")
    lab, _ = laboratory(tmp_path, act, jobs=1)
    short: list[OSError] = []
    lab.ran_short = short.append
    if free == 0:
        with pytest.raises(KeyboardInterrupt):
            lab.ask(ask())
        assert [error.errno for error in short] == [errno.ENOSPC]
        assert (list(lab.trials), lab.running) == ([], [])
    else:
        assert lab.ask(ask()).verdict is Verdict.BROKEN
        assert (short, outcomes(lab)) == ([], ["crashed"] * len(lab.trials))


def test_where_trials_are_out_of_reach_none_is_left_without_an_end(tmp_path: Path) -> None:
    lab, executor = laboratory(tmp_path, Act("abc"), Act("abc", hangs=True))
    asked = itertools.count()
    plain = ActingTrial.poll

    def poll(self: ActingTrial) -> Ended | None:
        if self.launch.trial == "t02" and next(asked) > 4:
            raise ExecutorError("executor-gone", "the scheduler is gone")
        return plain(self)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ActingTrial, "poll", poll)
        with pytest.raises(ExecutorError):
            lab.ask(ask(agreeing=4))
    assert executor.trials[1].stopped
    assert not lab.running
    assert None not in outcomes(lab)
