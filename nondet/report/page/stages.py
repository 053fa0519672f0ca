"""From initial weights to weights: what agrees and what differs at the moment of parting."""

from __future__ import annotations

import dataclasses

from nondet.record import Diagnosis, Divergence, Zoom
from nondet.report.page import timeline, words

INSIDE = {
    "state": "Seeds' state",
    "batch": "Batch",
    "forward": "Forward",
    "loss": "Loss",
    "gradient": "Gradients",
    "update": "Updates",
}
"""What happens inside a step, between the weights before it and those after."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """One station on the way from initial weights to weights."""

    label: str
    note: str
    tone: str
    """``same``, ``first`` (the first that differs), ``after`` (differs as well) or ``unknown``."""


def of(diagnosis: Diagnosis) -> list[Stage]:
    """The way to where runs part; empty where they don't, or part outside of a model."""
    found = diagnosis.first_divergence
    if found is None or found.checkpoint in ("fit", "end", "user"):
        return []
    start = found.checkpoint == "init"
    zoom = None if start else _zoom(diagnosis, found)
    told: list[tuple[str, str, bool | None]] = [
        ("Initial weights", _count(found) if start else "same bits", start)
    ]
    for phase, label in INSIDE.items():
        places = [n for n, one in enumerate(zoom.moments) if one.phase == phase] if zoom else []
        if zoom and places:
            differs = any(zoom.moments[place].differs for place in places)
            told.append((label, timeline.note(zoom.moments, places), differs))
        elif phase != "state":
            missing = "not recorded" if zoom else "not looked into"
            told.append((label, "comes after that" if start else missing, None))
    told.append(("Weights", "differ from the start on" if start else _end(found, zoom), True))
    first = next(place for place, (_, _, differs) in enumerate(told) if differs)
    return [
        Stage(label, note, _tone(differs, place == first))
        for place, (label, note, differs) in enumerate(told)
    ]


def _tone(differs: bool | None, first: bool) -> str:
    if differs is None:
        return "unknown"
    return ("first" if first else "after") if differs else "same"


def _zoom(diagnosis: Diagnosis, found: Divergence) -> Zoom | None:
    """The look inside the step where runs part: the earliest one, where there are several.

    A race strikes at another step in each pair of runs. Among several causes, though, a later step
    may be where another of them acts.
    """
    near = [
        zoom
        for zoom in diagnosis.zooms
        if zoom.moments and (zoom.step <= found.step or len(diagnosis.causes) < 2)
    ]
    return min(near, key=lambda zoom: zoom.step, default=None)


def _end(found: Divergence, zoom: Zoom | None) -> str:
    """What is known of the weights where runs part."""
    if zoom is not None:
        return f"differ after step {zoom.step}"
    if found.kind != "weights":
        return f"differ {words.moment(found)}"
    return f"{_count(found)} {words.moment(found)}"


def _count(found: Divergence) -> str:
    if found.tensors > 1:
        return f"{found.tensors_differing} of {found.tensors} differ"
    return "differ"
