"""The host's side of the log of steps (guest/steps.py): read it, find where two of them part."""

from __future__ import annotations

import bisect
import dataclasses
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nondet.host import files

MAGIC = b"nd-steps"
VERSION = 1
HEADER = struct.Struct("<8sHHI")
RECORD = struct.Struct("<Q8s16sQII")
"""As the guest writes it (guest/steps.py)."""
RECORDS = np.dtype(
    [
        ("step", "<u8"),
        ("root", "<u8"),
        ("chain", "V16"),
        ("row", "<u8"),
        ("layout", "<u4"),
        ("tensors", "<u4"),
    ]
)
DIGEST_BYTES = 8
"""Of each tensor's digest, what a row holds."""
ROWS_LIMIT = 64 << 20
"""Bytes of a file of rows, which the guest keeps to."""
CHUNK = 1 << 14
"""Records taken at a time, so that memory stays bounded however long a log is."""


class Record(NamedTuple):
    """What is logged of one step."""

    step: int
    root: bytes
    """Hash of all tensors' digests."""
    chain: bytes
    """Hash of the chain before, the step and the root: equal where all so far is equal."""
    row: int
    """1 + the offset of the tensors' digests in the file of rows; 0 when they were not kept."""
    layout: int
    """Number of the layout event that names the tensors."""
    tensors: int


class StepTrace:
    """The log of one model's steps in a trial's folder, as far as it had come when last looked at.

    The trial may still be writing: a record that is not whole yet does not count, nor does a file
    that is not there yet. Nothing is kept open or in memory. What can't be a log, such as another
    version's, or steps that do not grow, raises ValueError when it is read.
    """

    def __init__(self, folder: Path, index: int) -> None:
        self.path = folder / f"steps-{index}.bin"
        self.rows_path = folder / f"rows-{index}.bin"
        self._length = 0
        self.method = 0
        """How its digests were made; those of two methods can't be compared."""
        self.refresh()

    def refresh(self) -> int:
        """Look again how far the log has come; the number of records."""
        try:
            with files.opened(self.path) as file:
                head = file.read(HEADER.size)
                size = os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            head, size = b"", 0
        if len(head) == HEADER.size:
            self._check(head)
            self._length = (size - HEADER.size) // RECORD.size
        elif MAGIC.startswith(head[: len(MAGIC)]):
            self._length = 0
        else:
            raise self._damaged(f"it begins with {head!r}")
        return self._length

    def _check(self, head: bytes) -> None:
        magic, version, self.method, size = HEADER.unpack(head)
        if magic != MAGIC:
            raise self._damaged(f"it begins with {magic!r}")
        if (version, size) != (VERSION, RECORD.size):
            raise ValueError(
                f"{self.path}: version {version} with records of {size} bytes; "
                f"this nondet reads version {VERSION} with {RECORD.size}"
            )

    def _damaged(self, what: str) -> ValueError:
        return ValueError(f"{self.path}: {what}; expected a log of steps, run the trial again")

    def __len__(self) -> int:
        return self._length

    @property
    def size(self) -> int:
        """Bytes that the log takes on disk."""
        return sum(p.stat().st_size for p in (self.path, self.rows_path) if p.exists())

    @property
    def last(self) -> int:
        """The last step logged; 0 when there is none."""
        return self.record(len(self) - 1).step if len(self) else 0

    def record(self, i: int) -> Record:
        """The record at that place. Raises IndexError from the end on."""
        if not 0 <= i < self._length:
            raise IndexError(f"record {i} of {self._length}")
        with files.opened(self.path) as file:
            data = os.pread(file.fileno(), RECORD.size, HEADER.size + i * RECORD.size)
        if len(data) < RECORD.size:
            raise self._damaged(f"it has lost record {i}")
        return Record._make(RECORD.unpack(data))

    def has(self, step: int) -> bool:
        """Whether that step was logged."""
        place = bisect.bisect_left(range(len(self)), step, key=lambda i: self.record(i).step)
        return place < len(self) and self.record(place).step == step

    def records(self, start: int = 0, stop: int | None = None) -> NDArray[np.void]:
        """Records as an array of RECORDS, from place `start` to before `stop`."""
        stop = self._length if stop is None else min(stop, self._length)
        if start >= stop:
            return np.empty(0, RECORDS)
        # From the one before on, to see that the steps grow.
        first = max(0, start - 1)
        offset = HEADER.size + first * RECORD.size
        with files.opened(self.path) as file:
            found: NDArray[np.void] = np.fromfile(file, RECORDS, stop - first, offset=offset)
        if len(found) < stop - first:
            raise self._damaged(f"it has lost record {first + len(found)}")
        before, after = found["step"][:-1], found["step"][1:]
        if (wrong := np.flatnonzero(after <= before)).size:
            i = int(wrong[0])
            raise self._damaged(f"step {after[i]} comes after step {before[i]}")
        return found[start - first :]

    def chunks(self) -> Iterator[NDArray[np.void]]:
        """All records, some at a time."""
        for start in range(0, self._length, CHUNK):
            yield self.records(start, start + CHUNK)

    @property
    def steps(self) -> NDArray[np.uint64]:
        """The steps of all records, which grow."""
        parts = [np.empty(0, np.uint64)] + [chunk["step"] for chunk in self.chunks()]
        return np.concatenate(parts)

    def row(self, i: int) -> tuple[bytes, ...] | None:
        """The first 8 bytes of each tensor's digest; None when they were not kept."""
        record = self.record(i)
        digests = self.digests(record.row, record.tensors)
        return None if digests is None else tuple(digest.tobytes() for digest in digests)

    def digests(self, row: int, tensors: int) -> NDArray[np.uint64] | None:
        """The row that a record's `row` and `tensors` name; None when it was not kept."""
        if row == 0:
            return None
        offset, size = row - 1, DIGEST_BYTES * tensors
        try:
            with files.opened(self.rows_path) as file:
                if offset + size <= min(ROWS_LIMIT, os.fstat(file.fileno()).st_size):
                    return np.frombuffer(os.pread(file.fileno(), size, offset), "<u8")
        except (FileNotFoundError, files.NotData):
            pass
        raise ValueError(
            f"{self.rows_path}: it has lost the row of {size} bytes from byte {offset} on; "
            "run the trial again"
        )


