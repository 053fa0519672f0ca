"""When trials are forked, and what forked trials count for, with trials that are acts."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nondet.host import laboratory as module
from nondet.host import warming
from nondet.host.executors import parents
from nondet.host.executors.interface import ExecutorError, Launch, Start
from nondet.host.laboratory import Laboratory
from nondet.host.watching import Silent
from nondet.record import Arm
from nondet.search.questions import Question
from nondet.verdict import Verdict
from tests.host.acting import Act, ActingExecutor, ActingTrial, Ready, settings

DRAWN: dict[str, Arm] = {"python-random": "pinned"}
FRESH = ("python-random", "hash-seed")
Acting = Callable[[Launch], Act]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)
    # Acts take no time.
    monkeypatch.setattr(warming, "SHARE", 0.0)


class Forking(ActingExecutor):
    """Trials of a script that imports TensorFlow and draws from `random`."""

    def __init__(self, runtime: Path, acting: Acting) -> None:
        super().__init__(runtime, ())
        self.acting = acting
        self.starts: list[Start] = []
        self.made = Ready()

    def start(self, launch: Launch) -> ActingTrial:
        self.acts = (self.acting(launch),)
        return super().start(launch)

    def parent(self, name: str, start: Start) -> Ready:
        super().parent(name, start)
        self.starts.append(start)
        return self.made

    @property
    def forked(self) -> list[str]:
        return [launch.trial for launch in self.launches if launch.parent]


def arms(launch: Launch) -> dict[str, Arm]:
    plan: dict[str, Arm] = json.loads((launch.log_folder / "plan.json").read_bytes())["arms"]
    return plan


def own(launch: Launch) -> str:
    """A letter that no other trial has."""
    return chr(ord("A") + int(launch.trial[1:]))


def unseeded(launch: Launch) -> Act:
    drawn = "a" if "python-random" in arms(launch) else own(launch)
    return Act(f"i{drawn}", imports=("tensorflow",), draws=("python-random",))


def lab(folder: Path, acting: Acting, **more: Any) -> tuple[Laboratory, Forking]:
    same = settings(folder)
    executor = Forking(same.output, acting)
    options: dict[str, Any] = {
        "jobs": 2,
        "factors": FRESH,
        "max_trials": 60,
        "forking": True,
    } | more
    return Laboratory(same, executor, Silent(), **options), executor


def ask(held: dict[str, Arm], agreeing: int, parting: int = 1) -> Question:
    return Question("Does it repeat?", held, agreeing, parting)


def test_further_differences_come_from_forked_trials(tmp_path: Path) -> None:
    made, executor = lab(tmp_path, unseeded)
    answer = made.ask(ask({}, 5, parting=4))
    assert answer.verdict is Verdict.DIVERGES
    assert answer.divergences == 4
    assert executor.launches[0].parent == executor.launches[1].parent == ""
    assert len(executor.forked) == 4  # the first of them is what the others are compared with
    assert [start.imports for start in executor.starts] == [(("tensorflow", ()),)]


def test_the_first_forked_trial_is_not_waited_for(tmp_path: Path) -> None:
    """It alone tells nothing: the second is started beside it, and both are stopped."""

    def long(launch: Launch) -> Act:
        return dataclasses.replace(unseeded(launch), hangs=bool(launch.parent))

    made, executor = lab(tmp_path, long)
    assert made.ask(ask({}, 5, parting=2)).divergences == 2
    assert len(executor.forked) == 2
    assert {t.outcome for t in made.trials if t.parent} == {"stopped-early"}


def test_a_script_that_repeats_is_never_forked(tmp_path: Path) -> None:
    made, executor = lab(tmp_path, lambda launch: Act("ia", imports=("tensorflow",)))
    answer = made.ask(ask({}, 5))
    assert (answer.verdict, answer.comparisons) == (Verdict.AGREES, 5)
    assert len(executor.launches) == 6
    assert not executor.starts and not executor.forked


def test_one_forked_trial_stands_for_an_agreement(tmp_path: Path) -> None:
    made, executor = lab(tmp_path, unseeded)
    made.ask(ask({}, 5))
    answer = made.ask(ask(DRAWN, 5))
    assert (answer.verdict, answer.comparisons) == (Verdict.AGREES, 5)
    assert len(answer.trials) == 6
    assert len(set(answer.trials) & set(executor.forked)) == 1


def test_forked_trials_that_agree_with_one_another_prove_nothing(tmp_path: Path) -> None:
    """The order of sets is the same in all of them: here it is what makes trials differ."""

    def ordered(launch: Launch) -> Act:
        order = launch.parent or own(launch)
        return Act(f"i{order[0]}", imports=("tensorflow",), draws=("python-random",))

    made, executor = lab(tmp_path, ordered)
    assert made.ask(ask({}, 5, parting=2)).verdict is Verdict.DIVERGES
    answer = made.ask(ask(DRAWN, 1, parting=2))
    assert answer.verdict is Verdict.DIVERGES
    assert executor.forked


def test_a_pin_is_relied_on_once_it_was_seen_to_hold(tmp_path: Path) -> None:
    """With a pin that does not hold in forked trials, they would part and accuse another factor."""

    def fragile(launch: Launch) -> Act:
        pinned = "python-random" in arms(launch)
        drawn = own(launch) if launch.parent or not pinned else "a"
        return Act(f"i{drawn}", imports=("tensorflow",), draws=("python-random",))

    made, executor = lab(tmp_path, fragile)
    made.ask(ask({}, 5))
    before = len(executor.forked)
    answer = made.ask(ask(DRAWN, 2))
    assert (answer.verdict, answer.comparisons) == (Verdict.AGREES, 2)
    assert not set(answer.trials) & set(executor.forked)
    assert made.warming.unproven == {"python-random"}
    assert not made.warming.mistaken
    tried = len(executor.forked)
    assert tried == before + 1
    made.ask(ask(DRAWN, 6))
    assert len(executor.forked) == tried


def test_beside_another_plans_trial_only_its_own_pins_are_shown_to_hold(tmp_path: Path) -> None:
    made, executor = lab(tmp_path, unseeded)
    both: dict[str, Arm] = {"python-random": "pinned", "hash-seed": "pinned"}
    made.ask(ask({}, 5))
    made.ask(ask(DRAWN, 2))
    assert made.warming.proven == {"python-random"}
    executor.made.ready = False  # the other plan's trials start by themselves
    executor.made.unfit = "for now"
    made.ask(ask(both, 2))
    executor.made.ready, executor.made.unfit, made.warming.why_not = True, "", ""
    made.ask(Question("One beside it?", DRAWN, 4, reference=both))
    assert made.warming.proven == {"python-random"}


def test_a_forked_trial_that_fails_is_no_failure_of_the_plan(tmp_path: Path) -> None:
    def failing(launch: Launch) -> Act:
        act = unseeded(launch)
        if launch.parent and "python-random" in arms(launch):
            return Act("i", exit_code=1, imports=("tensorflow",))
        return act

    made, _ = lab(tmp_path, failing)
    made.ask(ask({}, 5))
    answer = made.ask(ask(DRAWN, 3))
    assert (answer.verdict, answer.comparisons) == (Verdict.AGREES, 3)
    assert made.warming.unproven == {"python-random"}


def test_what_was_proven_and_fails_after_all_drops_all_forked_trials(tmp_path: Path) -> None:
    upset: list[str] = []

    def later(launch: Launch) -> Act:
        if launch.parent and upset:
            return Act("i", exit_code=1, imports=("tensorflow",))
        return unseeded(launch)

    made, executor = lab(tmp_path, later)
    made.ask(ask({}, 5, parting=2))
    assert executor.forked
    upset.append("from now on")
    answer = made.ask(ask({}, 5, parting=6))
    assert answer.verdict is Verdict.DIVERGES
    assert made.warming.mistaken
    assert all(trial.set_aside for trial in made.trials if trial.parent)
    assert not set(answer.trials) & set(executor.forked)


def test_no_parent_no_forked_trial(tmp_path: Path) -> None:
    made, executor = lab(tmp_path, unseeded)
    executor.made.ready = False
    executor.made.unfit = "importing starts threads"
    answer = made.ask(ask({}, 5, parting=3))
    assert answer.divergences == 3
    assert executor.forked == []
    assert made.warming.why_not == "importing starts threads"
    assert len(executor.starts) == 1


def test_a_fork_that_is_refused_is_made_good_by_a_trial_of_its_own(tmp_path: Path) -> None:
    made, executor = lab(tmp_path, unseeded)
    plain = executor.start

    def refusing(launch: Launch) -> ActingTrial:
        if launch.parent:
            raise ExecutorError("trial-not-started", "no trial could be forked: it is gone.")
        return plain(launch)

    executor.start = refusing  # type: ignore[method-assign]
    assert made.ask(ask({}, 5, parting=3)).divergences == 3
    assert "it is gone" in made.warming.why_not


def test_imports_that_never_end_are_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warming, "LONGEST_IMPORT", 0.0)
    made, executor = lab(tmp_path, unseeded)
    executor.made.ready, executor.made.importing = False, True
    assert made.ask(ask({}, 5, parting=3)).divergences == 3
    assert executor.forked == executor.parents == []
    assert "did not end" in made.warming.why_not


def test_a_pin_that_must_come_early_is_not_forked(tmp_path: Path) -> None:
    made, executor = lab(tmp_path, unseeded, factors=("python-random", "onednn"))
    made.ask(ask({}, 5, parting=3))
    count = len(executor.forked)
    made.ask(ask({"python-random": "pinned", "onednn": "pinned"}, 3))
    assert len(executor.forked) == count


def test_trials_that_start_alike_share_a_parent(tmp_path: Path) -> None:
    made, executor = lab(tmp_path, unseeded)
    made.ask(ask({}, 5, parting=3))
    made.ask(ask(DRAWN, 3))
    assert len(executor.starts) == 1
    made.ask(ask({"python-random": "pinned", "hash-seed": "pinned"}, 3))
    assert len(executor.starts) == 2
    assert dict(executor.starts[1].env)["PYTHONHASHSEED"] != ""


def test_where_importing_is_a_small_part_nothing_is_forked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warming, "SHARE", 0.25)
    made, executor = lab(tmp_path, unseeded)
    made.ask(ask({}, 5, parting=1))
    for trial in made.trials:
        trial.outcome, trial.seconds, trial.importing_seconds = "completed", 100.0, 5.0
    made.trials = tuple(made.trials)
    assert not made.warming.worthwhile(made.importing_seconds(), made.single_run_seconds())
    made.ask(ask({}, 5, parting=5))
    assert executor.forked == []


def test_without_forking_nothing_is_imported(tmp_path: Path) -> None:
    made, executor = lab(tmp_path, unseeded, forking=False)
    made.ask(ask({}, 5, parting=3))
    assert not executor.starts and not executor.forked
    assert made.warming.why_not == ""


def test_nothing_is_forked_where_a_process_cannot_be_held(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*given: int) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented")

    assert parents.possible("3.11.7")
    assert not parents.possible("3.9.18")
    for place, name in ((os, "pidfd_open"), (signal, "pidfd_send_signal")):
        # A kernel that doesn't know the call, and a Python that was built without the function.
        with monkeypatch.context() as patch:
            patch.setattr(place, name, refused)
            assert not parents.possible("3.11.7")
            patch.delattr(place, name)
            assert not parents.possible("3.11.7")


def test_only_trials_that_started_by_themselves_tell_what_is_imported(tmp_path: Path) -> None:
    made, _ = lab(tmp_path, unseeded)
    made.ask(ask({}, 5, parting=4))
    fresh, _ = lab(tmp_path, unseeded)
    fresh.trials = [trial for trial in made.trials if trial.parent]
    fresh.warming.learn(fresh.importer())
    assert not fresh.warming.imports
    fresh.trials = made.trials
    fresh.warming.learn(fresh.importer())
    assert fresh.warming.imports == (("tensorflow", ()),)


def test_forked_trials_are_used_again_by_a_later_session(tmp_path: Path) -> None:
    made, executor = lab(tmp_path, unseeded)
    made.ask(ask({}, 5, parting=4))
    again, fresh = lab(tmp_path, unseeded)
    assert again.restore(again.settings.output / "trials") == len(made.trials)
    answer = again.ask(ask({}, 5, parting=4))
    assert answer.divergences == 4
    assert fresh.launches == []
    assert {t.parent for t in again.trials} == {t.parent for t in made.trials}
