from __future__ import annotations

import pytest

from nondet.record import Arm
from nondet.search.stressing import AGREEING, Provoked, StressSearch
from tests.search.subjects import Simulated, drive

FACTORS = ("hash-seed", "file-order", "clock", "cpu-threads")
PINNED: dict[str, Arm] = {"tf-seed": "pinned"}


def provoke(subject: Simulated, pinned: dict[str, Arm] | None = None) -> Provoked:
    return drive(StressSearch(pinned or {}, (), [FACTORS, ["onednn"]]).run(), subject)


def test_what_lies_dormant_nowhere_costs_one_question_a_group() -> None:
    subject = Simulated()
    found = provoke(subject)
    assert found.quiet == (*FACTORS, "onednn")
    assert not found.dormant
    assert len(subject.log) == 2
    assert subject.trials == 2 * AGREEING


def test_a_dormant_source_is_told_from_the_quiet_ones() -> None:
    subject = Simulated(dormant=("file-order", "cpu-threads"))
    found = provoke(subject, PINNED)
    assert set(found.dormant) == {"file-order", "cpu-threads"}
    assert set(found.quiet) == {"hash-seed", "clock", "onednn"}
    for question in subject.log:
        assert question.reference == PINNED
        assert question.held["tf-seed"] == "pinned"


@pytest.mark.parametrize("name", FACTORS)
def test_a_single_dormant_source_is_found_by_halving(name: str) -> None:
    subject = Simulated(dormant=(name,))
    found = provoke(subject)
    assert set(found.dormant) == {name}
    assert len(subject.log) <= 6


def test_a_pinned_factor_is_not_provoked() -> None:
    subject = Simulated()
    found = provoke(subject, {"clock": "pinned"})
    assert "clock" not in found.quiet
    assert subject.log[0].held["clock"] == "pinned"


def test_what_can_not_be_provoked_is_said_and_the_rest_goes_on() -> None:
    subject = Simulated(dormant=("clock",), breaking=("hash-seed",))
    found = provoke(subject)
    assert set(found.dormant) == {"clock"}
    assert "hash-seed" in found.note
    assert "it raises" in found.note


@pytest.mark.parametrize("most", range(1, 9))
def test_a_spent_budget_says_what_was_left_out(most: int) -> None:
    found = provoke(Simulated(dormant=("clock",), most_trials=most))
    left = {*FACTORS, "onednn"} - set(found.dormant) - set(found.quiet)
    assert bool(left) == bool(found.note)
    assert all(name in found.note for name in left)
