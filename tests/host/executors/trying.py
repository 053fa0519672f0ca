"""A project folder and an executor to try small scripts in."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from nondet.host.executors.choice import Mode
from nondet.host.executors.interface import Ended, ExecutorError
from nondet.host.executors.interface import Launch as Launch
from nondet.host.executors.local import LocalExecutor
from nondet.host.executors.running import LocalRunning

PATIENCE = 300.0
"""Seconds after which something hangs, on however busy a machine."""


def until(condition: Callable[[], Any], what: str) -> Any:
    """What the condition gives once it is true; fails after a long wait."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited in vain for: {what}")


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Trying:
    """Runs scripts as trials of one project."""

    def __init__(self, base: Path, isolation: Mode) -> None:
        self.project = base / "project"
        self.project.mkdir(exist_ok=True)
        self.output = self.project / "nondet-report"
        self.count = 0
        self.executor = LocalExecutor(self.output, [self.project], isolation)

    def start(self, script: str, **changes: Any) -> LocalRunning:
        self.count += 1
        trial = f"t{self.count:02}"
        self.logs = self.output / "trials" / trial
        self.logs.mkdir(parents=True)
        program = self.logs / "script.py"
        program.write_text(script)
        inside = self.executor.runtime / program.relative_to(self.output)
        values: dict[str, Any] = {
            "trial": trial,
            "argv": (sys.executable, "-E", "-S", str(inside)),
            "env": {"PATH": os.defpath, "RUNTIME": str(self.executor.runtime)},
            "cwd": self.project,
            "folders": (self.project,),
            "log_folder": self.logs,
        }
        return self.executor.start(Launch(**(values | changes)))

    def run(self, script: str, **changes: Any) -> Ended:
        return ended(self.start(script, **changes))

    def said(self, name: str = "stdout.log") -> str:
        """What the latest trial printed."""
        return (self.logs / name).read_text()


def ended(running: LocalRunning) -> Ended:
    end = until(running.poll, "the trial's end")
    assert isinstance(end, Ended)
    return end


@contextlib.contextmanager
def trying(base: Path, isolation: Mode) -> Iterator[Trying]:
    """Skips the test where the isolation can't be had."""
    try:
        one = Trying(base, isolation)
    except ExecutorError as error:
        if error.slug != "overlay-unavailable":
            raise
        pytest.skip(error.message)
    with one.executor:
        yield one
