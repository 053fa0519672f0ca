"""Ctrl-C, SIGTERM, and a terminal that is closed, taken at moments when nothing is half done."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, Self

HANGUP = getattr(signal, "SIGHUP", None)
"""A terminal that is closed. Its shell sends it as well as the system, so it may come twice."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, *([HANGUP] if HANGUP is not None else []))


class Interruption:
    """While entered, a first signal is noted for `check` to raise; a second one raises at once.

    An exception out of nowhere could leave a trial half started or half cleared up.
    """

    def __init__(self) -> None:
        self.asked = False
        self.former: dict[int, Any] = {}

    def check(self) -> None:
        """Raises KeyboardInterrupt once a signal has come."""
        if self.asked:
            raise KeyboardInterrupt

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if number != HANGUP:
            self.check()
        self.asked = True

    def __enter__(self) -> Self:
        for number in SIGNALS:
            former = signal.getsignal(number)
            if former is not signal.SIG_IGN:  # as under nohup, or in a shell's background
                self.former[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, former in self.former.items():
            signal.signal(number, former)


@contextlib.contextmanager
def as_ctrl_c() -> Iterator[None]:
    """Signals that would end this process on the spot interrupt it, so that what it has started
    ends, and what it has made for a while is removed."""
    came: set[int] = set()
    former: list[signal.Signals] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        if number == HANGUP and number in came:
            return
        came.add(number)
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                former.append(number)
                signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in former:
            signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def ends_heard() -> Iterator[None]:
    """Processes that end meanwhile leave their exit codes. Not so where SIGCHLD is ignored, as
    some daemons leave it to what they start: every code reads as 0 then.

    What is started meanwhile has the signal's default as well, as trials have.
    """
    number = getattr(signal, "SIGCHLD", None)
    if number is None or signal.getsignal(number) is not signal.SIG_IGN:
        yield
        return
    signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Signals that come meanwhile are taken at the end."""
    came: list[int] = []
    former: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():  # no other one is interrupted
        for number in SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                former[number] = signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        for sent in came:
            signal.raise_signal(sent)


def run(command: Sequence[str], seconds: float, **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run a command without input, and keep its output, as `subprocess.run` does. That one leaves
    it running where Ctrl-C comes while it is being started. Raises OSError and TimeoutExpired."""
    process = None
    try:
        with held_back():
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                **options,
            )
        out, err = process.communicate(timeout=seconds)
    except BaseException:
        if process is not None:
            with process:
                process.kill()
        raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)
