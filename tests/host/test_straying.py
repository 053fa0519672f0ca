"""Trials on the machines of a cluster, as the laboratory takes them: placed, lost, asked again."""

from __future__ import annotations

import dataclasses
import itertools
import types
from collections.abc import Mapping
from pathlib import Path

import pytest

from nondet.host import laboratory as module
from nondet.host.executors.interface import Machine
from nondet.host.laboratory import MOST_STRAYED, Laboratory
from nondet.host.planning import plan_hash
from nondet.host.trials import restore_all
from nondet.record import Arm, OnGpu
from nondet.search.questions import BudgetSpent, Question
from nondet.verdict import Verdict
from tests.host.acting import FACTORS, Act, ActingExecutor, laboratory, settings

GONE = Act("a", lost="its worker was lost")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)


def test_a_lost_trial_counts_for_nothing_and_another_takes_its_place(tmp_path: Path) -> None:
    lab, executor = laboratory(tmp_path, Act(), GONE, Act())
    answer = lab.ask(Question("Does it repeat?", {}, 2))
    assert answer.verdict is Verdict.AGREES and answer.comparisons == 2
    lost = next(trial for trial in lab.trials if trial.outcome == "killed")
    assert lost.note == "its worker was lost" and not lost.counts
    assert lost.id not in answer.trials and len(lab.trials) == 4
    # Nor does it in a session that goes on.
    assert [t.id for t in restore_all(lab.settings.output / "trials") if not t.counts] == [lost.id]


def test_where_none_ends_any_more_the_script_may_be_why(tmp_path: Path) -> None:
    lab, executor = laboratory(tmp_path, GONE, jobs=1)
    answer = lab.ask(Question("Does it repeat?", {}, 2))
    assert answer.verdict is Verdict.BROKEN and answer.broken == "its worker was lost"
    assert len(executor.launches) == MOST_STRAYED + 1


def test_a_trial_that_ends_shows_that_machines_can(tmp_path: Path) -> None:
    acts = [*[GONE] * MOST_STRAYED, Act(), *[GONE] * MOST_STRAYED, Act()]
    lab, executor = laboratory(tmp_path, *acts, jobs=1)
    assert lab.ask(Question("Does it repeat?", {}, 1)).verdict is Verdict.AGREES
    assert len(executor.launches) == len(acts)


def test_those_that_are_lost_at_once_are_lost_once(tmp_path: Path) -> None:
    """As when this machine is suspended for longer than the workers wait."""
    at_once = 2 * MOST_STRAYED
    lab, executor = laboratory(tmp_path, *[GONE] * at_once, Act(), jobs=at_once)
    assert lab.ask(Question("Does it repeat?", {}, at_once - 1)).verdict is Verdict.AGREES
    assert [trial.outcome for trial in lab.trials].count("killed") == at_once


def test_what_had_not_begun_is_not_lost_by_the_script(tmp_path: Path) -> None:
    """As when each of many workers turns out to have lost what runs trials there."""
    gone = Act("", lost="its attendant ended", begins=False)
    lab, executor = laboratory(tmp_path, *[gone] * 2 * MOST_STRAYED, Act(), jobs=1)
    assert lab.ask(Question("Does it repeat?", {}, 1)).verdict is Verdict.AGREES


def test_lost_trials_are_none_of_those_allowed(tmp_path: Path) -> None:
    acts = [GONE, Act(), GONE, GONE, Act()]
    lab, executor = laboratory(tmp_path, *acts, jobs=1, max_trials=3)
    assert lab.ask(Question("Does it repeat?", {}, 1)).verdict is Verdict.AGREES
    assert lab.spent == 2 and lab.beside(lab.settings).max_trials == 1


def test_trials_that_are_lost_without_end_come_to_one(tmp_path: Path) -> None:
    gone = Act("", lost="its attendant ended", begins=False)
    lab, executor = laboratory(tmp_path, gone, jobs=1, max_trials=3)
    with pytest.raises(BudgetSpent):
        lab.ask(Question("Does it repeat?", {}, 1))
    assert len(executor.launches) == 6


class Workers(ActingExecutor):
    """One trial at a time, each on the machine that its plan asks for, which has a GPU."""

    asked: list[bool | None]

    def room(self, elsewhere: bool | None = False) -> bool:
        return all(trial.end is not None for trial in self.trials)

    def gpus(self, environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        return (("GPU-aa", "A100"),)

    def place(self, trial: str, elsewhere: bool | None = False) -> Workers:
        assert self.room(elsewhere)
        self.asked.append(elsewhere)
        self.machine = int(bool(elsewhere))
        return self


def machine(host: str) -> Machine:
    return Machine(host, host, "EPYC", (), 8, "Linux", "glibc", (), None, "3.11", (), "copy")


def on_workers(folder: Path, *factors: str) -> tuple[Laboratory, Workers]:
    lab, executor = laboratory(folder, jobs=8)
    workers = Workers(executor.runtime, (Act(),))
    workers.asked, workers.machines = [], (machine("one"), machine("two"))
    lab.executor = workers
    lab.factors = (*FACTORS, *factors)
    return lab, workers


def test_no_more_trials_are_started_than_there_is_room_for(tmp_path: Path) -> None:
    lab, workers = on_workers(tmp_path)
    assert lab.ask(Question("Does it repeat?", {}, 2)).verdict is Verdict.AGREES
    assert workers.asked == [False] * 3
    assert {(trial.machine, trial.host) for trial in lab.trials} == {(0, "one")}


@pytest.mark.parametrize(("imports", "used"), [((), False), (("torch",), None)])
def test_the_gpu_that_a_trial_had_there_is_kept(
    tmp_path: Path, imports: tuple[str, ...], used: bool | None
) -> None:
    lab, workers = on_workers(tmp_path)
    workers.acts = (Act(imports=imports),)
    lab.ask(Question("Does it repeat?", {}, 1))
    for trials in (lab.trials, restore_all(lab.settings.output / "trials")):
        assert {trial.gpus for trial in trials} == {(OnGpu(uuid="GPU-aa", name="A100", used=used),)}


def test_the_time_of_a_trial_begins_when_its_worker_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = itertools.count()
    clock = types.SimpleNamespace(monotonic=lambda: next(now), sleep=lambda seconds: None)
    monkeypatch.setattr(module, "time", clock)
    busy = Act(late=5000, waits=True)
    lab, executor = laboratory(tmp_path, busy, busy, Act(), timeout=1000)
    assert lab.ask(Question("Does it repeat?", {}, 1)).verdict is Verdict.AGREES
    slow = Act(late=5000)
    lab, executor = laboratory(tmp_path / "slow", slow, timeout=1000)
    assert lab.ask(Question("Does it repeat?", {}, 1)).verdict is Verdict.BROKEN


@pytest.mark.parametrize(
    ("factors", "held", "elsewhere"),
    [
        ((), {}, False),
        ((), {"machine": "varied"}, True),
        (("machine",), {}, None),
        (("machine",), {"machine": "pinned"}, False),
    ],
)
def test_a_plan_says_where_its_trials_go(
    tmp_path: Path, factors: tuple[str, ...], held: dict[str, Arm], elsewhere: bool | None
) -> None:
    lab, workers = on_workers(tmp_path, *factors)
    lab.ask(Question("Where?", held, 1))
    assert set(workers.asked) == {elsewhere}


def test_trials_of_another_kind_of_machine_are_of_another_plan(tmp_path: Path) -> None:
    here = settings(tmp_path)
    there = dataclasses.replace(here, machine="k1")
    assert len({plan_hash(one, {}) for one in (here, there)}) == 2
