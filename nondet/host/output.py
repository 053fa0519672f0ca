"""The output folder: refused, cleared or continued; files written beside and renamed."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from pathlib import Path

from nondet import machines, record, repetition
from nondet.host.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Kind:
    """What an output folder is for, and what lies in it besides trials."""

    noun: str
    record: str
    page: str

    @property
    def names(self) -> tuple[str, ...]:
        return (self.record, self.page, "trials", "values", "cluster")


DIAGNOSIS = Kind("diagnosis", "diagnosis.json", "report.html")
REPETITION = Kind("repetition", "repeat.json", "repeat.html")
PROBING = Kind("probing", "probing.json", "probing.html")
KINDS = (DIAGNOSIS, REPETITION, PROBING)


def prepare(folder: Path, *, resume: bool, force: bool, kind: Kind = DIAGNOSIS) -> None:
    """Make the folder ready. Raises UsageError, with what to do about it."""
    try:
        _prepare(folder, resume, force, kind)
    except OSError as error:
        raise UsageError(
            "output-not-writable",
            f"--output {folder}: can't write there ({error.strerror}); name another folder",
        ) from error


def _prepare(folder: Path, resume: bool, force: bool, kind: Kind) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            "output-not-a-folder",
            f"--output {folder}: a file is in the way; name a new or empty folder",
        )
    if folder.is_dir() and any(folder.iterdir()):
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
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    trial = folder / ".writable"
    trial.write_bytes(b"")
    trial.unlink()


def read_diagnosis(folder: Path) -> record.Diagnosis:
    """The record in a folder. Raises UsageError."""
    path = folder / "diagnosis.json"
    try:
        return record.decode(path.read_bytes())
    except OSError as error:
        raise UsageError(
            "no-diagnosis", f"{folder}: no diagnosis there ({error.strerror}: {path})"
        ) from error
    except record.RecordError as error:
        raise UsageError("diagnosis-unreadable", f"{path}: {error}") from error


def read_repetition(folder: Path) -> repetition.Repetition:
    """The record of a repetition in a folder. Raises UsageError."""
    path = folder / REPETITION.record
    try:
        return repetition.decode(path.read_bytes())
    except OSError as error:
        raise UsageError(
            "no-diagnosis", f"{folder}: no repetition there ({error.strerror}: {path})"
        ) from error
    except record.RecordError as error:
        raise UsageError("diagnosis-unreadable", f"{path}: {error}") from error


def read_probing(folder: Path) -> machines.Probing | None:
    """The record of probes in a folder; None where there is none yet. Raises UsageError."""
    path = folder / PROBING.record
    try:
        return machines.decode_probing(path.read_bytes()) if path.exists() else None
    except record.RecordError as error:
        raise UsageError("diagnosis-unreadable", f"{path}: {error}") from error


def write_whole(path: Path, data: bytes, *, survives_power_loss: bool = True) -> None:
    """Write beside and rename, readable by the user alone: there is a whole file or none."""
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        if survives_power_loss:
            file.flush()
            os.fsync(file.fileno())
    beside.replace(path)


def write_page(path: Path, text: str) -> None:
    """Write a page that the user has named. Raises UsageError."""
    try:
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
