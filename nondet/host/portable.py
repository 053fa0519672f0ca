"""The `.nd` file: one run of a script, to be compared with others, here or on another machine.

A ZIP archive with `run.json` (`nondet.runs.RecordedRun`), the trial's files as its guest wrote them
(`trial/`: events and logs of steps), and the values of tensors (`values/`, named by digest).
Nothing in it is ever executed, and of a stranger's file nothing is unpacked but what has these
names.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import re
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from nondet import __version__, spread
from nondet.host import files, planning, scratch, surroundings, trials
from nondet.host.errors import UsageError
from nondet.host.planning import Settings
from nondet.host.trials import Trial
from nondet.record import RecordError
from nondet.runs import RecordedRun, decode_run, encode

HEAD = "run.json"
TRIAL = re.compile(r"trial/(?:events\.jsonl|trial\.json|(?:steps|rows)-\d{1,6}\.bin)")
VALUE = re.compile(r"values/[0-9a-f]{16,128}")
MOST_HEAD = 16 * 2**20
MOST = 64 * 2**30
"""Bytes that a file may unpack to: more than any run keeps."""
MOST_MEMBERS = 1_000_000
MOST_AT_ONCE = 128 * 2**20
"""Bytes that are read in one go: the list of members is."""
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Those that are ours. The others' unpackers can't be told how much to give out at a time."""
CHUNK = 1 << 20
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(ArithmeticError, EOFError, LookupError, NotImplementedError, ValueError),
)
"""What unpacking comes to in a file that is none of ours."""


@dataclasses.dataclass(frozen=True)
class Opened:
    """An `.nd` file, unpacked into a private folder."""

    path: Path
    run: RecordedRun
    trial: Trial
    values: Path


def check_place(path: Path) -> None:
    """Raises UsageError where no run could be written, before one is waited for."""
    try:
        files.check_place(path)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise _not_writable(path, error) from error


def _not_writable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        "output-not-writable", f"can't write {path} ({error.strerror}); name another with -o"
    )


def pack(path: Path, trial: Trial, settings: Settings, started: str) -> RecordedRun:
    """Write the run of a trial that came to its end. Raises UsageError."""
    if trial.outcome != "completed":
        raise UsageError(
            "not-recorded", f"nothing was recorded, since the script failed: {trial.note}"
        )
    if not trial.checkpoints or not trial.shows:
        raise UsageError(
            "nothing-recorded",
            "it recorded nothing: it trains nothing that nondet knows of, and gives nothing to "
            "nondet.checkpoint",
        )
    run = described(trial, settings, started)
    trial.save()
    try:
        files.check_place(path)
        with files.written(path, survives_power_loss=False) as file:
            _write(file, run, trial.folder, settings.output / "values")
    except OSError as error:
        raise _not_writable(path, error) from error
    return run


def described(trial: Trial, settings: Settings, started: str) -> RecordedRun:
    """What is to be known of a trial's run."""
    environ = planning.environment(settings, trial.held, trial.id)
    return RecordedRun(
        nondet=__version__,
        subject=settings.subject.to_record(),
        facts=surroundings.facts(trial, settings, environ),
        started=started,
        seconds=trial.seconds,
        granularity=settings.granularity,
        seed=settings.seed,
        pins=dict(trial.held),
        checkpoints=len(trial.checkpoints),
        metrics={
            name: value if math.isfinite(value) else spread.word(value)
            for name, value in trial.metrics.items()
        },
        values_omitted=trial.values_omitted,
    )


def _write(file: IO[bytes], run: RecordedRun, folder: Path, values: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(HEAD, encode(run))
        for path in sorted(folder.iterdir()):
            if TRIAL.fullmatch(f"trial/{path.name}"):
                archive.write(path, f"trial/{path.name}")
        for path in sorted(values.iterdir()):
            if VALUE.fullmatch(f"values/{path.name}"):
                # Weights hardly shrink, and are read again one by one.
                archive.write(path, f"values/{path.name}", zipfile.ZIP_STORED)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """The run in a file, unpacked for as long as the context lasts. Raises UsageError."""
    with scratch.Private(scratch.temporary()) as room:
        try:
            run = _unpack(path, room)
        except files.NotData as error:
            raise UsageError("recording-unreadable", f"{path}: {error.strerror}") from error
        except OSError as error:
            raise UsageError(
                "no-recording", f"{path}: can't read it ({error.strerror or error})"
            ) from error
        except RecordError as error:  # a ValueError as well
            raise UsageError("recording-unreadable", f"{path}: {error}") from error
        except UNREADABLE as error:
            raise UsageError(
                "recording-unreadable", f"{path} is no recorded run, or is damaged: {error}"
            ) from error
        trial = trials.restore(room / "trial")
        if trial is None or trial.fault:
            why = trial.fault if trial is not None else "its trial is not whole"
            raise UsageError("recording-unreadable", f"{path} is damaged: {why}")
        yield Opened(path, run, trial, room / "values")


def _unpack(path: Path, room: Path) -> RecordedRun:
    """Raises OSError, RecordError or what is UNREADABLE."""
    (room / "trial").mkdir()
    (room / "values").mkdir()
    with files.opened(path) as file, zipfile.ZipFile(_Measured(file)) as archive:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS or sum(member.file_size for member in members) > MOST:
            raise RecordError("it holds more than any recorded run does")
        heads = [member for member in members if member.filename == HEAD]
        if len({member.filename for member in members}) < len(members):
            raise RecordError("it holds something twice")
        if len(heads) != 1:
            raise RecordError(f"it has no {HEAD}")
        if heads[0].file_size > MOST_HEAD:
            raise RecordError(f"its {HEAD} holds more than that of any recorded run")
        if any(member.flag_bits & 1 for member in members):
            raise RecordError("it is encrypted")
        if any(member.compress_type not in METHODS for member in members):
            raise RecordError("it is packed in a way that is not nondet's")
        with archive.open(heads[0]) as source:
            run = decode_run(source.read(MOST_HEAD))
        for member in members:
            name = member.filename
            if TRIAL.fullmatch(name) or VALUE.fullmatch(name):
                _copy(archive, member, room / name)
    return run


def _copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, place: Path) -> None:
    """As many bytes as its entry says, however many there are to come."""
    with archive.open(member) as source, place.open("xb") as target:
        shutil.copyfileobj(source, target, CHUNK)


class _Measured:
    """A regular file that gives out no more in one go than an archive of ours asks for: a
    stranger's may claim that its list of members is as large as a disk."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        # Looked at before memory is taken for it.
        left = max(0, os.fstat(self._file.fileno()).st_size - self._file.tell())
        most = left if size < 0 else min(size, left)
        if most > MOST_AT_ONCE:
            raise zipfile.BadZipFile("it claims to hold more than any recorded run does")
        return self._file.read(most)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True
