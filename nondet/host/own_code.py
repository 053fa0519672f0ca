"""The user's own code as the trials run it: where somebody edits it meanwhile, they are trials of
two versions, and their difference is no cause's."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from nondet import notebook
from nondet.host.executors.interface import ExecutorError
from nondet.host.subject import Subject
from nondet.host.trials import Trial

TICK = 3.0
"""Seconds in which a file may be written without another time: mostly some milliseconds, on FAT
two seconds."""


class Stamp(NamedTuple):
    """What changes with a file's content, mostly."""

    inode: int
    size: int
    modified: int
    """Nanoseconds."""
    changed: float
    """Seconds of the clock; what no tool can set back."""


@dataclasses.dataclass
class Kept:
    digest: str
    stamp: Stamp | None
    """Of the file when it had that digest; None where it has to be read again."""


class OwnCode:
    """The script, and the modules of the user's that trials have told of."""

    def __init__(self, subject: Subject, isolated: bool) -> None:
        """`isolated`: trials write to folders of their own. Where they don't, modules may be theirs
        and the script alone is looked at."""
        self._script, self._isolated = subject.path, isolated
        self._folders = tuple(folder.resolve() for folder in subject.folders)
        self._kept = {subject.path: Kept(subject.sha256, None)}
        self._others: set[str] = set()
        """Files that are not the user's own."""
        self._edited: Path | None = None

    def learn(self, trial: Trial) -> None:
        """Take in what a trial has executed; kept for it is what is the user's own."""
        began = time.time() - (time.monotonic() - trial.started)
        for name, told in trial.modules.items():
            if name not in trial.code and name not in self._others:
                if digest := self._taken(Path(name), told, began):
                    trial.code[name] = digest
                else:
                    self._others.add(name)

    def _taken(self, path: Path, told: str, began: float) -> str:
        """The digest of a module's file, as it was when a trial told of it first; empty where it
        can't be read, or trials make a file of their own."""
        if not self._isolated or path == self._script:
            return ""
        if path not in self._kept:
            now, stamp, digest = time.time(), stamped(path), digested(path)
            if not digest or stamp is None:
                return ""
            if stamp.changed >= began and not self._apart(path):
                return ""
            if told not in ("", digest):
                if stamp.changed < began:
                    return ""
                # It has come before this, and the trial after: that one ran what was there before.
                self._edited = path
            self._kept[path] = Kept(digest, lasting(stamp, now))
        return self._kept[path].digest

    def _apart(self, path: Path) -> bool:
        """Whether trials that write this file have one of their own each. Elsewhere, as in the
        folder for temporary files, a file that is as new as a trial may be of its making."""
        real = path.resolve()
        return any(real.is_relative_to(folder) for folder in self._folders)

    def edited(self) -> Path | None:
        """A file that is not what it was. A module that is gone is none: trials without it fail,
        and say so."""
        if self._edited is not None:
            return self._edited
        now = time.time()
        for path, kept in self._kept.items():
            stamp = stamped(path)
            if stamp is not None and stamp == kept.stamp:
                continue
            digest = digested(path)
            if digest != kept.digest and (digest or path == self._script):
                return path
            kept.stamp = lasting(stamp, now)
        return None

    def check(self) -> None:
        """Raises ExecutorError where a file was edited."""
        path = self.edited()
        if path is not None:
            raise ExecutorError(
                "script-changed",
                f"{path.name} was changed while trials ran, so they can't be compared: "
                "start again once it stays as it is",
            )


def of_now(trials: Iterable[Trial]) -> list[Trial]:
    """Those of an earlier session whose modules are what they were then."""
    known: dict[str, str] = {}

    def same(name: str, digest: str) -> bool:
        if name not in known:
            known[name] = digested(Path(name))
        return known[name] == digest

    return [trial for trial in trials if all(same(*item) for item in trial.code.items())]


def stamped(path: Path) -> Stamp | None:
    """None where there is no file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return Stamp(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime)


def lasting(stamp: Stamp | None, now: float) -> Stamp | None:
    """A stamp that any later edit changes; None for one that an edit may leave as it is, since the
    last one was just now."""
    return stamp if stamp is not None and now - stamp.changed > TICK else None


def digested(path: Path) -> str:
    """Of the content, as `Subject.sha256`; empty where it can't be read."""
    try:
        data = path.read_bytes()
    except (OSError, ValueError):
        return ""
    if notebook.is_notebook(path.name):
        try:
            data = notebook.read(data.decode()).code
        except (UnicodeDecodeError, notebook.NotebookError):
            return "no notebook"
    return hashlib.sha256(data).hexdigest()
