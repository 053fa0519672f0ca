"""A trial's process as the host sees it: through its supervisor."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from nondet.host.errors import SHORTAGES
from nondet.host.executors.choice import SUPERVISOR
from nondet.host.executors.interface import Ended, ExecutorError, Launch, SupervisorLost
from nondet.host.executors.parents import Forked, Parent

START_LIMIT = 60.0
"""Seconds in which a supervisor must have started its trial."""
STOP_LIMIT = 15.0
"""Seconds after which a supervisor that was asked to stop is itself killed."""
Clear = Callable[[], tuple[Path | None, tuple[str, ...]]]
"""Removes a trial's files when it has ended; what it left, and what it wrote."""


class Supervisor(subprocess.Popen[bytes]):
    """A trial's supervisor that is started as a program."""

    @property
    def held(self) -> bool:
        """Whether its number is its own, ended or not: nobody has waited for it. Where whoever
        started this process ignores SIGCHLD, the system does so at once."""
        ignored = signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN
        return self.returncode is None and not ignored

    def kill(self) -> None:
        """Popen's would wait for a supervisor that has ended already."""
        if self.held:
            os.kill(self.pid, signal.SIGKILL)
        else:
            super().kill()


class LocalRunning:
    """A trial under its supervisor."""

    waiting = False

    def __init__(
        self, launch: Launch, room: Path, clear: Clear, parent: Parent | None = None
    ) -> None:
        """`parent`: forks it off; without one it is a process of its own. Raises ExecutorError."""
        self._launch, self._room, self._clear = launch, room, clear
        self._started = time.monotonic()
        self._heard, self._silent = b"", False
        self._mounts: Mounts | None = None
        self._reason, self._deadline = "", float("inf")
        self._ended: Ended | None = None
        self._supervisor: Supervisor | Forked
        if parent is not None:
            self._supervisor = parent.fork(room / "supervisor.log")
            return
        with (room / "supervisor.log").open("wb") as log:
            self._supervisor = Supervisor(
                SUPERVISOR,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                start_new_session=True,
            )

    @property
    def supervisor(self) -> int:
        """Process id of the supervisor."""
        return self._supervisor.pid

    def give(self, order: dict[str, Any]) -> None:
        """Hand the supervisor its order and wait until the trial's program runs. Raises
        ExecutorError, and OSError when the machine has run out of something."""
        self._send(json.dumps(order).encode() + b"\n")
        deadline = time.monotonic() + START_LIMIT
        answer = None
        while answer is None and not self._silent and (left := deadline - time.monotonic()) > 0:
            answer = self._hear(left)
        if answer is not None and "ready" in answer:
            self._mounts = Mounts.held(self._supervisor.pid, answer["ready"])
            return
        self._kill()
        raise self._not_started(answer)

    def _not_started(self, answer: dict[str, Any] | None) -> ExecutorError | OSError:
        program = self._launch.argv[0]
        if answer is None:
            log = (self._room / "supervisor.log").read_text("utf-8", "replace").strip()
            why = log.rpartition("\n")[2]
            if not why and self._silent:
                return SupervisorLost(
                    "trial-not-started",
                    f"trial {self._launch.trial} can't start: its supervisor was killed.",
                )
            why = why or "its supervisor said nothing"
        else:
            code, text, step = answer["error"]
            if step == program:
                return ExecutorError(
                    "not-executable",
                    f"{program} can't be started ({text}): name an interpreter that can.",
                )
            why = f"{step}: {text}"
            if code in SHORTAGES:
                return OSError(code, why)
        return ExecutorError("trial-not-started", f"trial {self._launch.trial} can't start: {why}.")

    def poll(self, wait: float = 0.0) -> Ended | None:
        """How it ended, or None while it runs; `wait`: seconds in which it may still end."""
        if self._ended is None:
            answer = self._hear(wait)
            if answer is not None and "result" in answer:
                self._end(answer["result"])
            elif self._silent or time.monotonic() > self._deadline:
                self._kill()
                self._end(None)
        return self._ended

    def stop(self, reason: str, grace: float = 0.3) -> None:
        """End the process and every descendant; `grace`: seconds from SIGTERM to SIGKILL."""
        if self._ended is None and not self._reason:
            self._reason, self._deadline = reason, time.monotonic() + grace + STOP_LIMIT
            self._send(f"stop {grace}\n".encode())

    def _send(self, data: bytes) -> None:
        pipe = self._supervisor.stdin
        with contextlib.suppress(BrokenPipeError):  # what it still says tells why it has ended
            while pipe is not None and data:
                data = data[pipe.write(data) or 0 :]

    def _hear(self, seconds: float) -> dict[str, Any] | None:
        """The supervisor's next message, if it comes in that time."""
        pipe = self._supervisor.stdout
        if b"\n" not in self._heard and not self._silent and pipe is not None:
            watch = select.poll()
            watch.register(pipe, select.POLLIN)
            if watch.poll(seconds * 1000):
                data = os.read(pipe.fileno(), 65536)
                self._heard, self._silent = self._heard + data, not data
        if b"\n" not in self._heard:
            return None
        line, _, self._heard = self._heard.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _kill(self) -> None:
        """End all without the supervisor's help."""
        family: list[psutil.Process] = []
        session = self._supervisor.pid if self._supervisor.held else None
        if session is not None:
            with contextlib.suppress(psutil.Error):
                family = psutil.Process(session).children(recursive=True)
        self._supervisor.kill()
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()
        kill_related(session, self._mounts.name if self._mounts else "")

    def _end(self, result: dict[str, Any] | None) -> None:
        """Clear up after the last process; `result` is None when the supervisor was lost."""
        self.release()
        told = result or {}
        if told.get("stopped") and not self._reason:
            told = {**told, "exit_code": None}  # somebody else ended it: that is no end of its own
        ended = Ended(
            exit_code=told.get("exit_code"),
            seconds=told.get("seconds", time.monotonic() - self._started),
            peak_memory=told.get("peak_memory"),
            wrote=(),
            leftovers=None,
            stopped=self._reason if told.get("stopped", True) else "",
            left_running=told.get("left_running", 0),
        )
        self._ended = ended  # however the clearing up goes
        leftovers, wrote = self._clear()
        self._ended = dataclasses.replace(ended, leftovers=leftovers, wrote=wrote)

    def release(self) -> None:
        """Wait for the supervisor, which has nothing more to do, and close its pipes."""
        for pipe in (self._supervisor.stdin, self._supervisor.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._supervisor.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._kill()
            self._supervisor.wait()
        if self._mounts is not None:
            self._mounts.release()
            self._mounts = None


@dataclasses.dataclass(frozen=True)
class Mounts:
    """The mounts of a trial, held: as soon as nobody has them, the kernel gives their name to the
    next trial's, whosever that is."""

    name: str
    handle: int

    @classmethod
    def held(cls, pid: int, name: str) -> Mounts | None:
        """Those of that process, if they have that name. None where it has none of its own, and
        where it has just ended."""
        if not name:
            return None
        try:
            handle = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
        except OSError:
            return None
        if os.readlink(f"/proc/self/fd/{handle}") == name:
            return cls(name, handle)
        os.close(handle)
        return None

    def release(self) -> None:
        os.close(self.handle)


def kill_related(session: int | None, namespace: str) -> None:
    """Kill the processes of a session, and those that see a trial's mounts, until none is left.
    The session's leader, which stays, must not have been waited for, or it may be another's."""
    for _ in range(100):
        found = [pid for pid in psutil.pids() if related(pid, session, namespace)]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def related(pid: int, session: int | None, namespace: str) -> bool:
    try:
        if pid == session or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return False
        if os.getsid(pid) == session:
            return True
        return bool(namespace) and os.readlink(f"/proc/{pid}/ns/mnt") == namespace
    except (OSError, psutil.Error):
        return False
