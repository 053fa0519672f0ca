"""The step where runs part, tensor by tensor: packed for the page's drawing, and as a table."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

from nondet.record import Moment, Zoom
from nondet.report.page import moments

ROWS = 200
"""Most moments in a table."""

LEAD = 20
"""Of these, how many stand before the first that differs."""

STRETCHES = 12
"""Most stretches of one phase that are drawn apart. Where phases take turns more often, all moments
of a phase are drawn together."""

PHASES = {
    "state": "state",
    "batch": "batch",
    "forward": "forward",
    "loss": "loss",
    "gradient": "gradients",
    "update": "updates",
}
"""Every phase in the order of a step, and its label."""


@dataclasses.dataclass(frozen=True)
class Table:
    """Moments of the step shown, in the order of execution, cut to ROWS."""

    rows: list[tuple[int, Moment]]
    """Place in the step, from 1 on, and moment."""
    left_out: str


def pack(zoom: Zoom) -> dict[str, object]:
    """What the page's script draws: the moments' names, and stretches of one phase in order.

    `facts` and `layers` hold every text once, `fact` and `layer` a place in them for each moment.
    """
    stretches = _stretches(zoom.moments)
    order = [place for _, places in stretches for place in places]
    found = [zoom.moments[place] for place in order]
    start = moments.first(zoom.moments)
    facts, fact = _once([moments.facts(moment) for moment in found])
    layers, layer = _once([moment.layer for moment in found])
    return {
        "names": [_plain(moments.called(moment)) for moment in found],
        "facts": facts,
        "fact": fact,
        "layers": layers,
        "layer": layer,
        "differs": [int(moment.differs) for moment in found],
        "first": None if start is None else order.index(start),
        "stretches": [
            {"label": PHASES[phase], "note": note(zoom.moments, places), "count": len(places)}
            for phase, places in stretches
        ],
    }


def counts(zoom: Zoom) -> str:
    """How much of each phase differs, for those who do not see the drawing."""
    return "; ".join(
        f"{PHASES[phase]}: {note(zoom.moments, places)}"
        for phase, places in _stretches(zoom.moments)
    )


def table(zoom: Zoom) -> Table:
    """The moments of the step shown, or those around the first that differs."""
    count = len(zoom.moments)
    start = max(0, min((moments.first(zoom.moments) or 0) - LEAD, count - ROWS))
    rows = list(enumerate(zoom.moments, 1))[start : start + ROWS]
    left_out = (
        f"This table shows {len(rows)} of {count} tensors, around the first that differs; "
        "the record holds all."
    )
    return Table(rows, left_out if len(rows) < count else "")


def _stretches(found: Sequence[Moment]) -> list[tuple[str, list[int]]]:
    """Phases with the places of their moments, as they follow one another."""
    places = range(len(found))
    told = [
        (str(phase), list(group))
        for phase, group in itertools.groupby(places, lambda place: found[place].phase)
    ]
    if len(told) <= STRETCHES:
        return told
    whole = {phase: [place for place in places if found[place].phase == phase] for phase in PHASES}
    return [(phase, group) for phase, group in whole.items() if group]


def note(found: Sequence[Moment], places: Sequence[int]) -> str:
    """How many of the moments at these places differ."""
    differing = sum(found[place].differs for place in places)
    if differing:
        return f"{differing} of {len(places)} differ" if len(places) > 1 else "differs"
    return "same bits"


def _once(texts: Sequence[str]) -> tuple[list[str], list[int]]:
    """Every text once, and each one's place among them."""
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    return list(places), [places[text] for text in texts]


def _plain(name: str) -> str:
    """A name as a label has it: no article, no backticks."""
    text = name.removeprefix("the ").replace("`", "")
    return text[:1].upper() + text[1:]
