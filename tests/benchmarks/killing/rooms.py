"""One diagnosis that is killed, or hurt, and goes on to its end."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from nondet import record
from tests.benchmarks.killing import roles, whole
from tests.command.running import MARK, NONDET, PATIENCE, marked

LONGEST = 1800.0
"""Seconds after which a diagnosis hangs."""
LATER = 0.3
"""Seconds after which, at most, a process is killed that was waited for."""
LOOK = 0.01
"""Seconds between two looks at what is running."""

Moment = float | Callable[[], bool]
"""Seconds after the command was started, or what is so from then on."""

Saved = Mapping[str, bytes]
"""`trial.json` of each trial that has ended, by the trial's name."""


@dataclasses.dataclass(frozen=True)
class Killed:
    """A kill that hit a running diagnosis."""

    moment: float
    """Seconds after the command was started."""
    saved: Saved
    """What had ended by then."""
    alive: tuple[str, ...]
    """Processes that outlived it."""
    beside: tuple[str, ...] = ()
    """Roles of the processes that ran at that moment."""
    faults: tuple[str, ...] = ()
    """What was not whole in the output folder after it."""


@dataclasses.dataclass(frozen=True)
class Ended:
    """A diagnosis that was killed, gone on with, and has ended."""

    kills: tuple[Killed, ...]
    code: int
    output: Path
    alive: tuple[str, ...]
    scratch: tuple[str, ...]
    """What lies in the folder for temporary files when all is over."""


class Failed(Exception):
    """The benchmark can't be carried out."""


class Room:
    """A folder with a copy of the script, and one for temporary files."""

    def __init__(self, base: Path, script: Path, jobs: int, options: Sequence[str] = ()) -> None:
        self.project, self.temporary = base / "project", base / "tmp"
        self.project.mkdir(parents=True)
        self.temporary.mkdir()
        self.script = Path(shutil.copy(script, self.project)).name
        self.output = self.project / "nondet-report"
        self.log = base / "nondet.log"
        self.options = ["--jobs", str(jobs), *options]
        self.mark = uuid.uuid4().hex

    @contextlib.contextmanager
    def started(self, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """``nondet diagnose`` of the script, running; whatever is left of it is killed."""
        shown = {"TMPDIR": str(self.temporary), MARK: self.mark, "TF_CPP_MIN_LOG_LEVEL": "3"}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [NONDET, "diagnose", *self.options, *options, self.script],
                cwd=self.project,
                env=os.environ | shown,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            try:
                yield process
            finally:
                for survivor in marked(self.mark):
                    with contextlib.suppress(psutil.Error):
                        survivor.kill()
                process.wait(PATIENCE)

    def saved(self) -> dict[str, bytes]:
        paths = self.output.glob("trials/*/trial.json")
        return {path.parent.name: path.read_bytes() for path in sorted(paths)}

    def alive(self) -> tuple[str, ...]:
        """Processes that don't end, however long that takes on a busy machine."""
        deadline = time.monotonic() + PATIENCE
        while (found := marked(self.mark)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return tuple(f"{p.pid} {named(p)}" for p in found)

    def running(self, host: int) -> list[tuple[str, psutil.Process]]:
        """Processes of its trials, with their roles. What runs before there is a trial, to see what
        the machine allows, is none of theirs."""
        return roles.alive(self.mark, host) if any(self.output.glob("trials/t*")) else []

    def wait(
        self, process: subprocess.Popen[bytes], moment: Moment, role: str, generator: random.Random
    ) -> list[tuple[str, psutil.Process]] | None:
        """Until that moment, and then for a process of this role, if it is not empty; what runs
        then. None when the diagnosis has ended before. Raises Failed where it never comes."""
        deadline = time.monotonic() + LONGEST
        if callable(moment):
            while process.poll() is None and not moment():
                within(deadline, "the moment of a kill")
                time.sleep(LOOK)
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(moment)
        if process.poll() is not None:
            return None
        if not role:
            return self.running(process.pid)
        paused = True
        while process.poll() is None:
            within(deadline, f"a {role}")
            found = self.running(process.pid)
            if not any(what == role for what, _ in found):
                paused = False
                time.sleep(LOOK)
            elif paused:
                return found
            else:
                # Not all of them as soon as they are there.
                time.sleep(generator.uniform(0, LATER))
                paused = True
        return None

    def kill(
        self, moment: Moment, generator: random.Random, *options: str, beside: str = ""
    ) -> Killed | None:
        """Kill a diagnosis at that moment, or when a process of that role is there; None when it
        had ended before."""
        began = time.monotonic()
        with self.started(*options) as process:
            found = self.wait(process, moment, beside, generator)
            if found is None:
                return None
            process.kill()
            seconds = time.monotonic() - began
            if process.wait(PATIENCE) >= 0:
                return None
            alive = self.alive()
            faults = tuple(whole.faults_in(self.output))
            return Killed(seconds, self.saved(), alive, tuple(what for what, _ in found), faults)

    def hurt(
        self, moment: float, role: str, generator: random.Random
    ) -> tuple[Ended, float] | None:
        """Kill a process of that role, which the diagnosis has started, at that moment or as soon
        as there is one, and let it go on; and the seconds by then. None when nothing was hit."""
        began = time.monotonic()
        with self.started() as process:
            found = self.wait(process, moment, role, generator)
            if found is None:
                return None
            victim = generator.choice([one for what, one in found if what == role])
            try:
                victim.kill()
            except psutil.Error:
                return None
            seconds = time.monotonic() - began
            code = process.wait(LONGEST)
            alive = self.alive()
        return Ended((), code, self.output, alive, self.left()), seconds

    def end(self, kills: Sequence[Killed], *options: str) -> Ended:
        """Let it go on to its end."""
        with self.started(*options) as process:
            code = process.wait(LONGEST)
            alive = self.alive()
        return Ended(tuple(kills), code, self.output, alive, self.left())

    def left(self) -> tuple[str, ...]:
        return tuple(sorted(path.name for path in self.temporary.iterdir()))


def within(deadline: float, what: str) -> None:
    """Raises Failed after that time."""
    if time.monotonic() > deadline:
        raise Failed(f"waited in vain for {what}")


def named(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:120]
    except psutil.Error:
        return "?"


def quietly(
    base: Path, script: Path, jobs: int, options: Sequence[str] = ()
) -> tuple[record.Diagnosis, float]:
    """The undisturbed diagnosis, and how long it took. Raises Failed."""
    began = time.monotonic()
    room = Room(base, script, jobs, options)
    ended = room.end(())
    seconds = time.monotonic() - began
    try:
        return record.decode((ended.output / "diagnosis.json").read_bytes()), seconds
    except OSError as error:
        raise Failed(f"exit code {ended.code}:\n{room.log.read_text(errors='replace')}") from error


def disturbed(
    room: Room, kills: int, seconds: float, generator: random.Random, beside: str = ""
) -> Ended:
    """A diagnosis, killed so many times at most. The moments of a chain share twice the time that
    the undisturbed one took: on the way it gets on, and its later kills hit as well."""
    done: list[Killed] = []
    for _ in range(kills):
        again = ("--resume",) if done else ()
        moment = generator.uniform(0, seconds / max(1, kills / 2))
        killed = room.kill(moment, generator, *again, beside=beside)
        if killed is None:
            break
        done.append(killed)
    return room.end(done, "--resume")