@dataclasses.dataclass(frozen=True)
class Parting:
    """Where two logs differ first: at the first step recorded in both at which the roots differ."""

    step: int
    before: int
    """The last step before it that both recorded, and agree on; 0 when there is none."""
    tensor: int | None
    """Place in the layout of the first tensor that differs; None when rows can't tell: not kept on
    both sides, or not of as many tensors."""
    differing: int
    """The number of tensors that differ; 0 when rows can't tell."""
    layout: int
    """Number of the first one's layout."""


class Comparison:
    """Follows two logs that may still grow.

    While both record the same steps, one equal chain shows that all up to there is equal, and the
    first different one is found by bisection. From the first step on that only one side has (their
    intervals differ), the roots of the steps that both have are compared, each once. A script that
    starts itself again begins its logs anew: that needs a new comparison.
    """

    def __init__(self, one: StepTrace, other: StepTrace) -> None:
        self.one = one
        self.other = other
        self._same_schedule = True
        # Records before these places have been compared, and agree.
        self._places = (0, 0)
        self._before = 0
        self._found: Parting | None = None

    def parting(self) -> Parting | None:
        """The first difference, as far as both traces had come at their last `refresh`.

        None throughout where their digests were made in two ways.
        """
        if self.one.method != self.other.method:
            return None
        if self._found is None and self._same_schedule:
            self._follow_chains()
        while self._found is None and not self._same_schedule and self._follow_roots():
            pass
        return self._found

    def _follow_chains(self) -> None:
        known, end = self._places[0], min(len(self.one), len(self.other))
        if end <= known:
            return
        if self._chained(end - 1):
            self._places = (end, end)
            return
        first, last = known, end - 1
        while first < last:
            middle = (first + last) // 2
            if self._chained(middle):
                first = middle + 1
            else:
                last = middle
        self._before = self.one.record(first - 1).step if first else 0
        self._places = (first, first)
        a, b = self.one.record(first), self.other.record(first)
        if a.step != b.step:
            self._same_schedule = False
        elif a.root != b.root:
            self._found = self._parting(first, first)
        else:
            raise ValueError(
                f"{self.one.path}, {self.other.path}: equal up to step {a.step}, but not their "
                "chains; one is damaged, run the trials again"
            )

    def _chained(self, i: int) -> bool:
        return self.one.record(i).chain == self.other.record(i).chain

    def _follow_roots(self) -> bool:
        """Compare the next steps; whether there may be more."""
        i, j = self._places
        if i >= len(self.one) or j >= len(self.other):
            return False
        a, b = self.one.records(i, i + CHUNK), self.other.records(j, j + CHUNK)
        reach = min(a["step"][-1], b["step"][-1])
        a = a[: np.searchsorted(a["step"], reach, "right")]
        b = b[: np.searchsorted(b["step"], reach, "right")]
        steps, in_a, in_b = common(a["step"], b["step"])
        apart = np.flatnonzero(a["root"][in_a] != b["root"][in_b])
        agreeing = steps[: apart[0]] if apart.size else steps
        if agreeing.size:
            self._before = int(agreeing[-1])
        if apart.size:
            first = apart[0]
            self._found = self._parting(i + int(in_a[first]), j + int(in_b[first]))
        self._places = (i + len(a), j + len(b))
        return True

    def _parting(self, i: int, j: int) -> Parting:
        a, b = self.one.record(i), self.other.record(j)
        differing = np.empty(0, np.intp)
        rows = self.one.digests(a.row, a.tensors), self.other.digests(b.row, b.tensors)
        if rows[0] is not None and rows[1] is not None and len(rows[0]) == len(rows[1]):
            differing = np.flatnonzero(rows[0] != rows[1])
        tensor = int(differing[0]) if differing.size else None
        return Parting(a.step, self._before, tensor, len(differing), a.layout)


