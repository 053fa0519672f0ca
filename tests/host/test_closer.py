"""Single operations are released by trials of their own, and what these show is kept."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from nondet.host import laboratory as module
from nondet.host.closer import CloserLook
from nondet.host.executors.interface import ExecutorError, Launch
from nondet.host.laboratory import Laboratory
from nondet.host.releasing import HOLDER
from nondet.record import Arm
from nondet.search.questions import Answer, Finding, Guilt, Question
from nondet.verdict import Verdict
from tests.host.acting import Act, ActingExecutor, ActingTrial, laboratory

HELD: dict[str, Arm] = {"python-random": "pinned"}
OPS = ("addmm", "cumsum", "index_put_")
RACING = "index_put_"
NEEDED = 16
"""Trials after which it is known: seven of the search, and three for each of three questions."""


class Kernels(ActingExecutor):
    """Trials of a script of PyTorch's, in which one operation's usual kernel races."""

    every = 1
    """The race shows in each trial of that number."""
    refuses = ""
    """The operation whose release can't be started."""

    def start(self, launch: Launch) -> ActingTrial:
        plan = json.loads((launch.log_folder / "plan.json").read_bytes())
        self.plans = [*getattr(self, "plans", ()), plan]
        gone = [op for op in OPS if any(re.search(p, op) for p in plan["released"])]
        if self.refuses and gone == [self.refuses]:
            raise ExecutorError("executor", "no process can be started")
        free = plan["arms"].get(HOLDER) != "pinned"
        shows = "a"
        if free or (RACING in gone and len(self.plans) % self.every == 0):
            shows = launch.trial
        self.acts = (Act(shows, imports=("torch",), released=tuple(gone)),)
        return super().start(launch)


def looked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, comparisons: int = 5, **changes: Any
) -> tuple[CloserLook, Kernels, list[tuple[str, Verdict]]]:
    """A closer look at the operations of that script, all it was told, and its answers."""
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)
    lab, acting = laboratory(folder, Act(), jobs=1, max_trials=changes.pop("max_trials", 50))
    lab.executor = executor = Kernels(acting.runtime, ())
    for name, value in changes.items():
        setattr(executor, name, value)
    free = lab.ask(Question("free", HELD, 2))
    held = lab.ask(Question("held", {**HELD, HOLDER: "pinned"}, 2))
    lab.ask(Question("nothing held", {}, 1))
    assert (free.verdict, held.verdict) == (Verdict.DIVERGES, Verdict.AGREES)
    guilt = Guilt(HOLDER, free.trials, held.trials)
    told: list[tuple[str, Verdict]] = []

    def note(asked: Laboratory, question: Question, answer: Answer) -> None:
        told.append((question.released, answer.verdict))

    finding = Finding("causes-found", guilty=(guilt,), comparisons=comparisons)
    look = CloserLook(lab, finding, note, resume=False, gpus=False)
    look.at_operations(HELD, usual=5)
    return look, executor, told


def test_the_operation_is_found_by_trials_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, executor, told = looked(tmp_path, monkeypatch)
    assert [each.op for each in look.needed] == [RACING]
    assert told == [
        ("all of these", Verdict.DIVERGES),
        ("`cumsum`", Verdict.AGREES),
        ("`index_put_`", Verdict.DIVERGES),
    ]
    released = [plan for plan in executor.plans if plan["released"]]
    assert [plan["arms"] for plan in released] == [{**HELD, HOLDER: "pinned"}] * len(released)
    # Their trials stand beside the search's own, and count for no question of it.
    beside = [t.id for each in look.laboratories for t in each.trials]
    assert beside == [plan["trial"] for plan in released]
    assert not {t.id for t in look.laboratory.trials} & set(beside)
    assert look.needed[0].trials == tuple(look.laboratories[-1].trials[i].id for i in (0, 1, 2))


def test_a_race_that_shows_now_and_then_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, _, told = looked(tmp_path / "rare", monkeypatch, comparisons=11, every=6)
    assert [each.op for each in look.needed] == [RACING]
    assert ("`index_put_`", Verdict.DIVERGES) in told
    look, _, told = looked(tmp_path / "usual", monkeypatch, every=6)
    assert (look.needed, told) == ([], [("all of these", Verdict.AGREES)])


@pytest.mark.parametrize("most", range(9, 20))
def test_what_was_found_stands_when_no_more_trials_may_run(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, executor, _ = looked(tmp_path, monkeypatch, max_trials=most)
    assert len(executor.plans) <= most
    assert [each.op for each in look.needed] == ([RACING] if most >= NEEDED else [])
    assert not look.interrupted


def test_what_was_found_stands_when_a_trial_cannot_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, _, told = looked(tmp_path, monkeypatch, refuses=RACING)
    assert look.needed == []
    assert [words for words, _ in told] == ["all of these", "`cumsum`"]


def test_an_interruption_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = itertools.count()

    def start(self: Kernels, launch: Launch) -> ActingTrial:
        if next(begun) == 12:
            raise KeyboardInterrupt
        return plain(self, launch)

    plain = Kernels.start
    monkeypatch.setattr(Kernels, "start", start)
    look, _, told = looked(tmp_path, monkeypatch)
    assert look.interrupted
    assert [words for words, _ in told] == ["all of these"]
    assert look.needed == []
