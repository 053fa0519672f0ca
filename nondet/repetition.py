"""The records of a repetition: what `repeat.json` holds, and nothing else.

Every record is frozen. A field is added freely; one that is renamed, removed or
changes its meaning raises ``SCHEMA`` and gets a line in its history below.
"""

from __future__ import annotations

from typing import Literal

from nondet import record
from nondet.record import Arm, Base, Environment, Failure, Outcome, RecordError, Subject

SCHEMA = 1
"""Schema number of ``repeat.json``.

History:
  1  first version
"""

Kind = Literal["none", "too-few", "one", "few", "many", "all-different"]
Origin = Literal["history", "metric", "pattern"]
Role = Literal["as-it-is", "control", "source"]


class Interval(Base, frozen=True, kw_only=True):
    """A bootstrap interval, at the level of the repetition's `Bootstrap`."""

    low: float
    high: float
    method: Literal["bca", "percentile"]


class Summary(Base, frozen=True, kw_only=True):
    """One final metric over the whole runs of a series."""

    label: str
    """What it is called in `Run.values`: its name, with more where two have the same."""
    name: str = ""
    origin: Origin = "history"
    model: str = ""
    """The model whose `History` it is from; empty for others."""
    count: int = 0
    """Runs with a finite value: all that follows is about these."""
    missing: int = 0
    """Whole runs without a value."""
    not_finite: dict[str, int] = {}
    """How many runs gave ``NaN``, ``Infinity`` or ``-Infinity``."""
    distinct: int = 0
    """How many different values there are, bit for bit."""
    mean: float | None = None
    sd: float | None = None
    """Of a sample (n - 1); None for fewer than two values."""
    min: float | None = None
    max: float | None = None
    percentiles: dict[str, float] = {}
    """By percent: ``5``, ``25``, ``50``, ``75``, ``95``; linear between values."""
    mean_interval: Interval | None = None
    sd_interval: Interval | None = None


class Run(Base, frozen=True, kw_only=True):
    """One trial."""

    id: str
    outcome: Outcome
    seconds: float
    result: int = 0
    """Which of the series' distinct results it ended with, from 1; 0 for none."""
    values: dict[str, float | str] = {}
    """Final value of each metric; ``NaN``, ``Infinity`` and ``-Infinity`` as text."""
    exit_code: int | None = None
    peak_memory: int | None = None
    note: str = ""
    stdout_tail: str = ""
    """The last 4 KiB of a log, of a run that failed; empty for others."""
    stderr_tail: str = ""

    @property
    def whole(self) -> bool:
        """Whether it ran to its end: all others are counted, and never averaged."""
        return self.outcome == "completed"


class Series(Base, frozen=True, kw_only=True):
    """Runs under one plan."""

    role: Role
    text: str
    """What is free in it, in a few words."""
    factor: str = ""
    """The one source that is free; empty unless `role` is ``source``."""
    held: dict[str, Arm] = {}
    """Arm of what is not free."""
    asked: int = 0
    """Runs asked for."""
    runs: tuple[Run, ...] = ()
    results: tuple[int, ...] = ()
    """How many runs ended with each distinct result, most frequent first."""
    compared: Literal["weights", "values", "metrics", ""] = ""
    """What is meant by a result: final weights with the last value of each ``nondet.checkpoint``,
    such values where no model trains, and metrics where there are none either."""
    kind: Kind = "none"
    metrics: tuple[Summary, ...] = ()

    @property
    def whole(self) -> tuple[Run, ...]:
        return tuple(run for run in self.runs if run.whole)

    @property
    def failed(self) -> tuple[Run, ...]:
        """Runs that crashed, were killed or took too long. One that nondet stopped did not fail."""
        return tuple(run for run in self.runs if run.outcome not in ("completed", "stopped-early"))

    def summary(self, label: str) -> Summary | None:
        return next((found for found in self.metrics if found.label == label), None)


class Share(Base, frozen=True, kw_only=True):
    """Part of a metric's variance that is there with one source alone free."""

    factor: str
    metric: str
    """Its label."""
    share: float
    """Variance with only this source free, over the variance of the script as it is."""
    interval: Interval | None = None


class Bootstrap(Base, frozen=True, kw_only=True):
    """How the intervals were made: with the same seed they come out the same."""

    seed: int
    resamples: int
    level: float


class RepetitionCost(Base, frozen=True, kw_only=True):
    """What the runs took."""

    runs: int
    earlier: int = 0
    """How many of them are of earlier sessions, taken over by ``--resume``."""
    subject_seconds: float
    """Of all runs together."""
    wall_seconds: float
    """Of the session that wrote the record."""
    single_run_seconds: float
    jobs: int


class Repetition(Base, frozen=True, kw_only=True):
    """The whole record."""

    schema: int = SCHEMA
    nondet: str
    subject: Subject
    environment: Environment
    summary: str
    """What the runs have shown, as one or two sentences."""
    series: tuple[Series, ...]
    """The script as it is first, then the control, then each source."""
    shares: tuple[Share, ...] = ()
    sums: dict[str, float] = {}
    """Sum of the shares by metric: interactions make it another number than 1."""
    holds: bool | None = None
    """Whether the runs with all sources pinned ended alike; None when that was not asked."""
    bootstrap: Bootstrap
    cost: RepetitionCost
    started: str
    seed: int
    """All pinned streams of numbers derive from it."""
    digest: str = ""
    isolation: str = ""
    patterns: tuple[str, ...] = ()
    """As given by ``--pattern``."""
    options: tuple[str, ...] = ()
    """All options as they were given, without those that say where the result goes."""
    diagnosis: str = ""
    """The folder of the diagnosis that named the sources; empty when they were given."""
    error: Failure | None = None
    interrupted: bool = False
    warnings: tuple[str, ...] = ()
    titles: dict[str, str] = {}
    """Title of each source in a few words."""

    @property
    def free(self) -> Series:
        """The script as it is."""
        return self.series[0]

    @property
    def exit_code(self) -> int:
        """That of the command: see docs/command.md."""
        if self.interrupted:
            return 130
        if self.error is not None:
            return 5
        short = any(len(one.whole) < one.asked for one in self.series)
        return 4 if short else 0


def encode(repetition: Repetition) -> bytes:
    """JSON, indented, with NaN and infinities as null."""
    return record.encode_any(repetition)


def decode(data: bytes) -> Repetition:
    """Read what `encode` wrote. Raises RecordError, saying what is wrong and where."""
    return record.decode_any(data, Repetition, SCHEMA, "a repetition")


__all__ = ["RecordError", "Repetition", "decode", "encode"]
