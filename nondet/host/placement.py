"""On which GPU a trial runs: a function of what there is and what runs, and nothing else.

A trial that runs alone sees the GPUs that the user's environment shows, whichever these are. Where
trials are to run side by side, each sees one GPU, a free one first; where all are taken, one that
has the memory left that a trial was seen to need.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

VARIABLE = "CUDA_VISIBLE_DEVICES"
ORDER = "CUDA_DEVICE_ORDER"
SPARE = 1.1
"""How much more than a trial was seen to need must be free."""
AS_IT_IS = ""
"""Stands for the place of a trial that sees what the user's environment shows."""


@dataclasses.dataclass(frozen=True)
class Room:
    """A GPU, or an instance of one, that a trial can have for itself."""

    uuid: str
    name: str
    free: int | None = None
    """Bytes; None where the driver does not say."""


def hidden(environ: Mapping[str, str]) -> bool:
    """Whether a process with this environment sees no GPU at all."""
    return environ.get(VARIABLE, "all").strip() in ("", "-1", "NoDevFiles")


def visible(environ: Mapping[str, str], rooms: Sequence[Room]) -> tuple[Room, ...] | None:
    """The GPUs that CUDA shows a process with this environment, in CUDA's order; None where that
    can't be told: CUDA numbers GPUs of several kinds by their speed, and the driver does not."""
    if hidden(environ):
        return ()
    given = environ.get(VARIABLE)
    if given is None:
        return tuple(rooms)
    alike = len({room.name for room in rooms}) < 2 or environ.get(ORDER) == "PCI_BUS_ID"
    found: list[Room] = []
    for text in given.split(","):
        name = text.strip()
        if name.isdecimal():
            if not alike:
                return None
            chosen = rooms[int(name) : int(name) + 1]
        else:
            chosen = [room for room in rooms if name and room.uuid.startswith(name)]
        # CUDA ignores what stands after the first that it does not know.
        if len(chosen) != 1 or chosen[0] in found:
            break
        found += chosen
    return tuple(found)


def choose(
    environ: Mapping[str, str],
    rooms: Sequence[Room],
    running: Sequence[str],
    need: int | None,
    apart: bool,
) -> str | None:
    """Where the next trial runs: the UUID of its GPU, or `AS_IT_IS`; None when it has to wait.

    `running`: the places of the trials that run. `need`: bytes that a trial was seen to take on a
    GPU; None before that is known. `apart`: whether trials are to run side by side.
    """
    if hidden(environ) or (not running and not apart):
        return AS_IT_IS
    shown = visible(environ, rooms) if apart else None
    if not shown:
        return None if running else AS_IT_IS
    if len(shown) == 1:
        # As the user has it: naming the one there is would change nothing but the name.
        return AS_IT_IS if not running or fits(shown[0], need) else None
    if AS_IT_IS in running:
        return None
    for room in shown:
        if room.uuid not in running:
            return room.uuid
    fitting = [room for room in shown if fits(room, need)]
    fewest = min(fitting, key=lambda room: running.count(room.uuid), default=None)
    return fewest.uuid if fewest is not None else None


def fits(room: Room, need: int | None) -> bool:
    return need is not None and room.free is not None and room.free >= need * SPARE
