from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from nondet.search.splitting import keep

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
