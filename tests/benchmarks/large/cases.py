"""What is large, and how much of it there is at each size."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

import nondet
from nondet import record
from nondet.host import differences, executing, laboratory
from nondet.host.comparing import Following
from nondet.host.executors.interface import Launch
from nondet.host.planning import Settings
from nondet.host.trials import Trial
from tests.host import acting
from tests.host.written import Written

CHECKPOINTS = 8
POLL = 500
"""Steps that a trial takes between two looks of the host at its file."""
PIECE = 32
"""MiB of each of the tensors that make up the weights of a script."""
TRIAL_MEMORY = 256 << 20
"""Bytes that a trial may take beyond its weights."""

Measure = Callable[[int], tuple[int, float]]
"""From a size to the number of events, and the host's processor time in seconds."""


@dataclasses.dataclass(frozen=True)
class Case:
    measure: Measure
    sizes: tuple[int, ...]
    text: str
    """What the largest size is."""
    most: int
    """MiB that the host may take at the largest."""
    event: str = "event"


class Stage(acting.ActingExecutor):
    """Trials of a script that two sources break, each in a checkpoint of its own, as acts."""

    def start(self, launch: Launch) -> acting.ActingTrial:
        held = json.loads((launch.log_folder / "plan.json").read_bytes())["arms"]
        other = chr(1000 + int(launch.trial[1:]))
        shows = ["a"] * CHECKPOINTS
        for place, factor in ((2, "python-random"), (5, "hash-seed")):
            shows[place] = "a" if held.get(factor) == "pinned" else other
        self.acts = (acting.Act("".join(shows), draws=("python-random",)),)
        # Those of ended trials are of no interest here.
        self.trials.clear()
        self.launches.clear()
        return super().start(launch)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@contextlib.contextmanager
def room() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="large-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def staged() -> Iterator[None]:
    """Diagnoses whose trials are acts, and whose host does not sleep."""

    def opened(spec: str, settings: Settings, *more: object) -> Stage:
        return Stage(settings.output, ())

    kept = executing.opened, laboratory.POLL_SECONDS
    executing.opened, laboratory.POLL_SECONDS = opened, 0.0  # type: ignore[assignment]
    try:
        yield
    finally:
        executing.opened, laboratory.POLL_SECONDS = kept


def trials(count: int) -> tuple[int, float]:
    """A diagnosis of more than so many trials: search, verification, record and page. Its
    confidence asks for so many comparisons wherever runs agree."""
    with room() as folder, staged():
        script = folder / "train.py"
        script.write_text("import random\n")
        began = time.process_time()
        found = nondet.diagnose(
            script,
            output=folder / "out",
            jobs=8,
            max_trials=10 * count,
            rate=1 - 0.05 ** (1 / count),
            factors=acting.FACTORS,
            forking=False,
            zoom=False,
            verify=False,
        )
        seconds = time.process_time() - began
        assert {cause.factor for cause in found.causes} == {"python-random", "hash-seed"}, found
        assert len(found.trials) >= count, len(found.trials)
        assert (folder / "out/report.html").exists()
        last = record.decode((folder / "out/diagnosis.json").read_bytes())
        assert len(last.trials) == len(list((folder / "out/trials").iterdir()))
        return len(found.trials), seconds


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
    """Two trials that record so many steps as events, looked at again and again as they grow."""
    with room() as folder:
        pair = [Written(folder, name).model().trial for name in ("t01", "t02")]
        following = Following(*pair)
        line = {"event": "checkpoint", "kind": "step", "model": "m", "index": 0, "layout": 1}
        seconds = 0.0
        for start in range(1, count + 1, POLL):
            lines = []
            for step in range(start, min(start + POLL, count + 1)):
                more = {"fit": 0, "epoch": 0, "step": step, "digests": [f"{step:032x}"] * 3}
                lines.append(json.dumps(line | more) + "\n")
            for trial in pair:
                with (trial.folder / "events.jsonl").open("a") as file:
                    file.writelines(lines)
            began = time.process_time()
            for trial in pair:
                trial.listen()
            assert following.parting(ended=False) is None
            seconds += time.process_time() - began
        assert len(pair[0].checkpoints) == count + 1
        return 2 * count, seconds + followed(*pair)


def snapshots(mebibytes: int) -> tuple[int, float]:
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


WEIGHTS = """
import random
import sys
import numpy
import nondet
weights = {}
for number in range(int(sys.argv[1])):
    weights["kernel_%d" % number] = numpy.full(PIECE << 18, number, "float32")
weights["kernel_0"][7] = random.random()
nondet.checkpoint("weights", weights)
""".replace("PIECE", str(PIECE))


def weights(mebibytes: int) -> tuple[int, float]:
    """A diagnosis of a script with so many MiB of weights, in real trials that digest all of them
    and keep the values of some: an event is a MiB of one trial."""
    with room() as folder:
        script = folder / "train.py"
        script.write_text(WEIGHTS)
        began = time.process_time()
        found = nondet.diagnose(
            script,
            [str(mebibytes // PIECE)],
            output=folder / "out",
            jobs=1,
            confidence=0.75,
            factors=["python-random"],
            verify=False,
        )
        seconds = time.process_time() - began
        assert [cause.factor for cause in found.causes] == ["python-random"], found
        first = found.first_divergence
        assert first is not None and first.tensor == "kernel_0", first
        assert first.share == 1 / (PIECE << 18), first
        peak = max(trial.peak_memory or 0 for trial in found.trials)
        assert (mebibytes << 20) < peak < (mebibytes << 20) + TRIAL_MEMORY, peak
        return mebibytes * len(found.trials), seconds


CASES = {
    "trials": Case(
        trials, (100, 300, 1000), "at least 1,000 trials in one diagnosis", 128, "trial"
    ),
    "variables": Case(variables, (1000, 10_000), "10,000 variables", 128),
    "steps": Case(steps, (20_000, 200_000), "200,000 step events in each of two trials", 256),
    "snapshots": Case(snapshots, (128, 1024), "two snapshots of 1 GiB", 128, "MiB"),
    "weights": Case(weights, (128, 1024), "trials with 1 GiB of weights", 128, "MiB"),
}
