"""What people would otherwise use, on the same simulated subjects.

Each tool is given what it works on: it says which factors are to be pinned, a trial runs to its end
(none of them compares while it runs), and is equal to another one or not. What a run costs is the
same for all. What trials show of a subject beside their results, none of them asks for.

`picire` and `mlbisect` are the packages of that name (extra ``benchmarks``). The order of
``reprotest --auto-build`` and Verrou's rddmin are written anew here from their published
algorithms; the latter's inner step is ddmin, for which picire's is taken.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import mlbisect.sampler
import picire
from mlbisect.config import Configuration
from mlbisect.executors.base import RunResult
from mlbisect.manifest import Axis, BudgetConfig, Manifest, MetricConfig, RunConfig
from mlbisect.search import find_culprits

from tests.benchmarks.searching.cases import Case
from tests.benchmarks.searching.subject import NEVER, Run, Subject

SAMPLES = 5
"""Runs of a configuration that Verrou compares with its reference."""
MOST_RUNS = 100_000
"""For mlbisect, whose own default of 60 would end it before it has begun with 32 factors."""

logging.getLogger("picire").setLevel(logging.ERROR)


@dataclasses.dataclass
class Oracle:
    """Runs a case's trials to their end, one by one, and says whether they are equal."""

    case: Case

    def __post_init__(self) -> None:
        self.subject = Subject(self.case, jobs=1)
        self.chance = random.Random(f"{self.case.family}/{self.case.seed}/order")

    @property
    def names(self) -> tuple[str, ...]:
        return self.case.factors

    def run(self, free: Iterable[str]) -> Run:
        """One trial with these factors free and all others pinned."""
        loose = set(free)
        return self.subject.whole_run({n: "pinned" for n in self.names if n not in loose})

    def equal(self, one: Run, other: Run) -> bool:
        return self.subject.apart_at(one, other) >= NEVER

    def agrees(self, free: Iterable[str], runs: int) -> bool:
        """Whether that many trials of one plan are all equal; all are run."""
        first, *others = [self.run(free) for _ in range(runs)]
        return all(self.equal(first, other) for other in others)


Peer = Callable[[Oracle, float], frozenset[str]]
"""Names the causes; the number is the rate that must not be missed, for those that ask for it."""


def one_at_a_time(oracle: Oracle, runs: int) -> frozenset[str]:
    """Both ends, then each factor let go alone; every plan in full, that many times."""
    if oracle.agrees(oracle.names, runs) or not oracle.agrees((), runs):
        return frozenset()
    return frozenset(name for name in oracle.names if not oracle.agrees([name], runs))


def ddmin(oracle: Oracle, runs: int) -> frozenset[str]:
    """The smallest set of pins with which trials agree, by picire's ddmin."""
    if oracle.agrees(oracle.names, runs) or not oracle.agrees((), runs):
        return frozenset()

    def holds(pins: Sequence[str]) -> bool:
        return oracle.agrees([n for n in oracle.names if n not in pins], runs)

    return frozenset(_ddmin(oracle.names, holds, known=True))


def _ddmin(
    names: Sequence[str], interesting: Callable[[Sequence[str]], bool], known: bool
) -> list[str]:
    """picire's result; `known`: all of them together are interesting. Nothing is asked twice."""
    told: dict[frozenset[str], bool] = {frozenset(names): known}

    def test(config: Sequence[str], _: object) -> Any:
        key = frozenset(config)
        if key not in told:
            told[key] = interesting(config)
        return picire.Outcome.FAIL if told[key] else picire.Outcome.PASS

    found: list[str] = picire.DD(test, cache=picire.ConfigCache())(list(names))
    return found


def auto_build(oracle: Oracle) -> frozenset[str]:
    """reprotest's order: a control, the same again, all varied, then each in turn in a random
    order, one run each. What makes no difference stays varied."""
    control = oracle.run(())
    if not oracle.equal(control, oracle.run(())):
        return frozenset()
    if oracle.equal(control, oracle.run(oracle.names)):
        return frozenset()
    order = list(oracle.names)
    oracle.chance.shuffle(order)
    varied: list[str] = []
    found = []
    for name in order:
        if oracle.equal(control, oracle.run([*varied, name])):
            varied.append(name)
        else:
            found.append(name)
    return frozenset(found)


def rddmin(oracle: Oracle, samples: int) -> frozenset[str]:
    """Verrou's rddmin: smallest sets of freed factors that part from the reference, one after the
    other, each without the former ones. A configuration's samples end at the first that parts."""
    reference = oracle.run(())

    @functools.cache
    def parts(free: frozenset[str]) -> bool:
        return any(not oracle.equal(reference, oracle.run(free)) for _ in range(samples))

    left = list(oracle.names)
    found: set[str] = set()
    if not parts(frozenset(left)) or parts(frozenset()):
        return frozenset()
    while left and parts(frozenset(left)):
        smallest = _ddmin(left, lambda free: parts(frozenset(free)), known=True)
        found |= set(smallest)
        left = [name for name in left if name not in smallest]
    return frozenset(found)


@functools.cache
def _interval(
    baseline: tuple[float, ...], samples: tuple[float, ...], direction: str, confidence: float
) -> tuple[float, float]:
    return _bootstrap(baseline, samples, direction, confidence=confidence)


_bootstrap: Callable[..., tuple[float, float]] = mlbisect.sampler.bootstrap_ci


def _interval_of(
    baseline: Sequence[float], samples: Sequence[float], direction: str, **more: Any
) -> tuple[float, float]:
    """The package's own interval, each once: it resamples 2,000 times whatever it was asked
    before, and depends on nothing but the values, all of which are 0 or 1 here, and a seed."""
    return _interval(tuple(sorted(baseline)), tuple(sorted(samples)), direction, more["confidence"])


class _Executor:
    """Tells mlbisect 0 for a run that equals the first one, and 1 for one that doesn't."""

    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle
        self.reference: Run | None = None

    def run(self, config: Configuration, seed: int) -> RunResult:
        run = self.oracle.run(config.axes)
        self.reference = self.reference or run
        metric = float(not self.oracle.equal(self.reference, run))
        return RunResult(config.axes, seed, metric, True, run.seconds)


def mlbisect_(oracle: Oracle, rate: float) -> frozenset[str]:
    """mlbisect's search with its adaptive sampler: a factor's new value is that it is free, the
    metric whether a run differs. As many rounds as there are factors, not three."""
    manifest = Manifest(
        version=1,
        name="case",
        metric=MetricConfig(name="differs", direction="lower_is_better", min_effect=rate),
        run=RunConfig(command="none"),
        axes=[Axis(name=name, old="pinned", new="free") for name in oracle.names],
        budget=BudgetConfig(max_runs=MOST_RUNS),
    )
    mlbisect.sampler.bootstrap_ci = _interval_of
    found = find_culprits(_Executor(oracle), manifest, max_rounds=len(oracle.names))
    return frozenset(name for names in found.culprit_sets for name in names)
