"""What a diagnosis is asked to do."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from nondet.host import executing
from nondet.host.horizon import Horizon
from nondet.host.plugins import Plugin


@dataclasses.dataclass(frozen=True)
class Options:
    """What the user asked for, checked."""

    output: Path
    jobs: int | None = None
    budget: float | None = None
    max_trials: int = 100
    confidence: float = 0.95
    rate: float = 0.5
    factors: tuple[str, ...] | None = None
    skip: tuple[str, ...] = ()
    granularity: str = "auto"
    timeout: float | None = None
    resume: bool = False
    digest: str | None = None
    stress: bool = False
    plugins: tuple[Plugin, ...] = ()
    alternatives: bool = False
    forking: bool = True
    """Whether trials may be forked from a process that has imported the frameworks."""
    horizon: Horizon | None = None
    zoom: bool = True
    """Whether further trials look into the steps where runs part."""
    verify: bool = True
    """Whether further trials run the patched script itself."""
    executor: str = executing.LOCAL
    """Where trials run: see `dask_engine.FORMS`."""
    given: tuple[str, ...] = ()
    """These as words of a command line, for one that goes on."""
