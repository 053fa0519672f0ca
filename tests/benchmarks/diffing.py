"""How fast two tensors are compared, against a copy of the same bytes in memory, and in how much.

``python -m tests.benchmarks.diffing`` writes docs/diffing.md; with another size or number of rounds
it only prints the table. Copies and comparisons alternate, so that a machine that grows slower or
faster meanwhile does so for both. The files lie in the page cache.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nondet.host import differences, machine, measures
from tests.benchmarks.probes import PROBES

PAGE = PROBES.parent / "docs" / "diffing.md"
SIZE = 256
"""MiB of each of the two tensors."""
ROUNDS = 7
STRETCH = 1 << 15
"""Elements that differ in a row where one in a hundred stretches differs."""
Tensor = NDArray[Any]


@dataclasses.dataclass(frozen=True)
class Case:
    """Two tensors to compare."""

    name: str
    dtype: str
    other: Callable[[Tensor, np.random.Generator], Tensor]
    """Makes the second tensor from the first."""
    threads: int = differences.MOST_THREADS


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds by the clock, and those of all threads on a core."""

    wall: float
    cpu: float


@dataclasses.dataclass(frozen=True)
class Measured:
    """One case: each copy and the comparison after it, and memory in bytes."""

    case: Case
    size: int
    pairs: tuple[tuple[Cost, Cost], ...]
    memory: int


def equal(a: Tensor, rng: np.random.Generator) -> Tensor:
    return a


def some_stretches(a: Tensor, rng: np.random.Generator) -> Tensor:
    b = a.copy()
    for start in range(0, b.size, 100 * STRETCH):
        b[start : start + STRETCH] += 1
    return b


def by_rounding(a: Tensor, rng: np.random.Generator) -> Tensor:
    """A few units in the last place away, as another order of summation leaves it."""
    b: Tensor = (a.view(np.int32) + rng.integers(1, 5, a.size, dtype=np.int32)).view(a.dtype)
    return b


def another(a: Tensor, rng: np.random.Generator) -> Tensor:
    """Unrelated, of the same kind."""
    return numbers(a.nbytes, a.dtype.name, rng)


