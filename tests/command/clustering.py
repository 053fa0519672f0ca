"""A scheduler of dask and its workers on this machine, over TCP, in processes of their own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import psutil

from tests.command.running import until

DASK = str(Path(sys.executable).with_name("dask"))
Root = subprocess.Popen[bytes] | psutil.Process
"""What a worker descends from, or is."""
R = TypeVar("R", subprocess.Popen[bytes], psutil.Process)
LOCALHOST = ("--host", "127.0.0.1", "--no-dashboard")


class Cluster:
    """The processes, and what runs below them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.file = folder / "scheduler.json"
        self.processes: list[subprocess.Popen[bytes]] = []
        self._start("scheduler", "--port", "0", "--scheduler-file", str(self.file))
        until(self._described, "the scheduler")

    def _described(self) -> bool:
        return self.file.exists() and self.file.read_text().rstrip().endswith("}")

    @property
    def address(self) -> str:
        """``dask://HOST:PORT``"""
        return str(json.loads(self.file.read_text())["address"]).replace("tcp://", "dask://")

    @property
    def scheduler(self) -> subprocess.Popen[bytes]:
        return self.processes[0]

    def worker(
        self, *options: str, prefix: tuple[str, ...] = (), nanny: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start one; without a nanny, it is gone when it is killed."""
        joining = ("--scheduler-file", str(self.file), "--nthreads", "1")
        nursing = "--nanny" if nanny else "--no-nanny"
        return self._start("worker", *joining, nursing, *options, prefix=prefix)

    def _start(self, *command: str, prefix: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        name = f"{command[0]}-{len(self.processes)}"
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [*prefix, DASK, command[0], *LOCALHOST, *command[1:]],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    @property
    def joined(self) -> int:
        """Workers that the scheduler has taken on."""
        logs = self.folder.glob("worker-*.log")
        return sum("Registered to" in log.read_text() for log in logs)

    def close(self) -> None:
        for process in reversed(self.processes):
            family = below(process)
            process.kill()
            for child in family:  # of a nanny
                with contextlib.suppress(psutil.Error):
                    child.kill()
        for process in self.processes:
            process.wait()


@contextlib.contextmanager
def cluster(folder: Path, workers: int) -> Iterator[Cluster]:
    """`workers` are started, and have yet to come."""
    one = Cluster(folder)
    try:
        for _ in range(workers):
            one.worker()
        yield one
    finally:
        one.close()


def below(process: Root) -> list[psutil.Process]:
    """All that descends from a process now."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(process.pid).children(recursive=True)
    return []


def nursed(nanny: Root) -> psutil.Process:
    """The worker below a nanny that runs a trial now."""
    found = trial_of(nanny)
    assert found is not None
    (worker,) = [p for p in found[0].parents() if p.ppid() == nanny.pid]
    return worker


def trial_of(worker: Root) -> tuple[psutil.Process, str] | None:
    """The process and the name of the trial that a worker runs now; None when there is none."""
    for process in below(worker):
        with contextlib.suppress(psutil.Error):
            command = process.cmdline()
            plans = [arg for arg in command if arg.endswith("/plan.json")]
            if plans and "guest" in " ".join(command):
                return process, Path(plans[0]).parent.name
    return None


def held_up(workers: Sequence[R], output: Path, factor: str) -> tuple[R, str] | None:
    """A worker and its trial, which is suspended in its midst. It holds that factor: where this is
    what breaks the runs, nobody will stop it."""
    for worker in workers:
        if (found := trial_of(worker)) is None:
            continue
        process, trial = found
        with contextlib.suppress(psutil.Error):
            process.suspend()  # so that it does not end meanwhile
            folder = output / "trials" / trial
            arms = json.loads((folder / "plan.json").read_bytes())["arms"]
            if arms.get(factor) == "pinned" and (folder / "events.jsonl").exists():
                return worker, trial
            process.resume()
    return None


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    found = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
