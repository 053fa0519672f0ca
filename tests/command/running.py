"""The installed command in processes of its own, on small scripts in a folder of their own."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from nondet import record, repetition

NONDET = str(Path(sys.executable).with_name("nondet"))
PATIENCE = 300.0
"""Seconds after which something hangs, on however busy a machine."""
MARK = "NONDET_TEST_MARK"
"""Variable that every process below a command inherits, whatever becomes of its parents."""

QUICK = ("--confidence", "0.75", "--no-verify")
"""Options for three agreeing trials in place of six, and none of the patched script, where their
number is not the point."""
SEEDED = """
import nondet
nondet.checkpoint("value", 1)
"""
UNSEEDED = """
import random
import nondet


def draw():
    return random.random()


nondet.checkpoint("value", draw())
"""


def until(condition: Callable[[], Any], what: str) -> Any:
    """What the condition gives once it is true; fails after a long wait."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for: {what}")


def marked(mark: str) -> list[psutil.Process]:
    """Processes alive that descend from the command of this mark."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            mine = process.environ().get(MARK) == mark
            if mine and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@dataclasses.dataclass
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str
    output: Path

    @property
    def diagnosis(self) -> record.Diagnosis:
        return record.decode((self.output / "diagnosis.json").read_bytes())

    @property
    def repetition(self) -> repetition.Repetition:
        return repetition.decode((self.output / "repeat.json").read_bytes())

    def refused(self, slug: str, *words: str) -> None:
        """It ended with one clear line, which says all of these."""
        assert self.code == 2, (self.code, self.err)
        assert self.out == ""
        self.complained(slug, *words)

    def complained(self, slug: str, *words: str) -> None:
        """So it did, whatever it has told before."""
        assert self.code == 2, (self.code, self.err)
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("nondet: ")
        assert self.err.endswith(f"[{slug}]\n"), self.err
        for word in words:
            assert word in self.err


class Project:
    """A folder with scripts to diagnose."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.output = folder / "nondet-report"
        self.verb = "diagnose"
        """What `started` and `interrupted` run."""
        self.mark = uuid.uuid4().hex

    def write(self, text: str, name: str = "train.py") -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    @property
    def environ(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONHASHSEED"}
        return kept | {"COLUMNS": "200", MARK: self.mark}

    def run(
        self,
        *command: str | bytes,
        environ: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        patience: float = PATIENCE,
    ) -> Ran:
        """``nondet COMMAND...`` in the folder."""
        done = subprocess.run(
            [*prefix, NONDET, *command],
            cwd=self.folder,
            env=self.environ | dict(environ or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=patience,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr, self.output)

    def repeat(self, *command: str | bytes, **more: Any) -> Ran:
        """``nondet repeat COMMAND... train.py``."""
        return self.run("repeat", *command, "train.py", **more)

    def diagnose(self, *command: str | bytes, **more: Any) -> Ran:
        """``nondet diagnose COMMAND...``, of ``train.py`` when the command is empty."""
        return self.run("diagnose", *(command or ("train.py",)), **more)

    @contextlib.contextmanager
    def started(
        self, *command: str, environ: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """The command of `verb`, still running; whatever is left of it is killed."""
        process = subprocess.Popen(
            # A shell that runs tests in its background makes them ignore Ctrl-C, and nohup SIGHUP.
            ["env", "--default-signal=INT,HUP", NONDET, self.verb, *command],
            cwd=self.folder,
            env=self.environ | dict(environ or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            for survivor in marked(self.mark):
                with contextlib.suppress(psutil.Error):
                    survivor.kill()
            process.communicate()

    def interrupted(
        self,
        when: Callable[[], Any],
        number: int,
        *command: str,
        name: str = "train.py",
        environ: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run the command of `verb`, and send a signal once the condition is true; nothing may be
        left."""
        with self.started(*command, name, environ=environ) as process:
            until(lambda: when() or process.poll() is not None, "the moment of the signal")
            assert process.poll() is None, process.communicate()
            process.send_signal(number)
            out, err = process.communicate(timeout=PATIENCE)
            if number == signal.SIGKILL:
                until(lambda: not marked(self.mark), "the end of all trials")
            assert not marked(self.mark)
        return Ran(process.returncode, out, err, self.output)

    def trial_files(self, name: str = "trial.json") -> dict[str, bytes]:
        """This file of every trial that has it."""
        found = sorted(self.output.glob(f"trials/*/{name}"))
        return {path.parent.name: path.read_bytes() for path in found}


class Gate:
    """Where runs of a script wait while it is shut, but for so many: none of the others can end
    before the moment that a test is about. It lies where all trials see the same files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def lines(self) -> str:
        """What a script waits by."""
        return WAITING.format(gate=str(self.folder))

    def shut(self, passing: int = 0) -> None:
        self.folder.mkdir(exist_ok=True)
        for number in range(passing):
            (self.folder / str(number)).touch()

    def open(self) -> None:
        shutil.rmtree(self.folder)


WAITING = """
import os, time
def passes(gate):
    for number in range(9):
        try:
            os.unlink(gate + "/" + str(number))
        except OSError:
            continue
        return True
    return not os.path.isdir(gate)
while not passes({gate!r}):
    time.sleep(0.01)
"""


def tree(folder: Path) -> dict[str, tuple[Any, ...]]:
    """All that there is to see of a folder: names, modes, ages, contents; the report left out."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in sorted([folder, *folder.rglob("*")]):
        name = path.relative_to(folder)
        if name.parts[:1] == ("nondet-report",):
            continue
        state = path.lstat()
        what = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        age = 0 if path == folder else state.st_mtime_ns  # the report was made in it
        found[str(name)] = (state.st_mode, age, what)
    return found
