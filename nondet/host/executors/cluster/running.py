"""A trial on a worker, as the host sees it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import enum
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from nondet.host.executors.cluster import lease
from nondet.host.executors.cluster.engine import Refusal
from nondet.host.executors.interface import Ended, ExecutorError

STOP_LIMIT = 30.0
"""Seconds after which a trial that was told to end is given up."""
ARRIVAL_LIMIT = 90.0
"""Seconds in which the files of a trial that has ended must be seen here as the worker saw them."""
QUEUE_SECONDS = 24 * 3600.0
"""The longest that anything waits for its turn: a job for its node, a trial for a worker that has
something else to do."""
OF_THE_MACHINE = ("copy-failed", "no-scratch", "trial-not-started")
"""Errors that another worker may not make."""


class Fate(enum.Enum):
    """What the end of a trial says of its worker."""

    ENDED = "ended"
    """It works: the trial ended as it says."""
    LOST = "lost"
    """Nothing is known of it."""
    REFUSED = "refused"
    """It could not even start the trial."""
    SILENT = "silent"
    """It may be there, but nobody there answers for the trial."""


class Manager(Protocol):
    """What a running trial needs of its executor."""

    def there(self, worker: str) -> bool:
        """Whether the worker is still known to the scheduler. Raises ExecutorError when nothing is
        known of any."""

    def over(self, trial: str, fate: Fate) -> None:
        """The worker has nothing more to do with that trial."""


class ClusterRunning:
    """A trial that a worker carries out. One that is lost is given up: whatever a ghost of it may
    still write is never read, since the next attempt is a trial with a name and a folder of its
    own."""

    def __init__(
        self,
        trial: str,
        worker: str,
        folder: Path,
        files: Path,
        future: concurrent.futures.Future[dict[str, Any]],
        manager: Manager,
        attendant: lease.Pulse,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`folder`: the trial's own; `files`: where signs of life and orders go; `attendant`: the
        signs of life of what runs the worker's trials."""
        self.trial, self.worker = trial, worker
        self._folder, self._files = folder, files
        self._future, self._manager, self._clock = future, manager, clock
        self._pulse = lease.Pulse(files / f"{trial}.alive", clock=clock)
        self._attendant, self._began = attendant, clock()
        self._reason, self._deadline = "", float("inf")
        self._told: dict[str, Any] | None = None
        self._arriving = 0.0
        self._ended: Ended | None = None

    @property
    def waiting(self) -> bool:
        """Whether its worker has yet to begin with it, as far as is known."""
        return not self._pulse.begun

    def look(self) -> None:
        """Look for a sign of life. May take long; called by a thread of its own."""
        self._pulse.look()

    def poll(self) -> Ended | None:
        """How it ended, or None while it runs. Raises ExecutorError for what no other worker would
        do otherwise."""
        if self._ended is None:
            if self._told is None and self._future.done():
                self._hear()
            if self._told is not None:
                self._arrive(self._told)
            elif self._ended is None:
                self._doubt()
        return self._ended

    def stop(self, reason: str, grace: float = 0.3) -> None:
        """End the process and every descendant; `grace`: seconds from SIGTERM to SIGKILL."""
        if self._ended is None and not self._reason:
            self._reason, self._deadline = reason, self._clock() + grace + STOP_LIMIT
            with contextlib.suppress(OSError):
                lease.order_stop(self._files / f"{self.trial}.order", grace)

    def _hear(self) -> None:
        """Take in what the worker answers, or why it does not."""
        try:
            told = self._future.result()
        except concurrent.futures.CancelledError:
            self._lose("its worker was lost")
        except OSError as error:  # the scheduler is out of reach
            self._lose(f"its worker was lost ({type(error).__name__})")
        except Exception as error:
            self._lose(f"its worker was lost ({type(error).__name__})", Fate.SILENT)
        else:
            if "lost" in told:
                self._lose(f"its worker was lost: {told['lost']}", Fate.SILENT)
            elif "error" in told:
                self._refused(Refusal(*told["error"]))
            else:
                self._told, self._arriving = told, self._clock() + ARRIVAL_LIMIT

    def _refused(self, why: Refusal) -> None:
        if why.slug not in OF_THE_MACHINE:
            self._end(Ended(None, 0.0, None, ()), Fate.LOST)
            raise ExecutorError(why.slug, why.message)
        self._lose(f"{self.worker} could not start it: {why.message}", Fate.REFUSED)

    def _arrive(self, told: dict[str, Any]) -> None:
        """Wait until its files are seen here as they were there."""
        if not all(size(self._folder / name) >= wanted for name, wanted in told["sizes"].items()):
            if self._clock() > self._arriving:
                self._lose("its files did not come")
            return
        self._end(
            Ended(
                exit_code=told["exit_code"],
                seconds=told["seconds"],
                peak_memory=told["peak_memory"],
                wrote=tuple(told["wrote"]),
                stopped=self._reason if told["stopped"] else "",
                left_running=told["left_running"],
            ),
            Fate.ENDED,
        )

    def _doubt(self) -> None:
        """Whether anything is still to be expected."""
        if not self._manager.there(self.worker):
            self._lose("its worker was lost")
        elif self._clock() > self._deadline:
            self._lose("its worker did not end it", Fate.LOST if self.waiting else Fate.SILENT)
        elif self.waiting and self._clock() - self._began > QUEUE_SECONDS:
            self._lose("its worker did not begin with it", Fate.SILENT)
        elif (pulse := self._attendant if self.waiting else self._pulse).stale:
            self._lose(f"its worker gave no sign of life for {pulse.limit:g} s", Fate.SILENT)

    def _lose(self, why: str, fate: Fate = Fate.LOST) -> None:
        """Give it up: should anything of it live on, that is to end."""
        with contextlib.suppress(OSError):
            lease.order_stop(self._files / f"{self.trial}.order", 0.0)
        self._future.cancel()
        seconds = self._clock() - self._began
        # What it had shown before it was told to end stands.
        lost = "" if self._reason else why
        self._end(Ended(None, seconds, None, (), stopped=self._reason, lost=lost), fate)

    def _end(self, ended: Ended, fate: Fate) -> None:
        self._ended = ended
        self._manager.over(self.trial, fate)


def size(path: Path) -> int:
    """Of a file as seen here, opened anew, which asks a network file system for what is new."""
    try:
        with path.open("rb") as file:
            return file.seek(0, 2)
    except OSError:
        return -1
