"""Signs of life and orders in small files that host and workers share. Standard library only.

A file is written in place and read by opening it anew: on a network file system that shows what is
new, where a file that appears may go unseen for a minute.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

BEAT_SECONDS = 2.0
"""Between two signs of life."""
LEASE_SECONDS = 45.0
"""Without one for so long, the other side is taken for lost. A file system that others load
heavily may hold one up for seconds."""
WIDTH = 12
OVER = "over".ljust(WIDTH) + "\n"


class Beat:
    """A file that says that its writer is alive, as long as it changes."""

    def __init__(self, path: Path) -> None:
        """Makes the file. Raises OSError."""
        self.path, self.number = path, 0
        self.beat()

    def beat(self) -> None:
        """Raises OSError."""
        self.number += 1
        self._write(f"{self.number:{WIDTH}d}\n")

    def over(self) -> None:
        """Say that nothing more is wanted. Raises OSError."""
        self._write(OVER)

    def _write(self, text: str) -> None:
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(handle, text.encode(), 0)
        finally:
            os.close(handle)  # which is when a network file system sends it


class Pulse:
    """The reader of such a file. A file that is gone, or can't be read, is no sign of life."""

    def __init__(
        self,
        path: Path,
        limit: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path, self.limit, self.clock = path, limit, clock
        self.text, self.seen = "", clock()
        self.over = False
        """Whether the writer has said that nothing more is wanted."""

    def look(self) -> None:
        """May take long where the file system is cut off: `stale` tells meanwhile."""
        text = read(self.path)
        if len(text) == len(OVER) and text != self.text:
            self.text, self.seen = text, self.clock()
            self.over = text == OVER

    @property
    def begun(self) -> bool:
        """Whether there was a sign of life at any time."""
        return bool(self.text)

    @property
    def stale(self) -> bool:
        return self.clock() - self.seen > self.limit


def read(path: Path) -> str:
    """What the file holds; empty when it can't be read."""
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def order_stop(path: Path, grace: float) -> None:
    """Have a trial ended; `grace`: seconds between SIGTERM and SIGKILL. Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, f"stop {grace:g}\n".encode())
    finally:
        os.close(handle)


def ordered_stop(path: Path) -> float | None:
    """The grace of the first order to end a trial; None as long as there is none."""
    line, newline, _ = read(path).partition("\n")
    return float(line.split()[1]) if newline and line.startswith("stop ") else None
