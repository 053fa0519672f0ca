"""The simulated subjects that the search is judged on, and the search's promises on them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nondet.record import Arm
from nondet.search.diagnosing import Goal, Search
from nondet.search.questions import Answer, BudgetSpent, Candidate, Finding, Question
from nondet.verdict import Verdict
from tests.benchmarks.searching.cases import EVIDENCE, INTERACTIONS, Case, Cause, Family
from tests.benchmarks.searching.judging import diagnose, sum_up
from tests.benchmarks.searching.subject import NEVER, Subject, drive

NAMES = ("a", "b", "c", "d")
PINNED: dict[str, Arm] = {"b": "pinned"}


def case(*causes: Cause, **more: object) -> Case:
    return Case(NAMES, causes, start=0.5, family="test", **more)  # type: ignore[arg-type]


def ask(
    subject: Subject,
    agreeing: int = 1,
    held: dict[str, Arm] | None = None,
    **more: object,
) -> Answer:
    return subject.ask(Question("?", held or {}, agreeing, **more))  # type: ignore[arg-type]


# -- the simulator


def test_trials_that_agree_run_to_their_end() -> None:
    subject = Subject(case())
    answer = ask(subject, 4)
    assert answer.verdict is Verdict.AGREES
    assert (answer.comparisons, answer.alike) == (4, (5,))
    assert subject.seconds == pytest.approx(5 * 1.5)


@pytest.mark.parametrize("jobs", [1, 2])
def test_trials_that_part_are_stopped_where_they_do(jobs: int) -> None:
    subject = Subject(case(Cause(("a",), delay=0.2)), jobs=jobs)
    answer = ask(subject, 4)
    assert answer.verdict is Verdict.DIVERGES
    assert answer.alike == (1, 1)
    # One by one, the first had ended before the second could differ from it.
    first = 0.7 if jobs == 2 else 1.5
    assert subject.seconds == pytest.approx(first + 0.7)
    assert answer.stopped_share == pytest.approx(0.0 if jobs == 2 else 0.7 / 1.5)


def test_asked_to_the_end_the_first_pair_is_not_stopped() -> None:
    subject = Subject(case(Cause(("a",))))
    assert ask(subject, 4, to_end=True).verdict is Verdict.DIVERGES
    assert subject.seconds == pytest.approx(2 * 1.5)


def test_more_than_one_pair_can_be_asked_for() -> None:
    subject = Subject(case(Cause(("a",), delay=0.2)))
    answer = ask(subject, 4, parting=3)
    assert answer.divergences == 3
    assert answer.alike == (1, 1, 1, 1)
    assert subject.seconds == pytest.approx(4 * 0.7)


def test_trials_are_kept_for_later_questions() -> None:
    subject = Subject(case(Cause(("a",))))
    ask(subject, 2, {"a": "pinned"})
    before = subject.trials
    assert ask(subject, 2, {"a": "pinned"}).comparisons == 2
    assert subject.trials == before
    ask(subject, 4, {"a": "pinned"})
    assert subject.trials == before + 2


def test_one_trial_is_enough_beside_another_plan_s() -> None:
    subject = Subject(case())
    ask(subject, 1, {"a": "pinned", "b": "pinned"})
    before = subject.trials
    answer = ask(subject, 1, PINNED, reference={"a": "pinned", "b": "pinned"})
    assert answer.verdict is Verdict.AGREES
    assert subject.trials == before + 1


def test_a_pin_that_shifts_the_result_is_told_from_a_cause_by_more_trials() -> None:
    subject = Subject(case(shifting=frozenset("a")))
    ask(subject, 1, {"a": "pinned", "b": "pinned"})
    beside = ask(subject, 1, PINNED, reference={"a": "pinned", "b": "pinned"})
    assert beside.verdict is Verdict.DIVERGES
    answer = ask(subject, 1, PINNED)
    assert answer.verdict is Verdict.AGREES
    # The one that was stopped where it left the other plan's result says nothing.
    assert answer.alike == (2,)


def test_the_odd_one_out_may_be_the_one_that_others_are_compared_with() -> None:
    for seed in range(200):
        subject = Subject(case(Cause(("a",), rate=0.3), seed=seed))
        answer = ask(subject, 4, parting=4)
        first, *others = [run.results[0] for run in subject.runs]
        if first and not any(others):
            assert answer.divergences == len(others) == 4
            assert answer.alike == (4, 1)
            assert (answer.apart, answer.seen) == (1, 4)
            return
    raise AssertionError("no such case among the seeds")


def test_a_cause_acts_at_its_rate() -> None:
    subject = Subject(case(Cause(("a",), rate=0.3)))
    acted = sum(bool(subject.whole_run({}).results[0]) for _ in range(2000))
    assert acted == pytest.approx(600, abs=80)
    assert not any(subject.whole_run({"a": "pinned"}).results[0] for _ in range(100))


def test_one_of_several_pins_is_enough_and_a_hidden_cause_waits_for_one() -> None:
    subject = Subject(case(Cause(("a", "b")), Cause(("c",), after="a")))
    assert subject.whole_run({"b": "pinned"}).results == (0, 0)
    assert subject.whole_run({"a": "pinned"}).results[1] != 0
    assert subject.whole_run({}).results[0] != 0


def test_results_are_among_as_many_as_a_cause_has() -> None:
    subject = Subject(case(Cause(("a",), outcomes=2)))
    runs = [subject.whole_run({}) for _ in range(50)]
    assert {run.results[0] for run in runs} == {1, 2}
    assert {subject.apart_at(runs[0], run) for run in runs} == {0.0, NEVER}


def test_a_slow_pin_takes_longer() -> None:
    subject = Subject(case(slow={"b": 3.0}))
    assert subject.whole_run(PINNED).seconds == pytest.approx(4.5)


def test_a_budget_of_trials() -> None:
    subject = Subject(case(), most_trials=3)
    with pytest.raises(BudgetSpent):
        ask(subject, 4)
    assert subject.trials == 3


# -- the search on it

FAMILIES = st.builds(
    Family,
    factors=st.sampled_from([6, 8, 16]),
    causes=st.integers(0, 3),
    rates=st.sampled_from([(1.0,), (0.5,), (0.2,), (1.0, 0.3)]),
    interactions=st.sampled_from(INTERACTIONS),
    evidence=st.sampled_from(EVIDENCE),
    outcomes=st.sampled_from([0, 2]),
    shifting=st.booleans(),
    breaking=st.booleans(),
)
SEEDS = st.integers(0, 10_000)


def search(found: Case, most: int = 1000) -> tuple[Finding, Subject]:
    subject = Subject(found, most_trials=most)
    asking = Search([Candidate(name) for name in found.factors]).run()
    return drive(asking, subject), subject


@given(FAMILIES, SEEDS, st.integers(1, 120))
def test_it_ends_within_its_budget_and_says_only_what_trials_have_shown(
    family: Family, seed: int, most: int
) -> None:
    finding, subject = search(family.case(seed), most)
    assert subject.trials <= most
    assert finding.verdict in ("reproducible", "causes-found", "unresolved", "unsure")
    known = {run.name for run in subject.runs}
    assert set(finding.verified) <= known
    for guilt in finding.guilty:
        assert set(guilt.parting) <= known
        assert guilt.agreeing == finding.verified
        assert guilt.factor not in finding.cleared
    if finding.verdict in ("reproducible", "causes-found"):
        assert finding.comparisons >= Goal().comparisons
        assert len(finding.verified) == finding.comparisons + 1
        assert bool(finding.guilty) == (finding.verdict == "causes-found")


@given(FAMILIES, SEEDS, st.integers(1, 120))
def test_where_causes_act_in_every_run_nobody_else_is_accused(
    family: Family, seed: int, most: int
) -> None:
    always = Family(
        family.factors,
        family.causes,
        (1.0,),
        family.interactions,
        family.evidence,
        shifting=family.shifting,
        breaking=family.breaking,
    )
    planted = always.case(seed)
    finding, _ = search(planted, most)
    assert not planted.accused(frozenset(guilt.factor for guilt in finding.guilty))


@given(FAMILIES, SEEDS)
def test_where_causes_act_in_every_run_all_are_found_within_few_trials(
    family: Family, seed: int
) -> None:
    always = Family(family.factors, family.causes, (1.0,), family.interactions, family.evidence)
    planted = always.case(seed)
    finding, subject = search(planted)
    right = "causes-found" if planted.causes else "reproducible"
    assert finding.verdict == right
    assert planted.recalled(frozenset(guilt.factor for guilt in finding.guilty))
    # Six agree; a search among 16 halves 4 times, and asks each time of 5 trials at most.
    assert subject.trials <= 6 + (1 + family.causes) * 25


def test_a_reproducible_subject_costs_the_agreeing_trials_and_nothing_else() -> None:
    for goal in (Goal(), Goal(0.99, 0.5), Goal(0.95, 0.2)):
        judged = diagnose(Family(16, 0).case(1), goal)
        assert judged.found
        assert judged.runs == pytest.approx(goal.comparisons + 1)
        assert judged.trials == goal.comparisons + 1


def test_the_same_seed_makes_the_same_diagnosis() -> None:
    family = Family(16, 2, (0.5,))
    assert family.case(7) == family.case(7)
    assert family.case(7) != family.case(8)
    one, other = search(family.case(7)), search(family.case(7))
    assert one[0] == other[0]
    assert [q for q, _ in one[1].log] == [q for q, _ in other[1].log]


@pytest.mark.parametrize(
    ("family", "goal", "recall", "runs"),
    [
        (Family(16, 1, (1.0,), evidence="visible"), Goal(), 1.0, 9),
        (Family(16, 1, (1.0,)), Goal(0.99, 0.5), 1.0, 15),
        (Family(32, 4, (1.0,)), Goal(0.99, 0.5), 1.0, 28),
        (Family(16, 2, (0.5,)), Goal(0.99, 0.5), 0.98, 45),
        (Family(8, 1, (0.2,)), Goal(0.95, 0.2), 0.93, 80),
    ],
    ids=lambda value: value.name if isinstance(value, Family) else None,
)
def test_what_it_finds_and_costs_on_the_whole(
    family: Family, goal: Goal, recall: float, runs: float
) -> None:
    found = sum_up(diagnose(family.case(seed), goal) for seed in range(100))
    assert found.recall >= recall
    assert found.accused <= 0.02
    assert found.runs <= runs


def test_a_thousand_factors_take_a_few_more_trials_than_a_hundred() -> None:
    for factors in (100, 1000):
        found = diagnose(Family(factors, 1, evidence="unseen").case(1), Goal())
        assert found.found and not found.false
        assert found.trials <= 15 + 2.5 * math.log2(factors)
