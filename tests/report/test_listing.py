"""A page of many trials lists some of them, and says so."""

from __future__ import annotations

from msgspec import structs

from nondet.record import Diagnosis
from nondet.report import html
from nondet.report.page.listing import MOST, MOST_NAMED, listed
from tests.report import parts, samples


def of(count: int) -> Diagnosis:
    trials = tuple(parts.trial(n, parts.plan(), "Is it enough?") for n in range(1, count + 1))
    base = samples.one_cause()
    ids = tuple(trial.id for trial in trials)
    causes = tuple(structs.replace(cause, agreeing=ids[::-1]) for cause in base.causes)
    return structs.replace(base, trials=trials, causes=causes)


def test_few_trials_are_all_listed() -> None:
    diagnosis = of(MOST)
    assert listed(diagnosis) == diagnosis.trials
    assert "trials: those that the claims" not in html.render(diagnosis)


def test_of_many_those_are_that_claims_name() -> None:
    diagnosis = of(4 * MOST)
    shown = listed(diagnosis)
    ids = [trial.id for trial in shown]
    assert len(shown) == MOST
    assert ids == [trial.id for trial in diagnosis.trials if trial.id in set(ids)]
    (cause,) = diagnosis.causes
    assert {*cause.trials, *cause.agreeing[:MOST_NAMED]} <= set(ids)
    assert ids[0] == "t01"


def test_the_page_says_what_it_leaves_out() -> None:
    text = html.render(of(4 * MOST))
    assert text.count('<tr id="trial-') == MOST
    assert f"These are {MOST} of {4 * MOST} trials" in text
    assert f" and {4 * MOST - MOST_NAMED} more" in text
    # No claim leads to a trial that is not there.
    assert f'href="#trial-{MOST + 1}' not in text


def test_a_page_of_many_trials_is_no_larger_than_one_of_some() -> None:
    some, many = (len(html.render(of(count))) for count in (2 * MOST, 6 * MOST))
    assert many < 1.02 * some