def parting(one: StepTrace, other: StepTrace) -> Parting | None:
    """The first difference of two logs as far as both go; None when there is none."""
    return Comparison(one, other).parting()


def common(
    one: NDArray[np.uint64], other: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.intp], NDArray[np.intp]]:
    """The steps that both hold, and their places in each."""
    found: Any = np.intersect1d(one, other, assume_unique=True, return_indices=True)
    steps, in_one, in_other = found
    return steps, in_one, in_other


def differing_map(
    one: StepTrace, other: StepTrace, most_steps: int = 500
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Which tensors differ at which steps: the steps, and a map of shape (tensors, steps).

    Of the steps that have rows on both sides, and one layout of the first log throughout: the one
    at the parting, without a parting the last one. None where the digests were made in two ways.
    More than `most_steps` are thinned: half of them stand around the parting without a gap, the
    others are spread evenly.
    """
    a, b = _with_rows(one), _with_rows(other)
    if one.method != other.method:
        b = b[:0]
    _, in_a, in_b = common(a["step"], b["step"])
    a, b = a[in_a], b[in_b]
    alike = a["tensors"] == b["tensors"]
    a, b = a[alike], b[alike]
    if not len(a):
        return np.empty(0, np.uint64), np.zeros((0, 0), np.bool_)
    part = parting(one, other)
    chosen = a["layout"] == a["layout"][_place(a["step"], part)]
    a, b = a[chosen], b[chosen]
    kept = _thinned(len(a), _place(a["step"], part), most_steps)
    differing = [
        one.digests(int(x["row"]), int(x["tensors"]))
        != other.digests(int(y["row"]), int(y["tensors"]))
        for x, y in zip(a[kept], b[kept], strict=True)
    ]
    return a["step"][kept], np.array(differing, np.bool_).T


def _with_rows(trace: StepTrace) -> NDArray[np.void]:
    chunks = [chunk[chunk["row"] > 0] for chunk in trace.chunks()]
    return np.concatenate([np.empty(0, RECORDS), *chunks])


def _place(steps: NDArray[np.uint64], part: Parting | None) -> int:
    """That of the first step from the parting on; of the last step without one."""
    last = len(steps) - 1
    return last if part is None else min(int(np.searchsorted(steps, part.step)), last)


def _thinned(count: int, centre: int, most: int) -> NDArray[np.intp]:
    """At most so many of the places below `count`, which grow: those around the centre, and more.

    Before the parting all agrees, so most of the dense places come after it.
    """
    if count <= most:
        return np.arange(count)
    dense = (most + 1) // 2
    start = max(0, min(centre - dense // 4, count - dense))
    around = np.arange(start, start + dense)
    spread = np.linspace(0, count - 1, most - dense).astype(np.intp)
    return np.unique(np.concatenate([around, spread]))
