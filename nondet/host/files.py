"""Files in folders that others may have filled: read as data, and never written through.

A folder of a stranger's may hold links, pipes and devices under the names that nondet knows, and
files that are far larger than they look.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

MOST_RECORD = 256 << 20
"""Bytes that a record is read up to: many times what the largest diagnoses take."""
MOST_SOURCE = 64 << 20
"""Bytes of a source file that lines are shown of."""
CHUNK = 1 << 20
"""Bytes that are read in one go."""
LONGEST_NAME = 200
"""Bytes of a name that a temporary one begins with, so that the whole is one."""


class NotData(OSError):
    """What is there is nothing to read: no regular file, or one that is too large."""


def opened(path: Path) -> BinaryIO:
    """A regular file, or a link to one, to be read. Raises OSError.

    A pipe is not waited for, and no device is opened.
    """
    # Before it is opened, since to open a device may already do something.
    _refuse(path, os.stat(path))
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _refuse(path, os.fstat(handle))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _refuse(path: Path, state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise NotData(errno.EINVAL, "it is no regular file", str(path))


def read(path: Path, most: int) -> bytes:
    """All of a regular file. Raises OSError, NotData for one of more than `most` bytes."""
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        # Memory is taken once, for as much as is there: neither for all that might be, nor for what
        # gathers its pieces, which may take twice the bytes of a large one.
        data = b"" if size > most else file.read(size + 1)
        if len(data) > size:
            # What grows, or has no size, is still read no further.
            data += _at_most(file, most + 1 - len(data))
    if size > most or len(data) > most:
        raise NotData(errno.EFBIG, f"it is larger than {most >> 20} MiB", str(path))
    return data


def _at_most(file: IO[bytes], most: int) -> bytes:
    """What is left in a file, up to `most` bytes of it.

    In pieces: to be asked for so many bytes, Python takes the memory for them before it looks
    whether they are there.
    """
    pieces = []
    while most > 0 and (piece := file.read(min(most, CHUNK))):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


def check_place(path: Path) -> None:
    """For a name that the user gives. Raises OSError where no file can have it: NotData where
    something else has it, as ``/dev/null``, which a new file would replace."""
    with contextlib.suppress(FileNotFoundError):
        _refuse(path, os.stat(path))


@contextlib.contextmanager
def written(path: Path, *, survives_power_loss: bool = True) -> Iterator[BinaryIO]:
    """A file to write, beside, and renamed at the end: there is a whole file or none. It is
    readable by the user alone. Raises OSError.

    The one beside has a name that nobody knows, and is always a new file: what lies there, a link
    or a file of the user's, is neither followed nor replaced.
    """
    start = os.fsdecode(os.fsencode(path.name)[:LONGEST_NAME])
    with _about(path):
        handle, beside = tempfile.mkstemp(".new", f"{start}.", path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            if survives_power_loss:
                file.flush()
                os.fsync(file.fileno())
        with _about(path):
            os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


@contextlib.contextmanager
def _about(path: Path) -> Iterator[None]:
    """Errors name the file that was asked for, not the one beside."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
