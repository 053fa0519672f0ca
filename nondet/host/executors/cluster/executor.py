"""Trials on the workers of a cluster: each under the same supervisor as on one machine."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import dataclasses
import hashlib
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nondet.host import files
from nondet.host.executors import folders as trees
from nondet.host.executors.choice import Mode
from nondet.host.executors.cluster import errand, lease, shipping
from nondet.host.executors.cluster.crew import ASLEEP, CLOSE_SECONDS, Crew
from nondet.host.executors.cluster.engine import Engine
from nondet.host.executors.cluster.placement import DEVICES, Seat
from nondet.host.executors.cluster.running import ClusterRunning, Fate
from nondet.host.executors.interface import ExecutorError, ImportingProcess, Launch, Machine, Start
from nondet.host.executors.isolation import Copy
from nondet.host.placement import Room, visible

FOLDER = "cluster"
"""In the output folder: what host and workers tell one another by."""
ONE_AT_A_TIME = (
    f"{DEVICES} is set here and gives every trial the same GPUs, so each machine runs one at a time"
)


@dataclasses.dataclass(frozen=True)
class Sharing:
    """What all workers must find as the host does."""

    output: Path
    folders: Sequence[Path]
    cwd: Path
    python: str
    guest: str
    """Path of the guest on the host; workers have one of their own."""
    script: tuple[str, ...]
    """What names the subject to ``guest --describe``."""
    same: tuple[Path, ...]
    """Files that must be the same there, the script among them."""
    environ: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Placed:
    """Where a trial runs."""

    seat: Seat
    machine: int | None
    folders: tuple[Path, ...]
    output: Path

    @property
    def runtime(self) -> Path:
        return Path(self.seat.told["runtime"])

    @property
    def temporary(self) -> Path | None:
        return Path(path) if (path := self.seat.told["temporary"]) else None

    def map_path(self, trial: str, path: Path) -> Path:
        if self.seat.told["isolation"] != "copy":
            return path
        room = Path(self.seat.told["rooms"]) / trial
        return Copy(self.folders, self.output).map_path(room, path)

    def gpus(self, environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        rooms = [Room(uuid, name) for _, uuid, name in self.seat.told["facts"]["gpus"]]
        seen = visible({**environ, **self.seat.variables(environ)}, rooms)
        return tuple((room.uuid, room.name) for room in seen or ())


class ClusterExecutor:
    """Starts trials on workers, one on each. A context manager: on leaving it, nothing it started
    is alive, as far as the workers can be reached; the others end by themselves.

    The kind of machine that most workers have is settled on when it is made, and `machines` tells
    of all that came. Raises ExecutorError when there is no worker that can run trials.
    """

    def __init__(
        self,
        engine: Engine,
        sharing: Sharing,
        *,
        isolation: Mode = "auto",
        check: Callable[[], None] = lambda: None,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        """`check` may raise KeyboardInterrupt, where nothing is half done. `tell`: a line for
        people."""
        self._engine, self._sharing = engine, sharing
        self._output = Path(os.path.realpath(sharing.output))
        self._folders = trees.outermost(sharing.folders)
        self._token = secrets.token_hex(8)
        self._files = self._output / FOLDER
        self._running: dict[str, ClusterRunning] = {}
        self._seats: dict[str, Seat] = {}
        self._attendants: dict[str, lease.Pulse] = {}
        """By worker, signs of life of what runs its trials."""
        self._closing = threading.Event()
        self._archive = shipping.archive()
        self._beat = self._prepare()
        self._attending = self._settings(isolation)
        self._thread = threading.Thread(target=self._keep_alive, daemon=True)
        self._thread.start()
        named = sharing.environ.get(DEVICES)
        self._crew = Crew(engine, self._survey, check, tell, named)
        try:
            self._crew.gather()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> lease.Beat:
        shutil.rmtree(self._files, ignore_errors=True)
        self._files.mkdir(mode=0o700, parents=True)
        with files.written(self._files / "token", survives_power_loss=False) as file:
            file.write(self._token.encode("ascii"))
        return lease.Beat(self._files / "lease")

    def _settings(self, isolation: Mode) -> dict[str, Any]:
        """What attendants are told once."""
        same = (self._files / "token", *self._sharing.same)
        digests = [[str(p), hashlib.sha256(p.read_bytes()).hexdigest()] for p in same]
        return {
            "output": str(self._output),
            "folders": [str(folder) for folder in self._folders],
            "isolation": isolation,
            "python": self._sharing.python,
            "script": list(self._sharing.script),
            "cwd": str(self._sharing.cwd),
            "environ": dict(self._sharing.environ),
            "same": digests,
            "lease": lease.LEASE_SECONDS,
        }

    def _keep_alive(self) -> None:
        """In a thread: give signs of life, and look for those of the trials."""
        while not self._closing.wait(lease.BEAT_SECONDS):
            with contextlib.suppress(OSError):
                self._beat.beat()
            for running in list(self._running.values()):
                running.look()
            for attendant in list(self._attendants.values()):
                attendant.look()

    def _named(self, worker: str) -> str:
        """The attendant of that worker: several workers may share a process."""
        return f"{self._token}/{worker}"

    def _survey(self, worker: str) -> concurrent.futures.Future[dict[str, Any]]:
        alive = self._files / f"{secrets.token_hex(8)}.alive"
        alive.touch(mode=0o600)
        self._attendants[worker] = lease.Pulse(alive)
        settings = {**self._attending, "alive": alive.name}
        return self._engine.submit(
            worker, errand.survey, self._named(worker), *self._archive, settings
        )

    # -- workers

    def there(self, worker: str) -> bool:
        return self._crew.there(worker)

    def over(self, trial: str, fate: Fate) -> None:
        self._running.pop(trial, None)
        self._seats.pop(trial, None)
        self._crew.release(trial, fate)

    @property
    def kind(self) -> str:
        """The kind of machine that trials are kept on."""
        return self._crew.kind

    @property
    def kinds(self) -> list[str]:
        """All kinds that workers have now, the largest first."""
        return self._crew.kinds

    @property
    def machines(self) -> tuple[Machine, ...]:
        return self._crew.machines

    @property
    def slots(self) -> int:
        """Workers of the kind that trials are kept on."""
        return len(self._crew.fitting())

    @property
    def chosen(self) -> Mapping[str, Any]:
        """What the attendant of a worker of that kind has told (see attendant.py)."""
        return self._crew.chosen

    def insist(self, module: str, elsewhere: bool) -> bool:
        """See `Crew.insist`."""
        return self._crew.insist(module, elsewhere)

    @property
    def isolation(self) -> str:
        """The weakest of the workers of that kind."""
        order = ("in-place", "copy", "overlay")
        found = [seat.told["isolation"] for seat in self._crew.fitting()]
        return min(found, key=order.index, default=str(self.chosen["isolation"]))

    @property
    def warning(self) -> str:
        seats = self._crew.fitting()
        found = [str(seat.told["warning"]) for seat in seats]
        shared = [seat.host for seat in seats if seat.named is not None and seat.gpus]
        found += [ONE_AT_A_TIME] if len(set(shared)) < len(shared) else []
        return "; ".join(filter(None, dict.fromkeys(found)))

    # -- trials

    def room(self, elsewhere: bool | None = False) -> bool:
        return self._crew.room(elsewhere)

    def place(self, trial: str, elsewhere: bool | None = False) -> Placed:
        seat = self._seats[trial] = self._crew.take(trial, elsewhere)
        number = self.machines.index(seat.machine)
        return Placed(seat, number, self._folders, self._output)

    def parent(self, name: str, start: Start) -> ImportingProcess:
        raise OSError("trials on a cluster each start by themselves")

    def end_parent(self, name: str) -> None:
        """There is none."""

    def start(self, launch: Launch) -> ClusterRunning:
        """Hand a trial to the worker that it was placed on."""
        seat = self._seats[launch.trial]
        for kind in ("order", "alive"):
            (self._files / f"{launch.trial}.{kind}").touch(mode=0o600)
        attendant = self._attendants[seat.worker]
        attendant.look()  # it may have begun since it was last looked for
        future = self._carried_out(seat.worker, self._order(launch, seat))
        running = ClusterRunning(
            launch.trial, seat.worker, launch.log_folder, self._files, future, self, attendant
        )
        self._running[launch.trial] = running
        return running

    def _carried_out(
        self, worker: str, order: dict[str, Any]
    ) -> concurrent.futures.Future[dict[str, Any]]:
        """The answer to come; where the scheduler is out of reach, that there will be none."""
        try:
            return self._engine.submit(worker, errand.carry_out, self._named(worker), order)
        except OSError as error:
            self._crew.doubt(str(error))
            failed: concurrent.futures.Future[dict[str, Any]] = concurrent.futures.Future()
            failed.set_exception(error)
            return failed

    def _order(self, launch: Launch, seat: Seat) -> dict[str, Any]:
        return {
            "trial": launch.trial,
            "argv": list(launch.argv),
            "guest": self._sharing.guest,
            "env": launch.env | seat.variables(launch.env),
            "cwd": str(launch.cwd),
            "folders": [str(folder) for folder in launch.folders],
            "log_folder": str(launch.log_folder),
            "fixed_addresses": launch.fixed_addresses,
            "load": bool(launch.load),
            "files": [[str(p), base64.b64encode(data).decode()] for p, data in launch.files],
        }

    # -- the end

    def close(self) -> None:
        """End every running trial and dismiss the attendants."""
        for running in list(self._running.values()):
            running.stop("closed", grace=0.0)
        self._wait(lambda: not self._still_running())
        with contextlib.suppress(OSError):
            self._beat.over()
        if not self._dismissed():
            # They see for themselves that it is over, in the files that go next.
            time.sleep(2 * lease.BEAT_SECONDS)
        self._closing.set()
        self._crew.close()
        self._thread.join(CLOSE_SECONDS)
        self._engine.close()
        shutil.rmtree(self._files, ignore_errors=True)

    def _dismissed(self) -> bool:
        """Whether all attendants have ended, as they were told."""
        try:
            leaving = [
                self._engine.submit(worker, errand.dismiss, self._named(worker))
                for worker in self._crew.workers
            ]
        except OSError:
            return False
        return self._wait(lambda: all(future.done() for future in leaving)) and not any(
            future.cancelled() or future.exception() for future in leaving
        )

    def _still_running(self) -> bool:
        for running in list(self._running.values()):
            with contextlib.suppress(ExecutorError):
                running.poll()
        return bool(self._running)

    def _wait(self, condition: Callable[[], bool]) -> bool:
        """Whether it has come true in time."""
        deadline = time.monotonic() + CLOSE_SECONDS
        while not (met := condition()) and time.monotonic() < deadline:
            time.sleep(ASLEEP)
        return met

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
