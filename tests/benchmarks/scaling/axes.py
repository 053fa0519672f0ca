"""The axes along which a diagnosis can be large, and what is measured at each size."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import structs

from nondet.guest import digests
from nondet.guest.steps import StepLog
from nondet.host import differences, laboratory
from nondet.host.comparing import Following
from nondet.host.steps import StepTrace, parting
from nondet.record import Diagnosis
from nondet.report import html
from nondet.search.diagnosing import Goal, Search
from nondet.search.questions import Candidate, Question
from nondet.verdict import Verdict
from tests.benchmarks.scaling.fitting import Kind
from tests.benchmarks.searching.cases import Family
from tests.benchmarks.searching.subject import Subject, drive
from tests.host import acting
from tests.host.written import Written
from tests.report import parts, samples

EPOCHS = 20
STEP_TENSORS = 100
CHECKPOINT_TENSORS = 100
FACTORS = 1000
"""Among which more and more causes are looked for."""
CASES = 5
POOL = 100_000_000
"""Parameters that are digested at least, at any size."""
FILES = 100
"""Files of them that are written and compared at most."""


@dataclasses.dataclass(frozen=True)
class Axis:
    name: str
    unit: str
    """What its sizes count."""
    title: str
    text: str
    """What is measured, in a sentence or two."""
    sizes: tuple[int, ...]
    target: int
    quantities: Mapping[str, Kind]
    measure: Callable[[int], dict[str, float]]


def memory() -> int:
    """Bytes that this process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def timed(work: Callable[[], object]) -> float:
    """Seconds of this process' processor time."""
    began = time.process_time()
    work()
    return time.process_time() - began


def trials(count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="scaling-") as folder:
        lab, _ = acting.laboratory(
            Path(folder), acting.Act("abcdefgh"), jobs=8, max_trials=count + 8
        )
        before = memory()
        answers = []
        polling, laboratory.POLL_SECONDS = laboratory.POLL_SECONDS, 0.0
        try:
            seconds = timed(lambda: answers.append(lab.ask(Question("?", {}, count - 1))))
        finally:
            laboratory.POLL_SECONDS = polling
        assert answers[0].verdict is Verdict.AGREES
        # Few trials may need less than what is given back meanwhile.
        grown = max(0, memory() - before)
        return {
            "host's time": seconds,
            "memory": grown,
            "disk": on_disk(lab.settings.output / "trials"),
        }


