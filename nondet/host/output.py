"""The output folder: refused, cleared or continued; files written beside and renamed."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from nondet import machines, record, repetition
from nondet.guest.factors import CLUSTER, REGISTRY
from nondet.host import files, scratch
from nondet.host.errors import UsageError

Decoded = TypeVar("Decoded")
FOLDERS = ("trials", "values", "cluster")
"""Those in an output folder that are written to."""
RESERVE = 2 * 2**20
"""Bytes: more than the record and the page of an ordinary diagnosis."""
SHARE = 8
"""Held where that many times as much is free."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """What an output folder is for, and what lies in it besides trials."""

    noun: str
    record: str
    page: str

    @property
    def names(self) -> tuple[str, ...]:
        return (self.record, self.page, *FOLDERS)


DIAGNOSIS = Kind("diagnosis", "diagnosis.json", "report.html")
REPETITION = Kind("repetition", "repeat.json", "repeat.html")
PROBING = Kind("probing", "probing.json", "probing.html")
KINDS = (DIAGNOSIS, REPETITION, PROBING)


@contextlib.contextmanager
def prepared(folder: Path, *, resume: bool, force: bool, kind: Kind = DIAGNOSIS) -> Iterator[None]:
    """Make the folder ready, and keep others from writing to it meanwhile. Raises UsageError, with
    what to do about it."""
    with contextlib.ExitStack() as stack:
        try:
            _hold(folder, stack)
            _prepare(folder, resume, force, kind)
        except OSError as error:
            raise UsageError(
                "output-not-writable",
                f"--output {folder}: can't write there ({error.strerror}); name another folder",
            ) from error
        yield


def _hold(folder: Path, stack: contextlib.ExitStack) -> None:
    """Before it is looked at: what is seen there then is not what somebody else is writing."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            "output-not-a-folder",
            f"--output {folder}: a file is in the way; name a new or empty folder",
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not stack.enter_context(scratch.held(folder)):
        raise UsageError(
            "output-in-use",
            f"--output {folder}: another nondet is writing there; wait until it has ended, or "
            "name another folder",
        )


def _prepare(folder: Path, resume: bool, force: bool, kind: Kind) -> None:
    if any(folder.iterdir()):
        for other in KINDS:
            if other is not kind and (folder / other.record).exists():
                raise UsageError(
                    "output-of-another-kind",
                    f"--output {folder}: the folder holds a {other.noun}; name another one",
                )
        if not any((folder / name).exists() for name in kind.names):
            raise UsageError(
                "output-not-empty",
                f"--output {folder}: the folder holds other things; name a new or empty one",
            )
        if not force and not resume:
            raise UsageError(
                "output-exists",
                f"{folder} holds a {kind.noun}: --resume goes on with it, --force replaces it, "
                "--output DIR writes elsewhere",
            )
        for name in () if resume else kind.names:
            path = folder / name
            own = path.is_dir() and not path.is_symlink()
            shutil.rmtree(path) if own else path.unlink(missing_ok=True)
        for name in FOLDERS:
            if (folder / name).is_symlink():
                raise UsageError(
                    "output-leads-elsewhere",
                    f"{folder / name} is a link, and nothing is written through it: remove it, or "
                    "name another folder with --output",
                )
    tempfile.TemporaryFile(dir=folder).close()  # raises OSError where nothing can be written


def read_diagnosis(folder: Path) -> record.Diagnosis:
    """The record in a folder. Raises UsageError."""
    return _read(folder, DIAGNOSIS, record.decode)


def read_repetition(folder: Path) -> repetition.Repetition:
    """The record of a repetition in a folder. Raises UsageError."""
    return _read(folder, REPETITION, repetition.decode)


def read_probing(folder: Path) -> machines.Probing | None:
    """The record of probes in a folder; None where there is none yet. Raises UsageError."""
    if not (folder / PROBING.record).exists():
        return None
    return _read(folder, PROBING, machines.decode_probing)


def check_factors(where: Path, names: Iterable[str]) -> None:
    """Raises UsageError for a name that a diagnosis gives and that is no factor's here."""
    known = {factor.name for factor in (*REGISTRY, *CLUSTER)}
    for name in names:
        if name not in known:
            raise UsageError(
                "factor-not-known",
                f"{where}: the diagnosis names {name!r}, which is no factor of this nondet; "
                "upgrade nondet-diagnose, or diagnose again",
            )


def _read(folder: Path, kind: Kind, decode: Callable[[bytes], Decoded]) -> Decoded:
    path = folder / kind.record
    try:
        return decode(files.read(path, files.MOST_RECORD))
    except files.NotData as error:
        raise UsageError("diagnosis-unreadable", f"{path}: {error.strerror}") from error
    except OSError as error:
        raise UsageError(
            "no-diagnosis", f"{folder}: no {kind.noun} there ({error.strerror}: {path})"
        ) from error
    except record.RecordError as error:
        raise UsageError("diagnosis-unreadable", f"{path}: {error}") from error


def write_whole(path: Path, data: bytes, *, survives_power_loss: bool = True) -> None:
    """Write beside and rename, readable by the user alone: there is a whole file or none."""
    with files.written(path, survives_power_loss=survives_power_loss) as file:
        file.write(data)


@contextlib.contextmanager
def reserved(folder: Path) -> Iterator[Callable[[], None]]:
    """Hold room on the folder's disk for what is written in the end, should it fill up meanwhile;
    gives what lets it go.

    By a file without a name, so that nothing is left of it however the process ends. Where the
    system has none, or the disk is small, nothing is held.
    """
    with contextlib.ExitStack() as stack:
        if (free(folder) or 0) >= SHARE * RESERVE:
            try:
                held = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
                stack.callback(os.close, held)
                os.posix_fallocate(held, 0, RESERVE)
            except (OSError, AttributeError):
                stack.close()
        yield stack.close


def free(folder: Path) -> int | None:
    """Bytes that are free on its disk; None where that can't be told."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def write_page(path: Path, text: str) -> None:
    """Write a page that the user has named. Raises UsageError."""
    try:
        files.check_place(path)
        write_whole(path, text.encode("utf-8"))
    except OSError as error:
        raise UsageError(
            "output-not-writable",
            f"can't write {path} ({error.strerror}); name another file",
        ) from error


def drop_values(folder: Path) -> None:
    """Tensor values serve to measure distances, which are in the record by now."""
    shutil.rmtree(folder / "values", ignore_errors=True)


def drop_empty(folder: Path) -> None:
    """Folders made for trials that were never started: another try is not to find a diagnosis."""
    for name in ("trials", "values"):
        with contextlib.suppress(OSError):
            (folder / name).rmdir()
