"""Runs trials on a worker's machine: a program of its own there, as long as the diagnosis goes on.

It starts the same executor, with the same supervisor, as a diagnosis of one machine. The first
line on standard input says how, each further one starts a trial; answers are lines on standard
output, all of them JSON. It ends, with all that it has started, when its worker does, when the host
gives no sign of life any more, and when it is told that the diagnosis is over.

Standard library and psutil only. It gets the path of the folder that it was unpacked in.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from nondet.host import processor  # noqa: E402
from nondet.host.executors.cluster import facts  # noqa: E402
from nondet.host.executors.cluster.lease import (  # noqa: E402
    BEAT_SECONDS,
    Beat,
    Pulse,
    ordered_stop,
)
from nondet.host.executors.interface import ExecutorError, Launch, Running  # noqa: E402
from nondet.host.executors.local import LocalExecutor  # noqa: E402

DESCRIBE_SECONDS = 120
LOOK_SECONDS = 0.2
"""Between two looks for orders: until then a trial that has parted goes on."""
POLL_SECONDS = 0.02


class Line:
    """What goes by the files that the host shares: its signs of life and orders, and ours. In a
    thread of its own, since the file system may be cut off."""

    def __init__(self, folder: Path, alive: str, lease: float) -> None:
        """`alive`: the file of our own signs of life, whatever runs. Raises OSError."""
        self.folder = folder
        self.own = Beat(folder / alive)
        self.host = Pulse(folder / "lease", lease)
        self.beats: dict[str, Beat] = {}
        self.stops: dict[str, float] = {}
        """Grace by trial, of those that are to end."""
        threading.Thread(target=self._run, daemon=True).start()

    def attend(self, trial: str) -> None:
        self.beats[trial] = Beat(self.folder / f"{trial}.alive")

    def leave(self, trial: str) -> None:
        self.beats.pop(trial, None)
        self.stops.pop(trial, None)

    def _run(self) -> None:
        waiting = threading.Event()
        count = 0
        while not waiting.wait(LOOK_SECONDS):
            count += 1
            for trial in list(self.beats):
                with contextlib.suppress(ValueError):
                    if (grace := ordered_stop(self.folder / f"{trial}.order")) is not None:
                        self.stops[trial] = grace
            if count * LOOK_SECONDS >= BEAT_SECONDS:
                count = 0
                self.host.look()
                for beat in [self.own, *self.beats.values()]:
                    with contextlib.suppress(OSError):
                        beat.beat()


class Attendant:
    """The trials of one worker."""

    def __init__(self, home: Path, settings: dict[str, Any]) -> None:
        """Raises ExecutorError or OSError where this machine can't run them."""
        self.settings = settings
        self.guest = home / "nondet" / "guest"
        self.output = Path(settings["output"])
        self._check()
        self.described = self._describe()
        self.executor = LocalExecutor(
            self.output, [Path(folder) for folder in settings["folders"]], settings["isolation"]
        )
        self.line = Line(self.output / "cluster", settings["alive"], settings["lease"])
        self.running: dict[str, tuple[Running, Launch]] = {}

    def _check(self) -> None:
        """That this machine sees what the host sees."""
        for path, sha256 in self.settings["same"]:
            try:
                same = hashlib.sha256(Path(path).read_bytes()).hexdigest() == sha256
                why = "" if same else "another file is there"
            except OSError as error:
                why = error.strerror or str(error)
            if why:
                raise ExecutorError("executor-folder", f"{path}: {why}")

    def _describe(self) -> dict[str, Any]:
        """What the subject's interpreter says of itself here."""
        python = self.settings["python"]
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "description.json"
            try:
                done = subprocess.run(
                    [python, str(self.guest), "--describe", str(out), *self.settings["script"]],
                    env=self.settings["environ"],
                    cwd=self.settings["cwd"],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=DESCRIBE_SECONDS,
                    check=False,
                )
                told: dict[str, Any] = json.loads(out.read_bytes())
            except (OSError, ValueError, subprocess.TimeoutExpired) as error:
                raise ExecutorError("executor-python", f"{python}: {error}") from error
        if done.returncode:
            last = done.stderr.strip().rpartition("\n")[2]
            raise ExecutorError("executor-python", f"{python}: {last}")
        return told

    def told(self) -> dict[str, Any]:
        """What the host must know of this machine."""
        return {
            "facts": facts.found(),
            "described": self.described,
            "isolation": self.executor.isolation,
            "warning": self.executor.warning,
            "runtime": str(self.executor.runtime),
            "rooms": str(self.executor.rooms),
            "temporary": str(self.executor.temporary or ""),
        }

    def start(self, order: dict[str, Any]) -> None:
        """Raises ExecutorError or OSError."""
        trial = order["trial"]
        self.line.attend(trial)
        argv = [str(self.guest) if arg == order["guest"] else arg for arg in order["argv"]]
        launch = Launch(
            trial=trial,
            argv=tuple(argv),
            env=order["env"],
            cwd=Path(order["cwd"]),
            folders=tuple(map(Path, order["folders"])),
            log_folder=Path(order["log_folder"]),
            fixed_addresses=order["fixed_addresses"],
            load=processor.cores() if order["load"] else 0,
            files=tuple((Path(path), base64.b64decode(data)) for path, data in order["files"]),
        )
        try:
            self.running[trial] = self.executor.start(launch), launch
        except (ExecutorError, OSError):
            self.line.leave(trial)
            raise

    def ended(self) -> list[dict[str, Any]]:
        """Answers of trials that have ended since; stops those that are to end."""
        answers = []
        for trial, (running, launch) in list(self.running.items()):
            try:
                told = self._look(trial, running, launch)
            except OSError as error:
                # Of its folder, or of the one that all share: what it has shown can't be had here.
                told = {"lost": str(error)}
            if told is not None:
                del self.running[trial]
                self.line.leave(trial)
                answers.append({"trial": trial, **told})
        return answers

    def _look(self, trial: str, running: Running, launch: Launch) -> dict[str, Any] | None:
        """The answer of a trial that has ended; None while it runs. Raises OSError."""
        if trial in self.line.stops:
            running.stop("ordered", self.line.stops[trial])
        if (end := running.poll()) is None:
            return None
        return {
            "exit_code": end.exit_code,
            "seconds": end.seconds,
            "peak_memory": end.peak_memory,
            "wrote": list(end.wrote),
            "stopped": bool(end.stopped),
            "left_running": end.left_running,
            "sizes": sizes(launch.log_folder),
        }

    @property
    def abandoned(self) -> bool:
        return self.line.host.stale or self.line.host.over


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of each file: the host waits until it sees as much. Raises OSError."""
    return {entry.name: entry.stat().st_size for entry in os.scandir(folder) if entry.is_file()}


def answer(pipe: int, **message: Any) -> None:
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(pipe, data) :]


def failed(error: ExecutorError | OSError) -> list[str]:
    if isinstance(error, ExecutorError):
        return [error.slug, error.message]
    return ["trial-not-started", str(error)]


def attend(home: Path, pipe: int) -> None:
    """Until nobody wants more of it."""
    parent, heard = os.getppid(), b""
    attendant: Attendant | None = None
    try:
        while True:
            ready, _, _ = select.select([0], [], [], POLL_SECONDS)
            if ready:
                data = os.read(0, 65536)
                if not data:
                    return
                heard += data
            while b"\n" in heard:
                line, _, heard = heard.partition(b"\n")
                order = json.loads(line)
                try:
                    if attendant is None:
                        attendant = Attendant(home, order)
                        answer(pipe, **attendant.told())
                    else:
                        attendant.start(order)
                except (ExecutorError, OSError) as error:
                    answer(pipe, trial=order.get("trial", ""), error=failed(error))
                    if attendant is None:
                        return
            if attendant is not None:
                for told in attendant.ended():
                    answer(pipe, **told)
                if attendant.abandoned:
                    return
            if os.getppid() != parent:
                return
    finally:
        if attendant is not None:
            attendant.executor.close()


def main() -> None:
    home = Path(sys.argv[1])
    # Nothing but answers goes there, whoever prints.
    pipe = os.dup(1)
    os.dup2(2, 1)
    try:
        attend(home, pipe)
    except BrokenPipeError:
        pass  # the worker is gone
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
