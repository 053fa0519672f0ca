"""What a stranger may have put into a folder: links, pipes, devices, files larger than the disk."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

SECONDS = 90


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def vast(path: Path) -> None:
    """100 GB that take no room."""
    with path.open("wb") as file:
        file.truncate(100 << 30)


def folder(path: Path) -> None:
    path.mkdir()


Plant = Callable[[Path], None]
PLANTED: dict[str, Plant] = {
    "a pipe": pipe,
    "a link to a device": endless,
    "100 GB": vast,
    "a folder": folder,
}


@contextlib.contextmanager
def limited(memory: int) -> Iterator[None]:
    """So many bytes beyond what this process has, and no more, for it and what it starts."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + memory, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))


@contextlib.contextmanager
def bounded(memory: int = 512 << 20) -> Iterator[None]:
    """A reader that waits, or takes more bytes than that, fails."""

    def late(number: int, frame: FrameType | None) -> None:
        raise AssertionError("it waits, or reads without end")

    handler = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        with limited(memory):
            yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
