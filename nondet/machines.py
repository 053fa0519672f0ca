"""The records of a machine: what bears on reproducibility here, and which sources are live here.

Every record is frozen. A field is added freely; one that is renamed, removed or changes its
meaning raises the schema number and gets a line in its history below.
"""

from __future__ import annotations

from typing import Literal

from nondet.record import Base, Divergence, Environment, decode_any, encode_any

CHECKUP_SCHEMA = 1
"""Schema number of what `nondet doctor --json` prints.

History:
  1  first version
"""
PROBING_SCHEMA = 1
"""Schema number of `probing.json`, which `nondet probe` writes.

History:
  1  first version
"""


class Gpu(Base, frozen=True, kw_only=True):
    """A GPU as its driver tells of it. None: the driver doesn't say, or the GPU has it not."""

    name: str
    memory: int | None = None
    """Bytes."""
    capability: tuple[int, int] | None = None
    """Compute capability, (major, minor)."""
    ecc: bool | None = None
    """Whether errors of its memory are corrected."""
    mig: bool | None = None
    """Whether it is cut into instances."""


class Library(Base, frozen=True, kw_only=True):
    """A framework or numerical library that the interpreter has."""

    name: str
    version: str
    told: dict[str, str] = {}
    """What it says of itself: how it was built, what it sees, how it is set."""
    failure: str = ""
    """Why it could not be imported; empty when it could."""


class Remark(Base, frozen=True, kw_only=True):
    """Something about the machine that a user should know."""

    level: Literal["bad", "note"]
    """``bad``: runs will differ by it, or fail. ``note``: good to know."""
    about: str
    text: str
    todo: str = ""
    """What to do; empty where there is nothing."""
    set: tuple[str, str] | None = None
    """The environment variable that does it, and its value."""


class Checkup(Base, frozen=True, kw_only=True):
    """What `nondet doctor` says."""

    schema: int = CHECKUP_SCHEMA
    nondet: str
    interpreter: str
    """Path of the interpreter that was asked."""
    environment: Environment
    """Of the packages, those alone that bear on reproducibility."""
    physical_cores: int | None
    all_cores: int
    """Logical cores of the machine; `environment` has those that may be used."""
    quota: float | None = None
    """Cores' worth of time that the system grants; None when it sets no limit."""
    memory: int
    """Bytes."""
    fixed_addresses: bool
    """Whether processes can be started without address space randomisation."""
    features: tuple[str, ...] = ()
    """Instruction sets of the processor that numerical libraries choose their kernels by."""
    cuda: str | None = None
    """Newest CUDA that the driver serves."""
    gpus: tuple[Gpu, ...] = ()
    libraries: tuple[Library, ...] = ()
    variables: dict[str, str] = {}
    """Environment variables of Python, frameworks and numerical libraries."""
    remarks: tuple[Remark, ...] = ()


class Probed(Base, frozen=True, kw_only=True):
    """What a shipped probe did on this machine."""

    probe: str
    title: str
    factors: tuple[str, ...]
    """The sources that are planted in it."""
    state: Literal["live", "quiet", "skipped", "broken", "unsure"]
    """``live``: free runs differ; ``quiet``: they never did; ``skipped``: it can't run here;
    ``unsure``: time or runs ran out."""
    note: str = ""
    runs: int = 0
    """Free runs that were compared, each as far as it went."""
    distinct: int = 0
    """Different results among them."""
    bound: float | None = None
    """Upper bound on the probability that a further run differs; None unless it is quiet."""
    level: float = 0.95
    """How sure that is."""
    held: Literal["holds", "parts", ""] = ""
    """What runs do with the sources pinned; empty where that was not asked."""
    held_runs: int = 0
    first: Divergence | None = None
    """Where free runs part first."""
    max_abs: float | None = None
    max_rel: float | None = None
    max_ulp: int | None = None
    """How far apart the weights are at the end; None: not known, or not defined."""
    seconds: float = 0.0


class Probing(Base, frozen=True, kw_only=True):
    """What `nondet probe` says of this machine."""

    schema: int = PROBING_SCHEMA
    nondet: str
    started: str
    """When, in ISO 8601 and UTC."""
    seconds: float
    checkup: Checkup
    probes: tuple[Probed, ...]


def encode(value: Checkup | Probing) -> bytes:
    """JSON, indented, with NaN and infinities as null."""
    return encode_any(value)


def decode_probing(data: bytes) -> Probing:
    """Read `probing.json`. Raises RecordError."""
    return decode_any(data, Probing, PROBING_SCHEMA, "what probes showed of a machine")