def numbers(size: int, dtype: str, rng: np.random.Generator) -> Tensor:
    """Normally distributed where they are float32; else any bits that stand for finite numbers."""
    if dtype == "float32":
        return rng.standard_normal(size // 4, dtype=np.float32)
    bits = np.dtype(dtype)
    found: Tensor = rng.integers(0, INFINITIES[dtype], size // bits.itemsize, bits)
    found |= rng.integers(0, 2, found.size, bits) << (8 * bits.itemsize - 1)
    return found


CASES = (
    Case("float32, all equal", "float32", equal),
    Case("float32, 1 % of stretches differ", "float32", some_stretches),
    Case("float32, all differ by rounding", "float32", by_rounding),
    Case("float32, unrelated", "float32", another),
    Case("float32, unrelated, one thread", "float32", another, threads=1),
    Case("bfloat16, unrelated", "bfloat16", another),
    Case("float8_e4m3fn, all equal", "float8_e4m3fn", equal),
    Case("float8_e4m3fn, unrelated", "float8_e4m3fn", another),
)
BITS = {"bfloat16": "uint16", "float8_e4m3fn": "uint8"}
"""What stands for a dtype that NumPy does not know."""
INFINITIES = {"uint16": 0x7F80, "uint8": 0x7F}
"""The least magnitude of these that is no finite number."""


def measure(case: Case, size: int, rounds: int, room: Path) -> Measured:
    """Compare two tensors of `size` bytes, and copy them in memory, in turns."""
    rng = np.random.default_rng(20261)
    a = numbers(size, BITS.get(case.dtype, case.dtype), rng)
    b = case.other(a, rng)
    one, other = room / "one", room / "other"
    a.tofile(one)
    b.tofile(other)
    target = np.ones_like(a)

    def copy() -> None:
        np.copyto(target, a)
        np.copyto(target, b)

    def compare() -> None:
        differences.between(one, other, case.dtype)

    differences.MOST_THREADS = case.threads
    compare()  # Brings the files into the page cache.
    pairs = tuple((timed(copy), timed(compare)) for _ in range(rounds))
    return Measured(case, size, pairs, memory(one, other, case))


def timed(work: Callable[[], object]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def memory(one: Path, other: Path, case: Case) -> int:
    """By how many bytes a comparison raises the peak of a fresh process."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, fresh) as pool:
        return pool.submit(grown, one, other, case.dtype, case.threads).result()


def grown(one: Path, other: Path, dtype: str, threads: int) -> int:
    differences.MOST_THREADS = threads
    before = peak()
    differences.between(one, other, dtype)
    return peak() - before


def peak() -> int:
    """Most bytes that this process has had in memory, those of mapped files among them.

    Not what getrusage tells, which goes on counting from the process that started this one.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.M)
    assert found is not None
    return int(found[1]) * 1024


def row(measured: Measured) -> str:
    ratios = sorted(copied.wall / compared.wall for copied, compared in measured.pairs)
    cpu = statistics.median(copied.cpu / compared.cpu for copied, compared in measured.pairs)
    copied, compared = (
        2 * measured.size / 1e9 / min(cost.wall for cost in costs)
        for costs in zip(*measured.pairs, strict=True)
    )
    return (
        f"| {measured.case.name} | {statistics.median(ratios):.2f} "
        f"| {ratios[0]:.2f} to {ratios[-1]:.2f} | {cpu:.2f} | {compared:.1f} | {copied:.1f} "
        f"| {measured.memory / 2**20:.0f} |"
    )


def passes() -> list[tuple[str, int, float]]:
    """What `measures.Floats` does with a block of float32 that all differ by rounding: each kind of
    pass, how many there are, and what one costs, in nanoseconds an element and from cache."""
    a = numbers(4 * measures.BLOCK, "float32", np.random.default_rng(20261))
    bits, spare = a.view(np.int32), a.view(np.int32).copy()
    x, y = a.astype(np.float64), np.ones(a.size)
    piece = np.empty((a.size // measures.PIECE, 1, 1))
    rows, itself = x.reshape(-1, 1, measures.PIECE), x.reshape(-1, measures.PIECE, 1)
    columns = y.reshape(-1, measures.PIECE, 1)
    every: tuple[tuple[str, int, Callable[[], object]], ...] = (
        ("integers from integers", 6, lambda: np.bitwise_xor(bits, bits, out=spare)),
        ("maximum, minimum or count of integers", 4, lambda: np.maximum.reduce(bits)),
        ("float32 to float64", 3, lambda: np.copyto(x, a)),
        ("scalar product of two", 1, lambda: np.matmul(rows, columns, out=piece)),
        ("scalar product with itself", 2, lambda: np.matmul(rows, itself, out=piece)),
        ("difference", 1, lambda: np.subtract(x, y, out=x)),
        ("magnitude", 1, lambda: np.abs(x, out=x)),
        ("quotient", 1, lambda: np.divide(x, y, out=x)),
        ("maximum of float64", 2, lambda: np.maximum.reduce(x)),
        ("sum of float64", 2, lambda: np.add.reduce(x)),
    )
    return [(name, count, fastest(work) / a.size * 1e9) for name, count, work in every]


def fastest(work: Callable[[], object]) -> float:
    return min(timed(work).wall for _ in range(300))


def costs(found: Iterable[tuple[str, int, float]]) -> str:
    """The passes as a table, and their sum."""
    lines = [(name, count, count * each) for name, count, each in found]
    lines.append(("all", sum(n for _, n, _ in lines), sum(cost for _, _, cost in lines)))
    return "| pass | number | together, ns |\n| --- | --- | --- |\n" + "".join(
        f"| {name} | {count} | {cost:.2f} |\n" for name, count, cost in lines
    )


def table(every: Iterable[Measured]) -> str:
    return (
        "| tensors | ratio | range | by CPU time | comparison, GB/s | copy, GB/s | memory, MiB |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n" + "\n".join(row(m) for m in every) + "\n"
    )


def page(every: Sequence[Measured], found: Iterable[tuple[str, int, float]]) -> str:
    """The whole of docs/diffing.md."""
    copied = min(copy.wall for measured in every for copy, _ in measured.pairs)
    return TEXT.format(
        size=SIZE,
        rounds=ROUNDS,
        threads=differences.MOST_THREADS,
        cores=machine.cores(),
        cpu=machine.cpu_name(),
        numpy=np.__version__,
        load=os.getloadavg()[1],
        table=table(every),
        costs=costs(found),
        copied=copied / (SIZE << 20) * 4e9,
    )


TEXT = """\
<!-- Written by `python -m tests.benchmarks.diffing`. -->

# How fast two tensors are compared

Two tensors of {size} MiB each are compared from their files, in the page cache: what that tells is
the distance of a [divergence](file-format.md#divergence). The ratio is its throughput over that of
a copy of the same bytes in memory, by one thread, right before: the median of {rounds} such pairs,
and their range; then the same by CPU time, which other work on the machine changes less. The
speeds are the best of each, and count the bytes of both tensors. The memory is what a comparison
adds to the peak of a fresh process. It has up to {threads} threads, one a core.

{cores} cores ({cpu}), NumPy {numpy}; {load:.1f} processes wanted to run, on average.

{table}
What takes the time are the passes over each block. For float32 whose elements all differ by
rounding, by one thread and from cache, in nanoseconds an element:

{costs}
A copy in memory of the element's bytes in both tensors takes {copied:.2f} ns. Distances, sums and
products are computed in float64, which is most of the cost. bfloat16 takes as many passes for half
the bytes. Of formats of one byte, the pairs of codes are counted one after the other.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=SIZE, metavar="MB", help="MiB of each tensor")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="pairs of runs for each case")
    chosen = parser.parse_args()
    every = []
    for case in CASES:
        with tempfile.TemporaryDirectory(prefix="diffing-") as room:
            every.append(measure(case, chosen.size << 20, chosen.rounds, Path(room)))
        print(row(every[-1]), file=sys.stderr)
    print(table(every))
    if (chosen.size, chosen.rounds) == (SIZE, ROUNDS):
        PAGE.write_text(page(every, passes()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
