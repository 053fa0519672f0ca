"""How a quantity grows with a size, and what it comes to where it was not measured."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

Kind = str
"""``time`` in seconds, ``bytes`` or ``count``."""

FITTED = 3
"""The largest sizes that the growth is taken from: at the smallest, fixed costs hide it."""


@dataclasses.dataclass(frozen=True)
class Growth:
    """A power law through the largest sizes, anchored at the largest one."""

    largest: float
    value: float
    """There."""
    exponent: float

    def at(self, size: float) -> float:
        return float(self.value * (size / self.largest) ** self.exponent)

    def reaches(self, budget: float) -> float:
        """The size from which on it is more than that; infinite when it does not grow."""
        if self.exponent <= 0.01 or not self.value:
            return math.inf
        try:
            return float(self.largest * (budget / self.value) ** (1 / self.exponent))
        except OverflowError:
            return math.inf


def growth(found: Mapping[int, float]) -> Growth:
    """The least squares of logarithms. Values of 0 are taken for the smallest that is not."""
    sizes = sorted(found)[-FITTED:]
    least = min((value for value in found.values() if value > 0), default=1.0)
    xs = [math.log(size) for size in sizes]
    ys = [math.log(max(found[size], least)) for size in sizes]
    if len(sizes) < 2:
        return Growth(sizes[-1], found[sizes[-1]], 0.0)
    x, y = math.fsum(xs) / len(xs), math.fsum(ys) / len(ys)
    above = math.fsum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True))
    return Growth(sizes[-1], found[sizes[-1]], above / math.fsum((a - x) ** 2 for a in xs))


SECONDS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
BYTES = (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0))


def shown(value: float, kind: Kind) -> str:
    """With two digits, in the unit that suits: ``3.1 ms``, ``420 GB``, ``32``."""
    if kind == "count":
        return rounded(value)
    units = SECONDS if kind == "time" else BYTES
    if value < units[-1][1]:
        return f"0 {units[-1][0]}"
    unit, scale = next(pair for pair in units if value >= pair[1])
    return f"{rounded(value / scale)} {unit}"


def rounded(value: float) -> str:
    """With two digits, or all before the point."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def power(size: float) -> str:
    """A size in words: ``1,000``, ``10^11``."""
    digits = math.log10(size)
    exact = abs(digits - round(digits)) < 1e-9
    return f"10^{round(digits)}" if size >= 1e5 and exact else f"{size:,.0f}"
