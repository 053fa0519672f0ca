"""What answers do to the states of factors, as they are told while a diagnosis runs."""

from __future__ import annotations

import pytest

from nondet import record
from nondet.host import mending
from nondet.host.telling import Telling
from nondet.host.watching import Silent
from nondet.search.questions import Answer, Guilt, Question
from nondet.verdict import Verdict

FREE = ["python-random", "clock"]
AGREES = Answer(Verdict.AGREES, ("t05", "t06"), exercised=frozenset(FREE))
GUILTY = [Guilt("python-random", ("t01", "t02"), ("t03", "t04"), "pinned")]


class States(Silent):
    """Keeps what is told of factors."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def factor(self, name: str, title: str, state: str, evidence: str) -> None:
        self.told.append((name, state))


@pytest.fixture
def watcher() -> States:
    return States()


def test_runs_of_the_patched_script_clear_nothing(watcher: States) -> None:
    """What the patch holds is free there, and acts in the script all the same."""
    telling = Telling(watcher)
    telling.guilty("python-random", ("t01", "t02"))
    patched = mending.Mending(record.Prescription(snippet="", edits=(), advice=())).question(5)
    telling.answered(patched, AGREES, "", FREE, GUILTY)
    assert watcher.told == [("python-random", "guilty")]


def test_what_is_free_in_agreeing_trials_is_cleared(watcher: States) -> None:
    telling = Telling(watcher)
    telling.answered(Question("as it is?", {}, 5), AGREES, "", FREE, ())
    assert watcher.told == [("python-random", "cleared"), ("clock", "cleared")]


def test_what_is_guilty_stays_so(watcher: States) -> None:
    telling = Telling(watcher)
    telling.guilty("python-random", ("t01", "t02"))
    question = Question("beside it?", {"clock": "pinned"}, 5)
    telling.answered(question, AGREES, "", FREE, GUILTY)
    assert watcher.told == [("python-random", "guilty"), ("clock", "cleared")]


def test_what_holds_in_place_of_a_cause_does_not_clear_it(watcher: States) -> None:
    question = Question("Would clock do in place of python-random?", {"clock": "pinned"}, 5)
    Telling(watcher).answered(question, AGREES, "", ["python-random"], GUILTY)
    assert watcher.told == [("python-random", "guilty")]
