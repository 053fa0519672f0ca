"""What the output goes to, where that may go away: `head`, a pager that is left, a terminal that is
closed; and where there is none."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

GONE = (errno.EPIPE, errno.ECONNRESET)
"""By which a pipe and a socket tell that nobody reads them any more. A terminal that is closed has
EIO, which of a file says that its disk is broken."""


class _Output(io.RawIOBase):
    """A descriptor that is written to as long as somebody reads it, and then to nowhere."""

    def __init__(self, handle: int, beside: bool) -> None:
        """`beside`: what is written there is no result, and lost where it can't be written."""
        self._handle = handle
        self._gone = (*GONE, errno.EIO) if os.isatty(handle) else GONE
        self._lost = beside

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return os.isatty(self._handle)

    def fileno(self) -> int:
        return self._handle

    def write(self, data: ReadableBuffer) -> int:
        while True:
            try:
                return os.write(self._handle, data)
            except BlockingIOError:
                # Whoever gave it to us reads it in an event loop, and has it so as well: Python's
                # own streams would fail once it is full.
                select.select([], [self._handle], [])
            except OSError as error:
                if error.errno in self._gone:
                    nowhere = os.open(os.devnull, os.O_WRONLY)
                    os.dup2(nowhere, self._handle)
                    os.close(nowhere)
                elif not self._lost:
                    # Once is enough: what is left in buffers would fail again as Python ends, with
                    # an exit code of its own.
                    self._lost = True
                    raise
                return memoryview(data).nbytes


@contextlib.contextmanager
def may_leave() -> Iterator[None]:
    """Who reads standard output or standard error may stop: a command goes on to its end, writes
    its files, and has the exit code that it would have had. Other pipes break as ever.

    So it does where standard error is on a disk that is full, or not there. What can't be written
    to standard output is an error, as of other files.
    """
    _fill()
    before = sys.stdout, sys.stderr
    lasting = _lasting(sys.stdout, beside=False), _lasting(sys.stderr, beside=True)
    sys.stdout, sys.stderr = lasting
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in lasting:
            if stream not in before:
                stream.flush()


def _fill() -> None:
    """Standard descriptors that are closed lead to nowhere: files that are opened next would get
    their numbers, and what a script or a library writes to these would go there."""
    for handle in range(3):
        try:
            os.fstat(handle)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _lasting(stream: TextIO | None, beside: bool) -> TextIO:
    """The same, to what may go away; any other stream as it is."""
    if stream is None:  # its descriptor was closed when Python started
        nowhere = _Output(os.open(os.devnull, os.O_WRONLY), beside)
        return io.TextIOWrapper(io.BufferedWriter(nowhere), "utf-8", "replace")
    try:
        handle = stream.fileno()
        os.fstat(handle)
    except (AttributeError, OSError, ValueError):  # closed, or a stand-in
        return stream
    console = os.name == "nt" and os.isatty(handle)  # which takes text
    if console or not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(handle, beside)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
