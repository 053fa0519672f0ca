"""Which tensors differ after which steps: packed for the page's heat map, and as a table."""

from __future__ import annotations

import dataclasses

from nondet.record import StepMap
from nondet.report.page import matrices

ROWS = 100
"""Most tensors in a table: those that differ first come first."""

_CODES = bytes.maketrans(b"01", b"\x00\xff")


@dataclasses.dataclass(frozen=True)
class Table:
    """From which step on each tensor differs."""

    rows: list[tuple[str, str, str]]
    """Tensor, first step after which it differs, and after how many of them it does."""
    left_out: str


def pack(found: StepMap) -> dict[str, object]:
    """What the page's scripts draw, in the form of `matrices.pack`: 255 where bits differ."""
    codes = "".join(found.differs).encode("ascii").translate(_CODES)
    scale = {"low": 1.0, "high": 1.0, "data": matrices.compressed(codes), "measured": False}
    return {
        "tensors": list(found.tensors),
        "checkpoints": [f"step {step}" for step in found.steps],
        "parting": parting(found),
        "bits": 8,
        "units": {"bits": scale},
    }


def parting(found: StepMap) -> int | None:
    """Place of the first step after which any tensor differs."""
    return min((start for start in _starts(found) if start >= 0), default=None)


def table(found: StepMap) -> Table:
    """Tensors in the order in which they come to differ."""
    starts = _starts(found)
    late = len(found.steps)
    order = sorted(range(len(starts)), key=lambda row: starts[row] if starts[row] >= 0 else late)
    rows = [
        (
            found.tensors[row],
            f"step {found.steps[starts[row]]}" if starts[row] >= 0 else "never",
            f"{found.differs[row].count('1')} of {late}",
        )
        for row in order[:ROWS]
    ]
    left_out = (
        f"This table shows {ROWS} of {len(order)} tensors, those that differ first; "
        "the record holds all."
    )
    return Table(rows, left_out if len(order) > ROWS else "")


def _starts(found: StepMap) -> list[int]:
    return [row.find("1") for row in found.differs]
