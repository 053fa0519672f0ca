"""What the logs of steps of a long training take: room on disk, time to write, time to compare.

``python -m tests.benchmarks.long_runs`` writes the logs of two runs of 1,000,000 steps and 1,000
tensors that part late, as well as one with every 8th step alone, and prints the figures in
Markdown. The digests are given: to make them is no part of it.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from nondet.guest.steps import StepLog
from nondet.host.steps import Record, StepTrace, differing_map, parting

T = TypeVar("T")
DIGEST_BYTES = 16
PERIOD = 997
"""Steps after which the digests come again; the tensors take theirs from as many places."""


class Counted(StepTrace):
    """Counts the records that are read one by one."""

    reads = 0

    def record(self, i: int) -> Record:
        self.reads += 1
        return super().record(i)


def digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).digest()


def write(
    folder: Path, index: int, steps: Iterable[int], tensors: int, parts: int
) -> tuple[float, float]:
    """Write a log whose last tensor is its own from step `parts` on; seconds, and those of CPU."""
    pool = [digest(f"tensor {i}") for i in range(tensors + PERIOD)]
    log = StepLog(str(folder), index)
    own = digest(f"log {index}")
    began, busy = time.perf_counter(), time.process_time()
    for step in steps:
        place = step % PERIOD
        digests = pool[place : place + tensors]
        if step >= parts:
            digests[-1] = own
        log.append(step, 1, digests)
    log.close()
    return time.perf_counter() - began, time.process_time() - busy


def timed(
    compare: Callable[[StepTrace, StepTrace], T], folder: Path, index: int
) -> tuple[T, float, int]:
    """What a comparison of the first log with another one finds, its seconds, and its reads."""
    one, other = Counted(folder, 0), Counted(folder, index)
    began = time.perf_counter()
    found = compare(one, other)
    return found, time.perf_counter() - began, one.reads + other.reads


def on_disk(folder: Path, index: int) -> tuple[int, int]:
    """Bytes of the records and of the rows of one log."""
    records, rows = folder / f"steps-{index}.bin", folder / f"rows-{index}.bin"
    return records.stat().st_size, rows.stat().st_size


def measure(folder: Path, steps: int, tensors: int, parts: int) -> str:
    """The page."""
    every, eighth = range(1, steps + 1), range(8, steps + 1, 8)
    wall, cpu = write(folder, 0, every, tensors, parts)
    write(folder, 1, every, tensors, parts)
    write(folder, 2, eighth, tensors, parts)
    records, rows = on_disk(folder, 0)
    lines = [
        f"{steps:,} steps, {tensors:,} tensors, parting at step {parts:,}.\n",
        "| one log | |",
        "| --- | --- |",
        f"| records, bytes | {records:,} |",
        f"| rows, bytes | {rows:,} |",
        f"| on disk, bytes | {records + rows:,} |",
        f"| to write a step, us | {wall / steps * 1e6:.1f} |",
        f"| of these on the CPU, us | {cpu / steps * 1e6:.1f} |\n",
        "| comparison | found | seconds | records read one by one |",
        "| --- | --- | --- | --- |",
    ]
    for name, index in (("every step", 1), ("with every 8th step", 2)):
        found, took, reads = timed(parting, folder, index)
        where = f"step {found.step:,} after {found.before:,}" if found else "no difference"
        lines.append(f"| {name} | {where} | {took:.4f} | {reads} |")
    (shown, _), took, reads = timed(differing_map, folder, 1)
    lines.append(f"| map | {len(shown)} steps | {took:.4f} | {reads} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--tensors", type=int, default=1_000)
    parser.add_argument("--parting", type=int, help="step of the first difference; late by default")
    chosen = parser.parse_args()
    if chosen.steps < 8 or chosen.tensors < 1:
        parser.error("expected at least 8 steps and 1 tensor")
    parts = chosen.parting or chosen.steps * 7 // 9
    with tempfile.TemporaryDirectory(prefix="long-runs-") as folder:
        print(measure(Path(folder), chosen.steps, chosen.tensors, parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
