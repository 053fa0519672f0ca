from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from nondet.search.splitting import MOST, keep

CHANCES = st.lists(st.floats(0.01, 0.9), min_size=2, max_size=7).map(
    lambda found: sorted((round(chance, 2) for chance in found), reverse=True)
)


def cost(
    chances: Sequence[float], differing: float, agreeing: float, alone: bool, first: int = 0
) -> float:
    """Expected cost of the cheapest search, or of one that keeps `first` to begin with."""
    if len(chances) == 1:
        return 0.0

    def guilty(part: Sequence[float]) -> float:
        return 1 - math.prod(1 - chance for chance in part)

    def of(middle: int) -> float:
        kept, rest = chances[:middle], chances[middle:]
        parts = guilty(rest) / guilty(chances)
        free = alone and middle == 1
        return parts * (differing + cost(rest, differing, agreeing, False)) + (1 - parts) * (
            (0.0 if free else agreeing) + cost(kept, differing, agreeing, alone)
        )

    return of(first) if first else min(of(middle) for middle in range(1, len(chances)))


@given(CHANCES, st.sampled_from([0.2, 1.0, 3.0]), st.sampled_from([1.0, 2.0, 6.0]), st.booleans())
def test_no_other_split_is_cheaper(
    chances: list[float], differing: float, agreeing: float, alone: bool
) -> None:
    kept = keep(chances, differing, agreeing, alone)
    assert 1 <= kept < len(chances)
    chosen = cost(chances, differing, agreeing, alone, kept)
    assert math.isclose(chosen, cost(chances, differing, agreeing, alone), abs_tol=1e-9)


def test_where_parting_costs_little_most_are_let_go() -> None:
    equal = [0.075] * 16
    assert keep(equal, 0.1, 2.0, False) < keep(equal, 2.0, 2.0, False)
    assert keep(equal, 2.0, 2.0, False) < keep(equal, 2.0, 0.2, False)


@settings(max_examples=12)
@given(
    st.lists(st.floats(0.0001, 0.9), min_size=MOST + 1, max_size=4 * MOST),
    st.sampled_from([0.2, 1.0, 3.0]),
    st.booleans(),
)
def test_a_large_group_is_split(chances: list[float], differing: float, alone: bool) -> None:
    assert 1 <= keep(sorted(chances, reverse=True), differing, 1.0, alone) < len(chances)


def test_a_large_group_is_split_where_a_small_one_of_the_kind_is() -> None:
    few, many = [1.2 / MOST] * MOST, [0.12 / MOST] * (10 * MOST)
    for differing in (0.2, 1.0, 3.0):
        small, large = (keep(group, differing, 1.0, False) for group in (few, many))
        assert abs(large / len(many) - small / len(few)) <= 2 / MOST


def test_what_is_likely_is_told_apart_among_many_that_are_not() -> None:
    chances = [0.4, 0.4, 0.4] + [0.0001] * 1000
    assert keep(chances, 1.0, 1.0, False) < 3
