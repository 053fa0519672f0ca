"""What is settled is not looked at again, and no answer is another for it; trials are acts."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from nondet.host import laboratory as module
from nondet.host import warming
from nondet.host.executors.interface import Launch
from nondet.host.laboratory import Laboratory
from nondet.host.standing import Counts, Standing
from nondet.host.trials import Trial
from nondet.host.watching import Silent
from nondet.record import Arm
from nondet.search.questions import Answer, BudgetSpent, Question
from nondet.verdict import Verdict
from tests.host.acting import FACTORS, Act, ActingExecutor, ActingTrial, laboratory, settings

PLANS: tuple[dict[str, Arm], ...] = (
    {},
    {"hash-seed": "pinned"},
    {"python-random": "pinned"},
    {"leftovers": "pinned"},
)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(warming, "SHARE", 0.0)


class Chance(ActingExecutor):
    """Trials that part, crash, leave files, draw and take their time by chance."""

    def __init__(self, runtime: Path, chance: random.Random) -> None:
        super().__init__(runtime, ())
        self.chance = chance
        self.apart = chance.choice((0.0, 0.2, 0.6))
        self.crash = chance.choice((0.0, 0.0, 0.3))
        self.wrote = chance.choice((0.0, 0.5))
        self.imports = chance.choice(((), ("tensorflow",)))

    def start(self, launch: Launch) -> ActingTrial:
        chance = self.chance
        shows = ["abc", "abx", "ay", "abcd"][chance.randrange(4)] if self._is(self.apart) else "abc"
        exit_code = chance.choice((1, None, -9)) if self._is(self.crash) else 0
        act = Act(
            shows if exit_code == 0 else shows[:2],
            exit_code=exit_code,
            wrote=("file",) if self._is(self.wrote) else (),
            late=chance.randrange(5),
            imports=self.imports,
            draws=("python-random",) if self._is(0.8) else (),
        )
        self.acts = (act,)
        return super().start(launch)

    def _is(self, probability: float) -> bool:
        return self.chance.random() < probability


def told(folder: Path, seed: int) -> list[object]:
    """All that some questions are answered with, and what has become of each trial."""
    same, chance = settings(folder), random.Random(seed)
    executor = Chance(same.output, chance)
    options = {"factors": FACTORS, "max_trials": 40, "forking": True, "jobs": chance.choice((1, 4))}
    lab = Laboratory(same, executor, Silent(), **options)  # type: ignore[arg-type]
    found: list[object] = []
    agreeing: list[dict[str, Arm]] = []
    for _ in range(4):
        held, reference = chance.choice(PLANS), None
        if agreeing and chance.random() < 0.5:
            reference = chance.choice(agreeing)
        if reference == held:
            continue
        question = Question("?", held, chance.choice((1, 5)), chance.choice((1, 2)), reference)
        try:
            answer = lab.ask(question)
        except BudgetSpent:
            found.append("spent")
            continue
        found.append(answer)
        if answer.verdict is Verdict.AGREES and reference is None:
            agreeing.append(held)
    kept = ("outcome", "reference", "witness", "matched", "extends", "note", "parent", "chained")
    found += [[getattr(trial, name) for name in kept] for trial in lab.trials]
    return found


@pytest.mark.parametrize("seed", range(16))
def test_answers_are_those_of_looking_at_every_trial_every_time(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = told(tmp_path / "one", seed)
    monkeypatch.setattr(Standing, "_settle", lambda standing: None)
    other = told(tmp_path / "other", seed)
    assert one == other
    assert any(isinstance(answer, Answer) for answer in one) or "spent" in one


def looked_at(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> int:
    """How often a trial is looked at while something is done."""
    count = 0
    take = Standing._take

    def counting(standing: Standing, trial: Trial, counts: Counts) -> None:
        nonlocal count
        count += 1
        take(standing, trial, counts)

    with monkeypatch.context() as patched:
        patched.setattr(Standing, "_take", counting)
        work()
    return count


def test_the_thousandth_trial_costs_what_the_hundredth_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = []
    for trials in (40, 160):
        lab, _ = laboratory(tmp_path / str(trials), Act("ab"), jobs=4, max_trials=trials)
        question = Question("?", {}, trials - 1)
        each.append(looked_at(monkeypatch, lambda: lab.ask(question)) / trials)  # noqa: B023
        assert len(lab.trials) == trials
        assert not lab.following
    assert each[1] < 1.2 * each[0]


def test_where_what_others_were_compared_with_falls_all_are_looked_at_again(tmp_path: Path) -> None:
    lab, _ = laboratory(tmp_path, Act("abc"), jobs=2)
    lab.ask(Question("?", {}, 3))
    lab.standing.look()
    assert not lab.standing.open
    lab.trials[0].set_aside = True
    lab.standing.look()
    assert [trial.reference for trial in lab.trials[1:]] == ["", "t02", "t02"]
    assert lab.standing.counts.firsts[""] is lab.trials[1]
    assert lab.standing.counts.usable == 3


def test_a_copy_takes_in_more_without_the_original() -> None:
    counts = Counts()
    copy = counts.copy()
    for field in dataclasses.fields(counts):
        value = getattr(copy, field.name)
        if isinstance(value, list | dict):
            assert value is not getattr(counts, field.name)
