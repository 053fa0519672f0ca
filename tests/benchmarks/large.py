"""Many and large: what the host itself takes for a diagnosis of thousands of trials, for a model of
ten thousand variables, for 200,000 step events a trial, and for a gigabyte of weights.

``python -m tests.benchmarks.large [CASE...]``. Each case is measured at several sizes, in processes
of their own: the host's peak memory, and its processor time for each event. From the smallest size
to the largest that must not grow (by more than half, for noise), or the case fails. Prints a table,
and at last a line of the page docs/reliability.md.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from nondet.host import differences, laboratory
from nondet.host.comparing import Following
from nondet.host.trials import Trial
from nondet.search.questions import Question
from nondet.verdict import Verdict
from tests.host import acting
from tests.host.written import Written

GROWTH = 1.5
"""How many times as long an event may take at the larger size."""


@dataclasses.dataclass(frozen=True)
class Measured:
    events: int
    seconds: float
    """Of the host's processor time."""
    peak: int
    """Bytes of memory, of the whole process."""


@contextlib.contextmanager
def room() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="large-") as folder:
        yield Path(folder)


def trials(count: int) -> tuple[int, float]:
    """So many whole trials of one question, each compared with the first."""
    with room() as folder:
        polling, laboratory.POLL_SECONDS = laboratory.POLL_SECONDS, 0.0
        lab, _ = acting.laboratory(folder, acting.Act("abcdefgh"), jobs=8, max_trials=2 * count)
        began = time.process_time()
        answer = lab.ask(Question("Does it repeat?", {}, count - 1))
        seconds = time.process_time() - began
        laboratory.POLL_SECONDS = polling
        assert answer.verdict is Verdict.AGREES, answer
        return len(answer.trials), seconds


def followed(one: Trial, other: Trial) -> float:
    """Seconds of listening to two whole trials and comparing them."""
    began = time.process_time()
    one.listen()
    one.outcome = "completed"
    following = Following(one, other)
    other.listen()
    other.outcome = "completed"
    assert following.parting(ended=True) is None
    assert not one.fault + other.fault
    return time.process_time() - began


def variables(count: int) -> tuple[int, float]:
    """Two trials of a model of so many variables, with 20 epochs."""
    paths = [f"block_{n // 10}/layer_{n}/kernel" for n in range(count)]
    with room() as folder:
        pair = [Written(folder, name).model(paths=paths) for name in ("t01", "t02")]
        for one in pair:
            for epoch in range(1, 21):
                one.checkpoint("epoch", 0, epoch, epoch, values=range(epoch, epoch + count))
        return 2 * 20 * count, followed(pair[0].trial, pair[1].trial)


def steps(count: int) -> tuple[int, float]:
    """Two trials that record so many steps as events."""
    with room() as folder:
        pair = [Written(folder, name).model() for name in ("t01", "t02")]
        for one in pair:
            line = {"event": "checkpoint", "kind": "step", "model": "m", "index": 0, "layout": 1}
            with (one.trial.folder / "events.jsonl").open("a") as file:
                for step in range(1, count + 1):
                    more = {"fit": 0, "epoch": 0, "step": step, "digests": [f"{step:032x}"] * 3}
                    file.write(json.dumps(line | more) + "\n")
        return 2 * count, followed(pair[0].trial, pair[1].trial)


def weights(mebibytes: int) -> tuple[int, float]:
    """Distance of two snapshots of so many MiB each: an event is a MiB."""
    with room() as folder:
        piece = np.random.default_rng(1).normal(size=1 << 17)
        for name in ("a1", "b2"):
            with (folder / name).open("wb") as file:
                for number in range(mebibytes):
                    file.write((piece + number + (name == "b2")).tobytes())
        began = time.process_time()
        apart = differences.distance(folder, "a1", "b2", "float64").max_abs
        assert apart is not None and abs(apart - 1) < 1e-9
        return mebibytes, time.process_time() - began


CASES: dict[str, tuple[Callable[[int], tuple[int, float]], tuple[int, ...], str]] = {
    "trials": (trials, (100, 300, 1000, 3000), "3,000 trials in one diagnosis"),
    "variables": (variables, (1000, 10_000), "10,000 variables"),
    "steps": (steps, (20_000, 200_000), "200,000 step events in each of two trials"),
    "weights": (weights, (128, 1024), "1 GiB of weights"),
}


def measure(case: str, size: int) -> Measured:
    """In a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.large", "--size", str(size), case]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Measured(**json.loads(done.stdout))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.size:
        events, seconds = CASES[chosen.cases[0]][0](chosen.size)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps(dataclasses.asdict(Measured(events, seconds, peak))))
        return 0
    print("| case | events | peak memory | time an event |\n| --- | --- | --- | --- |")
    failed, peaks = [], []
    for case in chosen.cases or CASES:
        _, sizes, text = CASES[case]
        found = [measure(case, size) for size in sizes]
        for one in found:
            each = f"{1e6 * one.seconds / one.events:.1f} µs"
            print(f"| {case} | {one.events:,} | {one.peak >> 20} MiB | {each} |", flush=True)
        small, large = found[0], found[-1]
        told = f"{text}: {large.peak >> 20} MiB"
        if case == "trials":
            paces = [f"{1e3 * one.seconds / one.events:.1f}" for one in found]
            of = ", ".join(f"{one.events:,}" for one in found)
            told += f", and {', '.join(paces)} ms of the host's time for each of {of}"
        if large.seconds / large.events > GROWTH * small.seconds / small.events:
            failed.append(case)
        peaks.append(told)
    linear = "time linear in trials and events"
    outcome = f"not linear: {', '.join(failed)}" if failed else linear
    print(f"| large: the host's memory | {len(peaks)} | {outcome}; {'; '.join(peaks)} |")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
