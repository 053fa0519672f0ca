"""What an executor does: start one trial's process, say when it ended, stop it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, Self

from nondet.host.errors import UsageError


class ExecutorError(UsageError):
    """Trials can't be run as asked: a folder, mount or program that the system refuses."""


class SupervisorLost(ExecutorError):
    """A trial's supervisor was killed before the trial began: by somebody else, and not again."""


@dataclasses.dataclass(frozen=True)
class Launch:
    """One process to start."""

    trial: str
    argv: tuple[str, ...]
    env: dict[str, str]
    """The whole environment: nothing is inherited."""
    cwd: Path
    """The subject's working folder; the trial sees it at this very path where possible."""
    folders: tuple[Path, ...]
    """Folders whose files the trial may change without others seeing it (`cwd` among them)."""
    log_folder: Path
    """Where `stdout.log` and `stderr.log` go (exists)."""
    leftovers: Path | None = None
    """What an earlier trial left (`Ended.leftovers`), to start from; None for a fresh folder."""
    keep_leftovers: bool = False
    fixed_addresses: bool = False
    """Start it without address space randomisation, where the system allows."""
    load: int = 0
    """Busy processes beside it, as long as it runs."""
    parent: str = ""
    """Name of the process that it is forked from; empty for one that starts by itself."""
    files: tuple[tuple[Path, bytes], ...] = ()
    """Files in `folders` that the trial alone finds with this content."""


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a process ended."""

    exit_code: int | None
    """Negative for a signal, as in `subprocess`; None when the supervisor was lost, or told to
    end by somebody else."""
    seconds: float
    peak_memory: int | None
    """Bytes, largest single process of the trial."""
    wrote: tuple[str, ...]
    """Files changed or made in the folders, relative to them, at most 1000 (bytecode left out)."""
    leftovers: Path | None = None
    stopped: str = ""
    """Why it was stopped, when it was."""
    left_running: int = 0
    """Processes still alive after the trial's main one had ended; they were killed."""
    lost: str = ""
    """How the machine that ran it was lost; it says nothing of the trial, and is asked again."""


@dataclasses.dataclass(frozen=True)
class Start:
    """What is in force before anything of a trial runs. Trials that start alike can be forked from
    one process that has imported the frameworks."""

    python: str
    guest: str
    """Path of the guest."""
    env: tuple[tuple[str, str], ...]
    cwd: Path
    folder: Path
    """The script's own folder."""
    imports: tuple[tuple[str, tuple[tuple[str, str | None], ...]], ...]
    """Modules in their order, with the changes to the environment before each."""
    seed: int
    """The plans' seed."""
    fixed_addresses: bool = False


class ImportingProcess(Protocol):
    """A process that imports what trials need, to be forked from then on."""

    unfit: str
    """Why nothing can be forked from it; empty as long as that is not known."""
    seconds: float
    """What importing has taken; 0 while it goes on."""

    @property
    def importing(self) -> bool:
        """Whether it is not ready yet, and may become so."""

    @property
    def ready(self) -> bool: ...


class Running(Protocol):
    """A started process."""

    @property
    def waiting(self) -> bool:
        """Whether it is still to be started, as far as is known: a worker of a cluster may have
        something else to do."""

    def poll(self) -> Ended | None:
        """How it ended, or None while it runs. Cheap; called many times a second."""

    def stop(self, reason: str, grace: float = 0.3) -> None:
        """End the process and every descendant, soon; `poll` then reports it.

        `grace`: seconds between SIGTERM and SIGKILL.
        """


@dataclasses.dataclass(frozen=True)
class Machine:
    """A machine of a cluster that ran trials."""

    host: str
    kind: str
    """Names its hardware and software: trials of machines of one kind can be compared."""
    cpu: str
    features: tuple[str, ...]
    cores: int
    """Those that a trial may use."""
    platform: str
    libc: str
    gpus: tuple[str, ...]
    """Those that a trial may use."""
    driver: str | None
    python: str
    packages: tuple[tuple[str, str], ...]
    """Name and version of all that the subject's interpreter has there."""
    isolation: str


class Place(Protocol):
    """Where a trial runs."""

    @property
    def runtime(self) -> Path:
        """The output folder as the guest sees it while a trial runs."""

    @property
    def temporary(self) -> Path | None:
        """Where each trial has a folder for temporary files of its own; None where none has."""

    @property
    def machine(self) -> int | None:
        """Number of the machine in `Executor.machines`; None where there is but this one."""

    def map_path(self, trial: str, path: Path) -> Path:
        """A path in the user's folders as that trial sees it."""

    def gpus(self, environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Identifier and model of the GPUs that a trial with this environment sees on the machine
        of a cluster, as far as that can be told; none where there is but this machine."""


class OnePlace:
    """An executor whose trials all run at one place, which is the executor itself."""

    machines: tuple[Machine, ...] = ()
    machine: int | None = None
    temporary: Path | None = None
    slots: int | None = None

    def room(self, elsewhere: bool | None = False) -> bool:
        return True

    def place(self, trial: str, elsewhere: bool | None = False) -> Self:
        return self

    def gpus(self, environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        return ()


class Executor(Protocol):
    """Starts trials. A context manager: on leaving it, nothing it started is alive."""

    @property
    def isolation(self) -> str:
        """``overlay``, ``copy`` or ``in-place``."""

    @property
    def warning(self) -> str:
        """What the isolation in force can't keep apart, in one line; empty when nothing."""

    @property
    def machines(self) -> tuple[Machine, ...]:
        """Those of a cluster, in the order in which they came; none where trials run here."""

    @property
    def slots(self) -> int | None:
        """Trials that can run side by side; None where only the machine's room says how many."""

    def room(self, elsewhere: bool | None = False) -> bool:
        """Whether a trial can be started now. `elsewhere`: on another kind of machine than most
        trials; None for any kind. Raises ExecutorError where none will ever be."""

    def place(self, trial: str, elsewhere: bool | None = False) -> Place:
        """Where a trial will run that is started next; there must be room."""

    def parent(self, name: str, start: Start) -> ImportingProcess:
        """Begin to import what trials need, in a process that trials can be forked from: they name
        it in `Launch.parent`. Raises OSError."""

    def end_parent(self, name: str) -> None:
        """End such a process. None of its trials may be running."""

    def start(self, launch: Launch) -> Running: ...

    def close(self) -> None: ...