def steps(count: int) -> dict[str, float]:
    pool = [hashlib.blake2b(b"%d" % n, digest_size=16).digest() for n in range(STEP_TENSORS + 997)]
    with tempfile.TemporaryDirectory(prefix="scaling-") as name:
        folder = Path(name)

        def write(index: int, apart: int) -> None:
            log = StepLog(str(folder), index)
            for step in range(1, count + 1):
                found = pool[step % 997 : step % 997 + STEP_TENSORS]
                if step >= apart:
                    found[-1] = pool[0]
                log.append(step, 1, found)
            log.close()

        seconds = timed(lambda: write(0, count + 1))
        write(1, count * 7 // 9)
        pair = StepTrace(folder, 0), StepTrace(folder, 1)
        compared = timed(lambda: parting(*pair))
        return {"trial's time": seconds, "disk": pair[0].size, "to find the first": compared}


def trajectory(tensors: int, epochs: int) -> dict[str, float]:
    """Two trials with so many tensors and epochs, of which each has its own values."""
    paths = [f"block_{n // 10}/layer_{n}/kernel" for n in range(tensors)]
    with tempfile.TemporaryDirectory(prefix="scaling-") as folder:
        pair = [Written(Path(folder), name).model(paths=paths) for name in ("t01", "t02")]
        for trial in pair:
            for epoch in range(1, epochs + 1):
                trial.checkpoint("epoch", 0, epoch, epoch, values=range(epoch, epoch + tensors))
        disk = on_disk(pair[0].trial.folder)
        heard = timed(lambda: pair[0].heard("completed"))
        tracemalloc.start()
        other = pair[1].heard("completed")
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        following = Following(pair[0].trial, other)
        compared = timed(lambda: following.parting(ended=True))
        assert other.checkpoints[-1] is pair[0].trial.checkpoints[-1]
        return {"to read": heard, "to compare": compared, "memory": grown, "disk": disk}


def tensors(count: int) -> dict[str, float]:
    digest = digests.Digester("xxh3_128").digest  # type: ignore[no-untyped-call]
    small = [np.full(64, n, np.float32) for n in range(count)]
    found = timed(lambda: list(map(digest, small)))
    return {"trial's time": found, **trajectory(count, EPOCHS)}


def checkpoints(count: int) -> dict[str, float]:
    return trajectory(CHECKPOINT_TENSORS, count)


def parameters(count: int) -> dict[str, float]:
    """Means over so many tensors that they come from memory and not from a cache."""
    every = np.random.default_rng(1).standard_normal(max(count, POOL), dtype=np.float32)
    tensors = np.split(every[: len(every) // count * count], len(every) // count)
    few = tensors[:FILES]
    found: dict[str, float] = {}
    for algorithm in ("xxh3_128", "sha256"):
        digest = digests.Digester(algorithm).digest  # type: ignore[no-untyped-call]
        seconds = timed(lambda: list(map(digest, tensors)))  # noqa: B023
        found[algorithm] = seconds / len(tensors)
    with tempfile.TemporaryDirectory(prefix="scaling-") as name:
        folder = Path(name)
        values = digests.Values(str(folder), 3 * every.nbytes)  # type: ignore[no-untyped-call]
        keep: Callable[[str, Any], None] = values.keep
        found["to keep"] = mean(few, lambda n: keep(f"one{n}", few[n]))
        for n, tensor in enumerate(few):
            keep(f"other{n}", tensor + np.float32(1e-3))
        found["distance"] = mean(
            few, lambda n: differences.distance(folder, f"one{n}", f"other{n}", "float32")
        )
        found["disk"] = (folder / "one0").stat().st_size
    return found


def mean(tensors: Sequence[Any], work: Callable[[int], object]) -> float:
    """Seconds for each of these, which the work is given the place of."""
    return timed(lambda: [work(n) for n in range(len(tensors))]) / len(tensors)


def written(diagnosis: Diagnosis) -> dict[str, float]:
    data = msgspec.json.encode(diagnosis)
    pages = []
    seconds = timed(lambda: pages.append(html.render(diagnosis)))
    return {"diagnosis.json": len(data), "report.html": len(pages[0].encode()), "time": seconds}


def record_of_trials(count: int) -> dict[str, float]:
    base = samples.one_cause()
    ids = tuple(f"t{n:02d}" for n in range(1, count + 1))
    return written(
        structs.replace(
            base,
            trials=tuple(
                parts.trial(n, parts.plan(("python-random",) if n % 3 else ()), "Is it enough?")
                for n in range(1, count + 1)
            ),
            questions=tuple(structs.replace(asked, trials=ids) for asked in base.questions),
            causes=tuple(structs.replace(cause, agreeing=ids) for cause in base.causes),
            cleared=tuple(structs.replace(one, trials=ids) for one in base.cleared),
        )
    )


def record_of_cells(count: int) -> dict[str, float]:
    names = tuple(f"block_{n // 10}/layer_{n}/kernel" for n in range(max(1, count // 100)))
    moments = ("init", *(f"epoch {epoch}" for epoch in range(1, 100)))
    apart = parts.differences(start=12, rate=0.18, tensors=names, checkpoints=moments)
    return written(structs.replace(samples.one_cause(), differences=(apart,)))


def searched(factors: int, causes: int, cases: int) -> dict[str, float]:
    """Means over simulated subjects of whose causes nothing is seen."""
    found: dict[str, float] = dict.fromkeys(("trials", "whole runs", "search's time"), 0.0)
    for seed in range(cases):
        case = Family(factors, causes, evidence="unseen").case(seed)
        subject = Subject(case, most_trials=1_000_000)
        search = Search([Candidate(name) for name in case.factors], (), Goal())
        seconds = timed(functools.partial(drive, search.run(), subject))
        named = frozenset(guilt.factor for guilt in search.finding.guilty)
        assert case.recalled(named) and not case.accused(named), (factors, causes, seed)
        found["trials"] += subject.trials / cases
        found["whole runs"] += subject.seconds / case.whole / cases
        found["search's time"] += seconds / cases
    return found


def factors(count: int) -> dict[str, float]:
    return searched(count, 1, CASES)


def causes(count: int) -> dict[str, float]:
    return searched(FACTORS, count, 1 if count > 10 else CASES)


SEARCHED: dict[str, Kind] = {"trials": "count", "whole runs": "count", "search's time": "time"}
RECORD: dict[str, Kind] = {"diagnosis.json": "bytes", "report.html": "bytes", "time": "time"}
READ: dict[str, Kind] = {
    "to read": "time",
    "to compare": "time",
    "memory": "bytes",
    "disk": "bytes",
}
AXES = (
    Axis(
        "trials",
        "trials",
        "Trials",
        "Trials of one question that all agree, with eight checkpoints each. The trials themselves "
        "are acts, which take no time of their own. *Disk* is what they leave in `trials`.",
        (10, 100, 1000, 10_000),
        10_000,
        {"host's time": "time", "memory": "bytes", "disk": "bytes"},
        trials,
    ),
    Axis(
        "steps",
        "steps",
        "Steps",
        f"The log of a training with {STEP_TENSORS} tensors of which every step is recorded: what "
        "it takes the trial to write, digests given, and the host to find the first step that "
        "differs from another log.",
        (1000, 10_000, 100_000, 1_000_000),
        1_000_000,
        {"trial's time": "time", "disk": "bytes", "to find the first": "time"},
        steps,
    ),
    Axis(
        "tensors",
        "tensors",
        "Tensors",
        f"A model of so many small tensors, with {EPOCHS} epochs. *Trial's time*: their digests at "
        "one checkpoint. The others are of the whole trajectory, in the host.",
        (10, 100, 1000, 10_000, 100_000),
        10_000,
        {"trial's time": "time", **READ},
        tensors,
    ),
    Axis(
        "checkpoints",
        "checkpoints",
        "Checkpoints",
        f"A model of {CHECKPOINT_TENSORS} tensors, with so many epochs.",
        (10, 100, 1000, 10_000),
        10_000,
        READ,
        checkpoints,
    ),
    Axis(
        "parameters",
        "parameters",
        "Parameters",
        "One checkpoint of so many float32 parameters, in memory: their digest by either "
        "algorithm, what it takes to keep them in the store (into the page cache), and their "
        "distance from others. Processor time, of up to four threads for the distance.",
        (100_000, 1_000_000, 10_000_000, 100_000_000),
        10**11,
        {
            "xxh3_128": "time",
            "sha256": "time",
            "to keep": "time",
            "distance": "time",
            "disk": "bytes",
        },
        parameters,
    ),
    Axis(
        "record",
        "trials",
        "Trials in the report",
        "A record of so many trials, each with a line of output, and what its page takes.",
        (10, 100, 1000, 10_000),
        10_000,
        RECORD,
        record_of_trials,
    ),
    Axis(
        "cells",
        "cells",
        "Cells in the report",
        "A record of a matrix of tensors and checkpoints that differ; the host thins what has more "
        "than two million cells.",
        (1000, 10_000, 100_000, 1_000_000),
        2_000_000,
        RECORD,
        record_of_cells,
    ),
    Axis(
        "factors",
        "factors",
        "Factors",
        "The search among so many factors, of which one breaks the runs and nothing is seen of it, "
        f"on [simulated subjects](searching.md): means of {CASES}.",
        (10, 100, 1000, 10_000),
        10_000,
        SEARCHED,
        factors,
    ),
    Axis(
        "causes",
        "causes",
        "Causes",
        f"The same among {FACTORS:,} factors, of which so many break the runs.",
        (1, 4, 16, 64),
        100,
        SEARCHED,
        causes,
    ),
)


def told(axis: str, size: int) -> str:
    """One measurement as JSON, for the process that started this one."""
    by_name: dict[str, Any] = {one.name: one for one in AXES}
    return json.dumps(by_name[axis].measure(size))
