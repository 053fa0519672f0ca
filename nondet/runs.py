"""The records of single runs: the head of an `.nd` file, and what comparing two of them shows.

Every record is frozen. A field is added freely; one that is renamed, removed or changes its
meaning raises the schema number and gets a line in its history below.
"""

from __future__ import annotations

from typing import Literal

from nondet.record import (
    Arm,
    Base,
    Compared,
    Divergence,
    Environment,
    Failure,
    Subject,
    decode_any,
    encode_any,
)

RUN_SCHEMA = 1
"""Schema number of an `.nd` file.

History:
  1  first version
"""
CHECK_SCHEMA = 1
"""Schema number of what `nondet check --json` prints.

History:
  1  first version
"""
COMPARISON_SCHEMA = 1
"""Schema number of what `nondet diff --json` prints.

History:
  1  first version
"""


class Facts(Base, frozen=True, kw_only=True):
    """What a run had around it, as far as it bears on reproducibility."""

    environment: Environment
    features: tuple[str, ...] = ()
    """Instruction sets of the processor that numerical libraries choose their kernels by."""
    threads: int = 0
    """Cores that the process might use."""
    variables: dict[str, str] = {}
    """Environment variables of Python, frameworks and numerical libraries."""
    frameworks: dict[str, str] = {}
    """Versions of those that were imported."""


class RecordedRun(Base, frozen=True, kw_only=True):
    """One run of a script, recorded."""

    schema: int = RUN_SCHEMA
    nondet: str
    subject: Subject
    facts: Facts
    started: str
    """When, in ISO 8601 and UTC."""
    seconds: float
    granularity: str
    seed: int
    """What pinned streams were made from."""
    pins: dict[str, Arm] = {}
    checkpoints: int = 0
    metrics: dict[str, float | str | None] = {}
    """Last value seen of every metric; ``NaN``, ``Infinity`` and ``-Infinity`` as text. None in a
    file of before that was so: not finite."""
    values_omitted: int = 0
    """Tensors whose values were not kept, since there were too many bytes of them."""


class Gap(Base, frozen=True, kw_only=True):
    """Something that the two runs had around them, and that is not the same."""

    kind: Literal["script", "package", "processor", "gpu", "threads", "variable", "python", "pins"]
    name: str
    one: str
    other: str
    effect: str = ""
    """What it is known to do to results; empty where nothing is known."""


class Far(Base, frozen=True, kw_only=True):
    """How far one tensor is apart in the two runs. None: the values were not kept, or the distance
    is not defined (see `nondet.host.differences.Distance`)."""

    tensor: str
    other: str = ""
    """Its path in the other run, where that is another one."""
    max_abs: float | None = None
    max_rel: float | None = None
    max_ulp: int | None = None
    share: float | None = None


class Parting(Base, frozen=True, kw_only=True):
    """A moment at which the two runs differ."""

    checkpoint: Literal["init", "batch", "step", "epoch", "fit", "end", "user"]
    label: str
    """The moment in words: ``epoch 3``."""
    model: str
    epoch: int
    step: int
    tensors: int
    """Tensors that were compared there."""
    differing: int
    apart: tuple[Far, ...] = ()
    """Those that differ, in the order of the layers."""


class Measured(Base, frozen=True, kw_only=True):
    """A metric's last value in the two runs; None where one has it not. ``NaN``, ``Infinity`` and
    ``-Infinity`` as text."""

    name: str
    one: float | str | None
    other: float | str | None


class Comparison(Base, frozen=True, kw_only=True):
    """What `nondet diff` says of two runs."""

    schema: int = COMPARISON_SCHEMA
    nondet: str
    files: tuple[str, str]
    one: RecordedRun
    other: RecordedRun
    agree: bool
    """Whether all that both recorded is equal bit for bit, and neither recorded more."""
    summary: str
    compared: int
    """Checkpoints that both have."""
    first: Parting | None = None
    last: Parting | None = None
    """The last moment that both have, where it differs."""
    shape: tuple[str, ...] = ()
    """How the two differ in what there is to compare: layers, lengths, models."""
    gaps: tuple[Gap, ...] = ()
    metrics: tuple[Measured, ...] = ()
    """Those that differ."""


class Check(Base, frozen=True, kw_only=True):
    """What `nondet check` says of a script."""

    schema: int = CHECK_SCHEMA
    nondet: str
    subject: Subject
    verdict: Literal["agrees", "parts", "left-the-baseline", "unsure", "broken"]
    summary: str
    runs: int
    """Runs that came to their end, or were compared until they parted."""
    divergence_probability_bound: float | None = None
    """Upper bound on the probability that a further run differs; None unless they agree."""
    level: float
    first: Divergence | None = None
    """Where runs part."""
    compared: Compared | None = None
    """What these runs agree in; None unless they agree."""
    warnings: tuple[str, ...] = ()
    baseline: Comparison | None = None
    """The first of these runs against the recorded one; None where there is none."""
    seconds: float
    error: Failure | None = None


def encode(value: RecordedRun | Comparison | Check) -> bytes:
    """JSON, indented, with NaN and infinities as null."""
    return encode_any(value)


def decode_run(data: bytes) -> RecordedRun:
    """Read the head of an `.nd` file. Raises RecordError."""
    return decode_any(data, RecordedRun, RUN_SCHEMA, "a recorded run")
