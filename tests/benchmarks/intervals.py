"""How often the intervals of a repetition hold the truth, on samples whose truth is known.

``python -m tests.benchmarks.intervals`` prints the table in docs/repeat.md.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from nondet import spread
from nondet.repetition import Bootstrap, Interval, Summary

SAMPLES = 1000
RUNS = (10, 30, 100)
HOW = Bootstrap(seed=1, resamples=1999, level=0.95)
Draw = Callable[[random.Random], float]

LAWS: dict[str, tuple[Draw, float, float]] = {
    "normal": (lambda r: r.gauss(0, 1), 0.0, 1.0),
    "uniform": (lambda r: r.uniform(0, 1), 0.5, math.sqrt(1 / 12)),
    "exponential": (lambda r: r.expovariate(1), 1.0, 1.0),
}
"""By name: a draw, the true mean, the true standard deviation."""


def holds(interval: Interval | None, truth: float) -> bool:
    return interval is not None and interval.low <= truth <= interval.high


def row(name: str, runs: int) -> str:
    """How many of 100 intervals hold the mean, the deviation, and a share of one half."""
    draw, mean, deviation = LAWS[name]
    source = random.Random(f"{name}/{runs}")
    counts = [0, 0, 0]
    for _ in range(SAMPLES):
        every = [draw(source) for _ in range(runs)]
        alone = [draw(source) * math.sqrt(0.5) for _ in range(runs)]
        found = spread.summarise(every, Summary(label=name), HOW)
        told = spread.share(alone, every, HOW)
        counts[0] += holds(found.mean_interval, mean)
        counts[1] += holds(found.sd_interval, deviation)
        counts[2] += told is not None and holds(told[1], 0.5)
    cells = " | ".join(f"{100 * count / SAMPLES:.0f} %" for count in counts)
    return f"| {name} | {runs} | {cells} |"


def main() -> None:
    print("| values | runs | mean | standard deviation | share |")
    print("| --- | --- | --- | --- | --- |")
    for name in LAWS:
        for runs in RUNS:
            print(row(name, runs), flush=True)


if __name__ == "__main__":
    main()
