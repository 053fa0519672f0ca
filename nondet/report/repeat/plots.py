"""Plots as inline SVG, each a function of numbers. They hold no text of the subject's.

Widths are in percent and heights in pixels, so that a plot fits any page and its text keeps its
size. Colours come from the page's style sheet, by class.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from markupsafe import Markup

from nondet.repetition import Summary
from nondet.report.page import words

LEFT, RIGHT = 2.0, 98.0
"""Percent of the width between which values lie."""
BINS = 72
"""Columns that dots are piled up in."""
DOT = 3.5
STEP = 7.0
HIGHEST = 84.0
"""Pixels that the highest pile may take; higher ones are pressed together."""
BOX = 26.0
"""Pixels below the dots, for the box."""
AXIS = 24.0
LARGEST = 1e300
"""Values further apart than this are not drawn: an axis could go beyond what a float can hold."""


@dataclasses.dataclass(frozen=True)
class Scale:
    """From values to percent of the width. `low` and `high` differ."""

    low: float
    high: float

    def at(self, value: float) -> float:
        part = (value - self.low) / (self.high - self.low)
        return LEFT + (RIGHT - LEFT) * min(1.0, max(0.0, part))


def scale(values: Sequence[float]) -> Scale | None:
    """The scale of finite values; None for none. Equal ones stand in the middle."""
    if not values:
        return None
    low, high = min(values), max(values)
    if low == high:
        room = abs(low) * 0.01 or 1.0
        low, high = low - room, high + room
    return Scale(low, high) if low < high and high - low < LARGEST else None


def distribution(
    values: Sequence[float], summary: Summary, shared: Scale | None = None, *, axis: bool = True
) -> Markup:
    """A dot for each value, piled up where they are close; below them the box of the quartiles,
    its whiskers at the 5th and the 95th percentile, and the mean with its interval.

    `shared`: the scale of other distributions beside it. Empty where there is nothing to draw.
    """
    found = shared or scale(values)
    if found is None or not values:
        return Markup("")
    piles: dict[int, int] = {}
    places = []
    for value in sorted(values):
        column = round((found.at(value) - LEFT) / (RIGHT - LEFT) * BINS)
        piles[column] = piles.get(column, 0) + 1
        places.append((found.at(value), piles[column] - 1))
    step = min(STEP, HIGHEST / max(piles.values()))
    floor = max(piles.values()) * step + DOT
    parts = [
        _tag("circle", "dot", cx=_percent(x), cy=_pixels(floor - place * step), r=DOT)
        for x, place in places
    ]
    middle = floor + BOX / 2 + 4
    parts += _box(summary, found, middle)
    height = middle + BOX / 2
    if axis:
        parts += _axis(found, height)
        height += AXIS
    return _svg(parts, height)


def _box(summary: Summary, found: Scale, middle: float) -> list[Markup]:
    points = summary.percentiles
    if not points:
        return []
    at = {name: found.at(value) for name, value in points.items()}
    parts = [
        _line("whisker", at["5"], middle, at["95"], middle),
        *(_line("whisker", at[end], middle - 5, at[end], middle + 5) for end in ("5", "95")),
        _tag(
            "rect",
            "box",
            x=_percent(at["25"]),
            y=_pixels(middle - 8),
            width=_percent(max(0.15, at["75"] - at["25"])),
            height=16,
        ),
        _line("median", at["50"], middle - 8, at["50"], middle + 8),
    ]
    if summary.mean is not None:
        x = found.at(summary.mean)
        if summary.mean_interval is not None:
            ends = [found.at(summary.mean_interval.low), found.at(summary.mean_interval.high)]
            parts.append(_line("mean-interval", ends[0], middle, ends[1], middle))
        parts.append(_tag("circle", "mean", cx=_percent(x), cy=_pixels(middle), r=3.5))
    return parts


def _axis(found: Scale, top: float) -> list[Markup]:
    ticks = nice(found.low, found.high)
    parts = [_line("axis", LEFT, top, RIGHT, top)]
    for place, (value, text) in enumerate(ticks):
        x = found.at(value)
        parts.append(_line("axis", x, top, x, top + 4))
        anchor = "start" if x < 12 else "end" if x > 88 else "middle"
        # On a narrow page only every second label has room.
        kind = "tick" if place % 2 == 0 else "tick between"
        text_tag = Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>')
        parts.append(text_tag.format(kind, _percent(x), _pixels(top + 17), anchor, text))
    return parts


def axis(found: Scale | None) -> Markup:
    """The axis alone, below several plots of one scale."""
    return Markup("") if found is None else _svg(_axis(found, 1.0), AXIS)


def nice(low: float, high: float, most: int = 5) -> list[tuple[float, str]]:
    """Round values between two ends, at most about `most`, each with its label.

    Where labels would need more digits than anyone reads, they tell the distance from the first.
    """
    span = high - low
    power = 10.0 ** math.floor(math.log10(span / most)) if span / most > 1e-300 else span
    step = next((f * power for f in (1, 2, 5, 10) if span / (f * power) <= most), span)
    first = math.ceil(low / step - 1e-9)
    values = [
        (first + i) * step for i in range(most + 2) if (first + i) * step <= high + step / 1e6
    ]
    if not values:
        return []
    largest = max(abs(value) for value in values) or 1.0
    places = math.ceil(math.log10(largest) - math.log10(step)) + 1 if step else 1
    if places > 7:
        base = values[0]
        return [
            (v, words.number(v, 6) if v == base else f"+{words.number(v - base, 2)}")
            for v in values
        ]
    return [(v, words.number(0.0 if abs(v) < step / 2 else v, max(2, places))) for v in values]


def bars(sizes: Sequence[int]) -> list[float]:
    """Widths of bars, in percent of the widest."""
    return [100 * size / max(sizes) for size in sizes]


def share_scale(ends: Sequence[float]) -> Scale:
    """From nothing up to the whole, or beyond where an interval goes further."""
    return Scale(0.0, max([1.0, *ends]))


def share(part: float, low: float | None, high: float | None, found: Scale) -> Markup:
    """A bar for a share, with the whiskers of its interval; a line marks the whole."""
    zero, x = found.at(0.0), found.at(part)
    parts = [
        _line("whole", found.at(1.0), 0, found.at(1.0), 26),
        _tag("rect", "share", x=_percent(zero), y=5, width=_percent(x - zero), height=16),
    ]
    if low is not None and high is not None:
        a, b = found.at(low), found.at(high)
        parts += [
            _line("spread", a, 13, b, 13),
            _line("spread", a, 8, a, 18),
            _line("spread", b, 8, b, 18),
        ]
    return _svg(parts, 26)


def _svg(parts: Sequence[Markup], height: float) -> Markup:
    # What it shows is in a table beside it as well.
    head = Markup(
        '<svg class="plot" width="100%" height="{}" aria-hidden="true" focusable="false">'
    )
    return head.format(_pixels(height)) + Markup("").join(parts) + Markup("</svg>")


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return _tag("line", kind, x1=_percent(x1), y1=_pixels(y1), x2=_percent(x2), y2=_pixels(y2))


def _tag(name: str, kind: str, **attributes: object) -> Markup:
    given = Markup("").join(Markup(' {}="{}"').format(k, v) for k, v in attributes.items())
    return Markup('<{} class="{}"{}/>').format(name, kind, given)


def _percent(value: float) -> str:
    return f"{value:.2f}%"


def _pixels(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
