"""What a moment inside a step is called, and what is known of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nondet.record import Moment

ITS = "gradient of its "
"""Begins the name of a gradient that flows back through a layer, rather than to a weight."""

_CALL = re.compile(r", call (\d+)$")


def thing(moment: Moment) -> str:
    """Which tensor, name in backticks: ``the gradient of `conv2d_3/kernel```."""
    name, _ = named(moment)
    path = _path(moment.layer, name)
    if moment.phase == "state":
        seeds = "seed_generator" in path or moment.kind == "SeedGenerator"
        return f"the state of the seed generator `{path}`" if seeds else f"the state `{path}`"
    if name.startswith("input of "):
        return f"the input of `{name.removeprefix('input of ')}`"
    if moment.phase == "batch":
        return f"the batch `{name}`"
    if moment.phase == "loss":
        return "the loss" if name == "loss" else f"the loss `{name}`"
    if moment.phase == "forward":
        ends = name in ("input", "output") and moment.layer
        return f"the {name} of `{moment.layer}`" if ends else f"`{path}`"
    if moment.phase == "gradient":
        if name.startswith(ITS):
            return f"the gradient of the {name.removeprefix(ITS)} of `{moment.layer}`"
        return f"the gradient of `{path}`"
    return f"the update of `{path}`" if moment.layer else f"the optimizer's state `{path}`"


def called(moment: Moment) -> str:
    """Which tensor, and from which call of its layer: ``the output of `dense` (call 2)``."""
    _, call = named(moment)
    return f"{thing(moment)}{call and f' ({call})'}"


def named(moment: Moment) -> tuple[str, str]:
    """The tensor's name, and ``call 2`` where its layer is called more than once."""
    call = _CALL.search(moment.tensor)
    if call is None:
        return moment.tensor, ""
    return moment.tensor[: call.start()], f"call {call[1]}"


def facts(moment: Moment) -> str:
    """What is known beside its name: ``Conv2D, Conv2DBackpropFilter, float32, 3×3×16×32``."""
    return ", ".join(filter(None, (moment.kind, moment.op, moment.dtype, shape(moment))))


def spec(moment: Moment) -> str:
    """Operation, type and shape in brackets after a space; empty when nothing is known."""
    known = ", ".join(filter(None, (moment.op, moment.dtype, shape(moment))))
    return f" ({known})" if known else ""


def shape(moment: Moment) -> str:
    """``3×3×16×32``, with ``?`` for a side that is not known; empty when there is no tensor."""
    if not moment.shape:
        return "scalar" if moment.dtype else ""
    return "×".join("?" if side < 0 else str(side) for side in moment.shape)


def first(moments: Sequence[Moment]) -> int | None:
    """Place of the first moment that differs, from 0 on."""
    return next((place for place, moment in enumerate(moments) if moment.differs), None)


def _path(layer: str, name: str) -> str:
    return f"{layer}/{name}" if layer and not name.startswith(f"{layer}/") else name
