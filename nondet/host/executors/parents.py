"""Processes that have imported a subject's frameworks, from which its trials are forked.

Importing is most of a short trial. A forked trial starts with what its parent has: the order of
sets of strings and the addresses of objects are the parent's, and all else is drawn anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from nondet.host.executors.interface import ExecutorError, Start
from nondet.host.executors.supervisor import fix_addresses

PROGRAM = Path(__file__).with_name("supervisor.py")
FORK_LIMIT = 30.0
"""Seconds in which a parent that has imported everything must have forked."""
OLDEST = (3, 10)
"""Python that the supervisor runs on, which is the subject's own in a forked trial."""


class Forked:
    """A trial's supervisor that a parent has forked: what `subprocess.Popen` is for others."""

    def __init__(self, pid: int, parent: Parent, stdin: int, stdout: int) -> None:
        self.pid, self._parent = pid, parent
        self.stdin, self.stdout = os.fdopen(stdin, "wb", 0), os.fdopen(stdout, "rb", 0)
        self._handle: int | None = None
        with contextlib.suppress(ProcessLookupError):  # it has ended, and its parent as well
            self._handle = os.pidfd_open(pid)
        if not self.held:
            self._close()  # it may be another's

    @property
    def held(self) -> bool:
        """Whether its number is its own, ended or not: its parent keeps it until it is told."""
        return self._handle is not None and self._parent.alive

    def kill(self) -> None:
        if self._handle is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> None:
        """Until it has ended. Raises subprocess.TimeoutExpired."""
        if self._handle is None:
            return
        ready, _, _ = select.select([self._handle], [], [], timeout)
        if not ready:
            raise subprocess.TimeoutExpired("supervisor", timeout or 0.0)
        self._close()
        self._parent.forget(self.pid)

    def _close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class Parent:
    """One such process. It imports on its own; `state` says how far it is."""

    def __init__(self, start: Start, room: Path) -> None:
        """Begin to import. `room`: a folder of its own. Raises OSError."""
        self.began = time.monotonic()
        self.start, self.room = start, room
        self.unfit, self.seconds = "", 0.0
        self._ready, self._heard = False, b""
        settings = {
            "host": os.getpid(),
            "folder": str(start.folder),
            "imports": [[name, dict(changes)] for name, changes in start.imports],
            "supervisor": str(PROGRAM),
            "seed": start.seed,
        }
        (room / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        self._socket, theirs = socket.socketpair()
        arguments = ("--parent", str(room / "settings.json"), str(theirs.fileno()))
        with (room / "log").open("wb") as log, theirs:
            self._process = subprocess.Popen(
                [start.python, start.guest, *arguments],
                cwd=start.cwd,
                env=dict(start.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                preexec_fn=fix_addresses if start.fixed_addresses else None,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def importing(self) -> bool:
        """Whether it is not ready yet, and may become so."""
        self._poll()
        return not self._ready and not self.unfit

    @property
    def ready(self) -> bool:
        self._poll()
        return self._ready and not self.unfit

    def _poll(self) -> None:
        if not self._ready and not self.unfit and (answer := self._hear(0.0)) is not None:
            self.seconds = time.monotonic() - self.began
            self.unfit = str(answer.get("unfit", "")) or self.unfit
            self._ready = not self.unfit

    def _hear(self, seconds: float) -> Mapping[str, object] | None:
        """Its next answer, if it comes in that time."""
        if b"\n" not in self._heard:
            if not select.select([self._socket], [], [], seconds)[0]:
                return None
            data = b""
            with contextlib.suppress(OSError):
                data = self._socket.recv(65536)
            if not data:
                self.unfit = self.unfit or self._last_words()
                return None
            self._heard += data
        line, newline, rest = self._heard.partition(b"\n")
        if not newline:
            return None
        self._heard = rest
        told: dict[str, object] = json.loads(line)
        return told

    def _last_words(self) -> str:
        said = (self.room / "log").read_text("utf-8", "replace").strip()
        return said.rpartition("\n")[2] or "it ended"

    def fork(self, log: Path) -> Forked:
        """A supervisor that waits for its order. Raises ExecutorError when there is none."""
        order, give = os.pipe()
        hear, answers = os.pipe()
        told = None
        with log.open("wb") as file, contextlib.suppress(OSError):
            socket.send_fds(self._socket, [bytes(4)], [order, answers, file.fileno()])
            told = self._hear(FORK_LIMIT)
        os.close(order)
        os.close(answers)
        if told is None or not isinstance(told.get("pid"), int):
            os.close(give)
            os.close(hear)
            self.unfit = self.unfit or "it did not fork"
            raise ExecutorError("trial-not-started", f"no trial could be forked: {self.unfit}.")
        return Forked(int(str(told["pid"])), self, give, hear)

    def forget(self, pid: int) -> None:
        """A supervisor has ended, and nobody goes by its number any more."""
        with contextlib.suppress(OSError):  # the parent has ended: so has all that it kept
            self._socket.send(pid.to_bytes(4, "big"))

    def close(self) -> None:
        """End it. Trials that it has forked end with it, so they must have ended before."""
        self._socket.close()
        self._process.kill()
        self._process.wait()


def possible(python: str) -> bool:
    """Whether trials of a subject with this Python version can be forked here."""
    version = tuple(int(part) for part in python.split(".")[:2] if part.isdecimal())
    return sys.platform == "linux" and version >= OLDEST and _handles()


def _handles() -> bool:
    """Whether a process can be held by a handle: some builds of Python lack the functions, old
    kernels and some containers the calls."""
    try:
        handle = os.pidfd_open(os.getpid())
        try:
            signal.pidfd_send_signal(handle, 0)
        finally:
            os.close(handle)
    except (AttributeError, OSError):
        return False
    return True
