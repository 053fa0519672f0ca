"""Comparisons with trials of another plan, and what a group of trials says of its rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nondet.host import laboratory as module
from nondet.record import Arm
from nondet.search.questions import Question
from nondet.verdict import Verdict
from tests.host.acting import Act, laboratory

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
