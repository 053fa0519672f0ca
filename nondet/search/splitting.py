"""Where to split a group of factors that holds a cause, so that finding it costs the least."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

MOST = 64
"""Factors of a group whose ways to split are all looked at, which takes time by its third power."""


def keep(chances: Sequence[float], differing: float, agreeing: float, alone: bool) -> int:
    """How many factors to keep pinned, from the front; those behind them are let go.

    At least one of the group is a cause. `chances` holds how likely each is one, independently,
    the likeliest first. An answer that the rest's release parts the runs costs `differing`, one
    that it doesn't costs `agreeing`: the first means that the cause is in the rest, the second
    that it is among those kept. `alone`: nothing but the group and known causes is pinned, so that
    what agrees with one factor kept is a proof that is needed anyhow, and costs nothing more.
    """
    bundles = _bundles(chances) if len(chances) > MOST else [[chance] for chance in chances]
    rounded = tuple(round(_one_of(bundle), 3) for bundle in bundles)
    alone = alone and len(bundles[0]) == 1
    kept = _plan(rounded, round(differing, 1), round(agreeing, 1), alone)
    return sum(len(bundle) for bundle in bundles[:kept])


def _bundles(chances: Sequence[float]) -> list[list[float]]:
    """Neighbours put together that are no likelier than an even share, at most twice MOST of them:
    between these a group is not split as long as it is so large."""
    share = math.fsum(chances) / MOST
    found: list[list[float]] = [[]]
    for chance in chances:
        if found[-1] and math.fsum(found[-1]) + chance > share:
            found.append([])
        found[-1].append(chance)
    return found


def _one_of(chances: Sequence[float]) -> float:
    """Probability that at least one of them is a cause."""
    return chances[0] if len(chances) == 1 else 1 - math.prod(1 - c for c in chances)


@functools.lru_cache(maxsize=20_000)
def _plan(chances: tuple[float, ...], differing: float, agreeing: float, alone: bool) -> int:
    """The least expected cost over all ways to split, from the shortest stretches up."""
    size = len(chances)
    innocent = [1.0]
    for chance in chances:
        innocent.append(innocent[-1] * (1 - min(chance, 0.99)))
    cost = [[0.0] * (size + 1) for _ in range(size + 1)]
    best = 1
    for length in range(2, size + 1):
        for start in range(size - length + 1):
            end = start + length
            guilty = 1 - innocent[end] / innocent[start]
            least = float("inf")
            for middle in range(start + 1, end):
                part = (1 - innocent[end] / innocent[middle]) / guilty if guilty > 0 else 0.5
                free = alone and start == 0 and middle == 1
                spent = part * (differing + cost[middle][end])
                spent += (1 - part) * ((0.0 if free else agreeing) + cost[start][middle])
                if spent < least - 1e-12:
                    least = spent
                    if length == size:
                        best = middle
            cost[start][end] = least
    return best
