"""Trials as processes of this machine, each under a supervisor of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nondet.host.errors import SHORTAGES
from nondet.host.executors import folders as trees
from nondet.host.executors.choice import CopyLimit, Mode, choose
from nondet.host.executors.interface import (
    ExecutorError,
    Launch,
    OnePlace,
    Start,
    SupervisorLost,
)
from nondet.host.executors.isolation import TEMPORARY
from nondet.host.executors.parents import Parent
from nondet.host.executors.running import LocalRunning
from nondet.host.scratch import remove

MOST_WROTE = 1000


class LocalExecutor(OnePlace):
    """Starts trials here. A context manager: on leaving it, nothing it started is alive.

    `output` is hidden from trials where they would find it, and reached by them at `runtime`.
    Arguments that name something in `folders` are mapped as by `map_path`, except the program.
    Raises ExecutorError when the isolation asked for can't be had.
    """

    def __init__(
        self,
        output: Path,
        folders: Sequence[Path],
        isolation: Mode = "auto",
        limit: CopyLimit | None = None,
    ) -> None:
        self._output = Path(os.path.realpath(output))
        self._folders = trees.outermost(folders)
        for folder in self._folders:
            if folder.is_relative_to(self._output):
                raise ExecutorError(
                    "output-holds-subject",
                    f"the output folder {output} holds the script's folder {folder}: "
                    "choose another output folder.",
                )
        self._output.mkdir(parents=True, exist_ok=True)
        choice = choose(isolation, self._folders, self._output, limit or CopyLimit())
        self._isolation, self._scratch = choice.isolation, choice.scratch
        self.isolation, self.warning = choice.isolation.name, choice.warning
        self.runtime, self.rooms = self._scratch.runtime, self._scratch.rooms
        self._mount_point = choice.mount_point
        self.temporary = self._mount_point.path if self._mount_point is not None else None
        if self.isolation != "overlay":
            self.runtime.symlink_to(self._output)
        self._running: dict[str, LocalRunning] = {}
        self._parents: dict[str, Parent] = {}
        self._kept = 0

    def map_path(self, trial: str, path: Path) -> Path:
        """A path in the user's folders as that trial sees it."""
        return self._isolation.map_path(self._scratch.rooms / trial, path)

    def parent(self, name: str, start: Start) -> Parent:
        """Begin to import what trials need, in a process that trials can be forked from: they name
        it in `Launch.parent`. Raises OSError."""
        room = self._scratch.rooms / name
        room.mkdir()
        self._parents[name] = Parent(start, room)
        return self._parents[name]

    def end_parent(self, name: str) -> None:
        """End such a process. None of its trials may be running."""
        self._parents.pop(name).close()
        remove(self._scratch.rooms / name)

    def start(self, launch: Launch) -> LocalRunning:
        """Start a trial. Returns once its program runs; raises ExecutorError when it can't, and
        OSError when the machine has run out of something."""
        try:
            return self._start(launch)
        except SupervisorLost:
            return self._start(launch)

    def _start(self, launch: Launch) -> LocalRunning:
        self._check(launch)
        room = self._scratch.rooms / launch.trial
        running = None
        try:
            room.mkdir()
            kept = launch.leftovers if self.isolation != "in-place" else None
            mounts = self._isolation.prepare(room, kept)
            given = {self._isolation.put(room, path, data) for path, data in launch.files}
            parent = self._parents[launch.parent] if launch.parent else None
            running = LocalRunning(launch, room, lambda: self._clear(launch, room, given), parent)
            self._running[launch.trial] = running
            running.give(self._order(launch, mounts))
        except (ExecutorError, OSError) as error:
            if running is not None:
                running.release()
                del self._running[launch.trial]
            remove(room)
            if isinstance(error, ExecutorError) or error.errno in SHORTAGES:
                raise
            raise ExecutorError(
                "trial-not-started",
                f"trial {launch.trial} can't start: {error}; give --jobs 1 or free some memory, "
                "then go on with --resume.",
            ) from error
        return running

    def _check(self, launch: Launch) -> None:
        if launch.trial in self._running:
            raise ExecutorError("trial-runs", f"trial {launch.trial} runs already.")
        for folder in map(os.path.realpath, (launch.cwd, *launch.folders)):
            if not any(Path(folder).is_relative_to(known) for known in self._folders):
                raise ExecutorError(
                    "folder-not-protected",
                    f"{folder} was not named when the executor was made, so trials would share it.",
                )
        kept = launch.leftovers
        if kept is not None and not (kept.parent == self._scratch.leftovers and kept.is_dir()):
            raise ExecutorError(
                "leftovers-gone",
                f"what an earlier trial left in {kept} is gone: run that trial again.",
            )

    def _order(self, launch: Launch, mounts: dict[str, Any] | None) -> dict[str, Any]:
        cwd = str(self.map_path(launch.trial, launch.cwd))
        program, *args = launch.argv
        moved = self.isolation == "copy" and "PWD" in launch.env
        return {
            "argv": [program, *(self._mapped(launch.trial, arg) for arg in args)],
            "env": launch.env | ({"PWD": cwd} if moved else {}),
            "cwd": cwd,
            "stdout": str(launch.log_folder / "stdout.log"),
            "stderr": str(launch.log_folder / "stderr.log"),
            "host": self._parents[launch.parent].pid if launch.parent else os.getpid(),
            "mounts": mounts,
            "fixed_addresses": launch.fixed_addresses,
            "load": launch.load,
        }

    def _mapped(self, trial: str, arg: str) -> str:
        return str(self.map_path(trial, Path(arg))) if os.path.isabs(arg) else arg

    def _clear(
        self, launch: Launch, room: Path, given: set[str]
    ) -> tuple[Path | None, tuple[str, ...]]:
        """Remove an ended trial's room; what it left, if that is wanted, and what it wrote."""
        del self._running[launch.trial]
        wrote = tuple(sorted({*self._isolation.wrote(room)} - given)[:MOST_WROTE])
        leftovers = None
        if launch.keep_leftovers and self.isolation != "in-place":
            self._kept += 1
            remove(room / TEMPORARY)
            leftovers = self._scratch.leftovers / str(self._kept)
            room.rename(leftovers)
        else:
            remove(room)
        return leftovers, wrote

    def close(self) -> None:
        """End every running trial and remove all temporary files."""
        for running in self._running.values():
            running.stop("closed", grace=0.0)
        while self._running:
            for running in list(self._running.values()):
                running.poll()
            time.sleep(0.005)
        for parent in self._parents.values():
            parent.close()
        self._scratch.close()
        if self._mount_point is not None:
            self._mount_point.close()
            self._mount_point = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
