"""Judges diagnoses of simulated cases: what was found, what was named falsely, what it took."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Iterable

from nondet import stats
from nondet.search.diagnosing import Goal, Search
from nondet.search.questions import Candidate
from tests.benchmarks.searching.cases import Case
from tests.benchmarks.searching.subject import Subject, drive

LEVEL = 0.95
"""Of the intervals."""


@dataclasses.dataclass(frozen=True)
class Judged:
    """One diagnosis of one case; `family` and `seed` make the case again."""

    family: str
    seed: int
    by: str
    confidence: float
    rate: float
    """The goal."""
    found: bool
    """Every cause is held by what was named, or the runs were rightly said to repeat."""
    false: int
    """Factors named that are part of no cause."""
    runs: float
    """Seconds of all trials until the verdict stood, in whole runs of the subject."""
    trials: int
    """Until then."""
    after: float = 0.0
    """Runs after the verdict, for other pins that would do as well."""


@dataclasses.dataclass(frozen=True)
class Sum:
    """Many diagnoses by one tool, taken together."""

    by: str
    cases: int
    found: int
    false: int
    runs: float
    """Mean."""
    error: float
    """Standard error of that mean."""
    trials: float
    after: float

    @property
    def recall(self) -> float:
        return self.found / self.cases

    @property
    def accused(self) -> float:
        """False accusations for each diagnosis."""
        return self.false / self.cases

    @property
    def between(self) -> tuple[float, float]:
        """The interval of the recall, two one-sided Clopper-Pearson bounds."""
        level = (1 + LEVEL) / 2
        low = stats.divergence_floor(self.found, self.cases, level)
        return low, stats.divergence_bound(self.found, self.cases, level)


def sum_up(judged: Iterable[Judged]) -> Sum:
    rows = list(judged)
    runs = [row.runs for row in rows]
    return Sum(
        by=rows[0].by,
        cases=len(rows),
        found=sum(row.found for row in rows),
        false=sum(row.false for row in rows),
        runs=statistics.fmean(runs),
        error=stats.standard_deviation(runs) / math.sqrt(len(runs)),
        trials=statistics.fmean(row.trials for row in rows),
        after=statistics.fmean(row.after for row in rows),
    )


def diagnose(
    case: Case, goal: Goal, make: Callable[..., Search] = Search, by: str = "nondet"
) -> Judged:
    """nondet's own search on a case. Only a verdict that says so counts as found."""
    subject = Subject(case)
    search = make([Candidate(name) for name in case.factors], (), goal)
    decided: tuple[float, int] | None = None

    def watch() -> None:
        nonlocal decided
        if search.finding.verdict != "unsure" and decided is None:
            decided = (subject.seconds, subject.trials)

    found = drive(search.run(), subject, watch)
    seconds, trials = decided or (subject.seconds, subject.trials)
    named = frozenset(guilt.factor for guilt in found.guilty)
    right = "causes-found" if case.causes else "reproducible"
    return Judged(
        case.family,
        case.seed,
        by,
        goal.confidence,
        goal.rate,
        found.verdict == right and case.recalled(named),
        len(case.accused(named)),
        seconds / case.whole,
        trials,
        (subject.seconds - seconds) / case.whole,
    )
