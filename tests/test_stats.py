from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nondet import stats


@pytest.mark.parametrize(("rate", "needed"), [(1, 1), (0.5, 5), (0.3, 9), (0.1, 29)])
def test_comparisons_needed_at_95_percent(rate: float, needed: int) -> None:
    assert stats.comparisons_needed(rate, 0.95) == needed


@given(st.floats(0.01, 0.99), st.floats(0.5, 0.999))
def test_needed_is_the_smallest_that_suffices(rate: float, confidence: float) -> None:
    k = stats.comparisons_needed(rate, confidence)
    assert (1 - rate) ** k <= 1 - confidence + 1e-9
    assert k == 1 or (1 - rate) ** (k - 1) > 1 - confidence - 1e-9


@pytest.mark.parametrize("rate", [0, -1, 1.5])
def test_a_rate_out_of_range_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        stats.comparisons_needed(rate, 0.95)


# Upper one-sided Clopper-Pearson bounds: scipy.stats.beta.ppf(0.95, k + 1, n - k).
@pytest.mark.parametrize(
    ("k", "n", "bound"),
    [
        (0, 5, 0.450719728),
        (0, 1, 0.95),
        (1, 5, 0.657408318),
        (3, 10, 0.606624216),
        (10, 100, 0.163717623),
        (2380, 2400, 0.994470598),
    ],
)
def test_bound_agrees_with_scipys_figures(k: int, n: int, bound: float) -> None:
    assert stats.divergence_bound(k, n) == pytest.approx(bound, abs=1e-6)


def test_bound_of_nothing_says_nothing() -> None:
    assert stats.divergence_bound(0, 0) == 1.0
    assert stats.divergence_bound(4, 4) == 1.0


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="can't be"):
        stats.divergence_bound(3, 2)


# Lower one-sided Clopper-Pearson bounds: scipy.stats.beta.ppf(0.05, k, n - k + 1).
@pytest.mark.parametrize(
    ("k", "n", "bound"),
    [(8, 8, 0.687656022), (5, 5, 0.549280272), (3, 5, 0.189255377), (0, 5, 0.0), (0, 0, 0.0)],
)
def test_floor_agrees_with_scipys_figures(k: int, n: int, bound: float) -> None:
    assert stats.divergence_floor(k, n) == pytest.approx(bound, abs=1e-6)


def luck(apart: int, seen: int, agreeing: int, steps: int = 20_000) -> float:
    """`chance_of_luck` by numbers: the rate's distribution, summed up over small steps."""
    total = agree = float(apart == seen)
    agree = 0.0 if agreeing else agree
    for step in range(steps):
        r = (step + 0.5) / steps
        seen_so = r**apart * (1 - r) ** (seen - apart)
        if apart == seen:
            # One of the runs may be the only one in which it did not act.
            seen_so = r ** (seen + 1) + (seen + 1) * r**seen * (1 - r)
        total += seen_so / steps
        agree += seen_so * (1 - r) ** agreeing / steps
    return agree / total


@pytest.mark.parametrize("agreeing", [0, 1, 2, 5])
@pytest.mark.parametrize(("apart", "seen"), [(0, 0), (1, 1), (3, 3), (1, 2), (2, 7)])
def test_chance_of_luck(apart: int, seen: int, agreeing: int) -> None:
    found = stats.chance_of_luck(apart, seen, agreeing)
    assert found == pytest.approx(luck(apart, seen, agreeing), abs=1e-5)


@given(st.floats(0, 20), st.floats(0, 20), st.integers(0, 30))
def test_more_agreement_is_less_likely_luck(apart: float, more: float, agreeing: int) -> None:
    seen = apart + more
    now = stats.chance_of_luck(apart, seen, agreeing)
    assert 0 <= stats.chance_of_luck(apart, seen, agreeing + 1) < now <= 1


def test_standard_deviation_is_the_samples() -> None:
    assert stats.standard_deviation([1.0, 2.0, 3.0, 4.0]) == pytest.approx(math.sqrt(5 / 3))
    assert stats.standard_deviation([1.0]) == 0.0
    assert stats.standard_deviation([1e200, 3e200]) == pytest.approx(math.sqrt(2) * 1e200)


@pytest.mark.parametrize(
    ("divergences", "comparisons", "agreeing", "ratio"),
    # (k + 1)(k + 2) / 2 for one of one, (k + 1)(k + 2)(k + 3) / 6 for two of two.
    [(1, 1, 5, 21), (2, 2, 5, 56), (0, 0, 0, 1), (1, 1, 0, 1)],
)
def test_evidence_ratio(divergences: int, comparisons: int, agreeing: int, ratio: float) -> None:
    found = stats.evidence_ratio(divergences, comparisons, agreeing)
    assert found == pytest.approx(ratio)


@given(st.integers(1, 8), st.integers(0, 8), st.floats(2, 1000))
def test_agreeing_needed_is_the_smallest(divergences: int, more: int, ratio: float) -> None:
    k = stats.agreeing_needed(divergences, divergences + more, ratio)
    assert stats.evidence_ratio(divergences, divergences + more, k) >= ratio
    assert stats.evidence_ratio(divergences, divergences + more, k - 1) < ratio


@pytest.mark.parametrize("runs", [2, 3, 8, 30, 500])
def test_fewer_outcomes_would_have_shown_a_repeat(runs: int) -> None:
    def alike(outcomes: int) -> float:
        return 1 - math.prod(max(0.0, 1 - i / outcomes) for i in range(runs))

    found = stats.fewest_outcomes(runs)
    assert found >= runs
    assert alike(found) < 0.95
    assert found == runs or alike(found - 1) >= 0.95


def test_one_run_says_nothing_of_the_number_of_outcomes() -> None:
    assert stats.fewest_outcomes(1) == 1
