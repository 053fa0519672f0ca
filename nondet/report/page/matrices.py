"""Differences for the page: packed for the charts, and cut to a readable size for the tables."""

from __future__ import annotations

import base64
import dataclasses
import math
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nondet.record import Differences

ROWS, COLUMNS = 100, 40
"""Most tensors and checkpoints shown in a table; the rest is named as left out."""

EXACT_CELLS = 20_000
"""Up to this many cells a chart gets 16 bits a cell (under 0.1 % off), above it 8 bits."""

UNITS = {"rel": "relative", "ulp": "ULP", "abs": "absolute", "share": "share of elements"}
"""What is measured between two tensors: three distances, and how many elements differ."""

Matrix = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Table:
    """A Differences in one unit, cut to at most ROWS x COLUMNS."""

    title: str
    """``relative distances``."""
    cell: str
    """What a number in it is."""
    columns: list[str]
    rows: list[tuple[str, list[str]]]
    """Tensor path and one text a checkpoint: a number, ``=`` (bits equal) or ``differs``."""
    left_out: str


def pack(differences: Differences) -> dict[str, object]:
    """What the page's scripts draw: names, and every measured unit as compressed codes.

    A code is 0 where bits are equal, the highest where they differ by an unknown amount, and
    between them the logarithm of the difference, in equal steps from `low` to `high`.
    """
    differs = _flags(differences)
    bits = 16 if differs.size <= EXACT_CELLS else 8
    units = {}
    for unit in UNITS:
        scale = _pack_unit(_values(differences, unit), differs, bits)
        if scale["measured"]:
            units[unit] = scale
    if not units and differs.any():
        units["abs"] = _pack_unit(_values(differences, "abs"), differs, bits)
    return {
        "tensors": list(differences.tensors),
        "checkpoints": list(differences.checkpoints),
        "parting": parting(differences),
        "bits": bits,
        "units": units,
    }


def compressed(codes: bytes) -> str:
    """As the page's scripts read it: deflate, then base64."""
    return base64.b64encode(zlib.compress(codes, 9)).decode()


def parting(differences: Differences) -> int | None:
    """Index of the first checkpoint at which any tensor differs."""
    columns = np.flatnonzero(_flags(differences).any(axis=0))
    return int(columns[0]) if columns.size else None


def units(differences: Differences) -> list[tuple[str, str]]:
    """Units in which something was measured: (key, label), the preferred one first."""
    return [
        (unit, label)
        for unit, label in UNITS.items()
        if np.isfinite(_values(differences, unit)[_flags(differences)]).any()
    ]


def tables(differences: Differences) -> list[Table]:
    """One table a measured unit; a single one of equal and differing cells when there is none."""
    rows, columns = _chosen(differences)
    return [
        _table(differences, unit, label, rows, columns)
        for unit, label in units(differences) or [("abs", "absolute")]
    ]


def _flags(differences: Differences) -> NDArray[np.bool_]:
    shape = (len(differences.tensors), len(differences.checkpoints))
    return np.array(differences.differs, dtype=bool).reshape(shape)


def _values(differences: Differences, unit: str) -> Matrix:
    """As floats, NaN where a cell is None."""
    shape = (len(differences.tensors), len(differences.checkpoints))
    return np.array(_matrix(differences, unit), dtype=np.float64).reshape(shape)


def _matrix(differences: Differences, unit: str) -> Sequence[Sequence[float | None]]:
    """Rows of numbers, of None where nothing was measured."""
    if unit != "share":
        found: Sequence[Sequence[float | None]] = getattr(differences, f"max_{unit}")
        return found
    nothing = ((None,) * len(differences.checkpoints),) * len(differences.tensors)
    return differences.share or nothing


def _pack_unit(values: Matrix, differs: NDArray[np.bool_], bits: int) -> dict[str, object]:
    top = 2**bits - 1
    measured = differs & np.isfinite(values) & (values > 0)
    low, high = (
        (float(values[measured].min()), float(values[measured].max()))
        if measured.any()
        else (1.0, 1.0)
    )
    codes = np.where(differs, top, 0).astype(np.uint16 if bits == 16 else np.uint8)
    span = math.log10(high) - math.log10(low)
    logs = np.log10(values[measured]) - math.log10(low)
    codes[measured] = 1 + np.rint(logs / span * (top - 2) if span else logs * 0)
    # Bits may differ while the numbers don't: -0.0 and 0.0, or the payload of a NaN.
    codes[differs & (values == 0)] = 1
    data = compressed(codes.astype(codes.dtype.newbyteorder("<")).tobytes())
    return {"low": low, "high": high, "data": data, "measured": bool(measured.any())}


def _chosen(differences: Differences) -> tuple[list[int], list[int]]:
    """Rows and columns of the tables: differing tensors first, moments around the parting."""
    rows = list(range(len(differences.tensors)))
    if len(rows) > ROWS:
        rows = sorted(sorted(rows, key=lambda row: not any(differences.differs[row]))[:ROWS])
    count = len(differences.checkpoints)
    if count <= COLUMNS:
        return rows, list(range(count))
    start = max(0, min((parting(differences) or 0) - 1, count - COLUMNS))
    near = range(start, start + COLUMNS // 2)
    far = np.linspace(near.stop, count - 1, COLUMNS - len(near)).round().astype(int).tolist()
    return rows, sorted({*near, *far})


def _table(
    differences: Differences, unit: str, label: str, rows: Sequence[int], columns: Sequence[int]
) -> Table:
    matrix = _matrix(differences, unit)
    share = unit == "share"
    return Table(
        title="shares of elements" if share else f"{label} distances",
        cell="the share of the elements whose bits differ"
        if share
        else "the largest distance between any two elements",
        columns=[differences.checkpoints[column] for column in columns],
        rows=[
            (
                differences.tensors[row],
                [
                    _cell(matrix[row][column], differences.differs[row][column])
                    for column in columns
                ],
            )
            for row in rows
        ],
        left_out=_left_out(differences, len(rows), len(columns)),
    )


def _cell(value: float | None, differs: bool) -> str:
    if not differs:
        return "="
    if value is None or not math.isfinite(value):
        return "differs"
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _left_out(differences: Differences, rows: int, columns: int) -> str:
    parts = []
    if rows < len(differences.tensors):
        parts.append(
            f"{rows} of {len(differences.tensors)} tensors (first of all those that differ)"
        )
    if columns < len(differences.checkpoints):
        parts.append(
            f"{columns} of {len(differences.checkpoints)} checkpoints (all around the parting, "
            "then evenly spaced)"
        )
    return f"This table shows {' and '.join(parts)}; the record holds all." if parts else ""
