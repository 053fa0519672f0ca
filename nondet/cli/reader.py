"""What the output goes to, where that may go away: `head`, and a pager that is left."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Pipe(io.RawIOBase):
    """A descriptor that is written to as long as somebody reads it, and then to nowhere."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._handle

    def write(self, data: ReadableBuffer) -> int | None:
        try:
            return os.write(self._handle, data)
        except BlockingIOError:  # as the protocol of raw streams says it
            return None
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._handle)
            os.close(nowhere)
            return memoryview(data).nbytes


@contextlib.contextmanager
def may_leave() -> Iterator[None]:
    """Who reads standard output or standard error may stop: a command goes on to its end, writes
    its files, and has the exit code that it would have had. Other pipes break as ever."""
    before = sys.stdout, sys.stderr
    lasting = tuple(_lasting(stream) for stream in before)
    sys.stdout, sys.stderr = lasting
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in lasting:
            if stream not in before:
                stream.flush()


def _lasting(stream: TextIO) -> TextIO:
    """The same, to a pipe that may break; any other stream as it is."""
    try:
        handle = stream.fileno()
        mode = os.fstat(handle).st_mode
    except (AttributeError, OSError, ValueError):  # none, closed, or a stand-in
        return stream
    if not isinstance(stream, io.TextIOWrapper) or not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Pipe(handle)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
