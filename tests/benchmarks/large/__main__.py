"""Many and large: what the host itself takes for a diagnosis of a thousand trials, for a model of
ten thousand variables, for 200,000 step events a trial, and for a gigabyte of weights.

``python -m tests.benchmarks.large [CASE...]``. Each case is measured at several sizes, in processes
of their own: the host's peak memory, and its processor time for each event. From the smallest size
to the largest that time must not double (a little is noise), and the memory must stay
within the case's bound, or the case fails: exit code 1. Prints a table, and at last a line of the
page docs/reliability.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence

from tests.benchmarks.large.cases import CASES, Case

GROWTH = 2.0
"""How many times as long an event may take at the larger size."""
GOOD = "time linear in trials and events, memory within bounds"


@dataclasses.dataclass(frozen=True)
class Measured:
    events: int
    seconds: float
    """Of the host's processor time."""
    peak: int
    """Bytes of memory, of the whole process."""

    @property
    def each(self) -> float:
        return self.seconds / self.events


def measure(name: str, size: int) -> Measured:
    """In a process of its own. Raises CalledProcessError."""
    command = [sys.executable, "-m", "tests.benchmarks.large", "--size", str(size), name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Measured(**json.loads(done.stdout))


def faults(case: Case, found: Sequence[Measured]) -> list[str]:
    """What does not hold of a case, measured from the smallest size to the largest."""
    small, large = found[0], found[-1]
    wrong = []
    if large.each > GROWTH * small.each:
        times = large.each / small.each
        wrong.append(f"{case.text}: {times:.1f} times the time for each {case.event}")
    if large.peak > case.most << 20:
        wrong.append(f"{case.text}: {large.peak >> 20} MiB of {case.most}")
    return wrong


def told(case: Case, found: Sequence[Measured]) -> str:
    """A case that was measured, for the page."""
    large = found[-1]
    each = f"{1e3 * large.each:.1f} ms" if large.each > 1e-4 else f"{1e6 * large.each:.1f} µs"
    return (
        f"{case.text}: {large.peak >> 20} MiB of at most {case.most}, {each} for each {case.event}"
    )


def line(results: Mapping[str, Sequence[Measured]]) -> str:
    """The row of the page."""
    wrong = [fault for name, found in results.items() for fault in faults(CASES[name], found)]
    outcome = f"FAILED: {'; '.join(wrong)}" if wrong else GOOD
    texts = "; ".join(told(CASES[name], found) for name, found in results.items())
    return f"| large: the host's memory | {len(results)} | {outcome}; {texts} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.size:
        events, seconds = CASES[chosen.cases[0]].measure(chosen.size)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps(dataclasses.asdict(Measured(events, seconds, peak))))
        return 0
    print("| case | events | peak memory | time an event |\n| --- | --- | --- | --- |")
    results: dict[str, list[Measured]] = {}
    for name in chosen.cases or CASES:
        for size in CASES[name].sizes:
            one = measure(name, size)
            results.setdefault(name, []).append(one)
            each = f"{1e6 * one.each:.1f} µs"
            print(f"| {name} | {one.events:,} | {one.peak >> 20} MiB | {each} |", flush=True)
    row = line(results)
    print(row)
    return 1 if "FAILED" in row else 0


if __name__ == "__main__":
    sys.exit(main())
