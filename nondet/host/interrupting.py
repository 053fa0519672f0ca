"""Ctrl-C and SIGTERM, taken at moments when nothing is half done."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any, Self


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
        self.check()
        self.asked = True

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            former = signal.getsignal(number)
            if former is not signal.SIG_IGN:  # as under nohup, or in a shell's background
                self.former[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, former in self.former.items():
            signal.signal(number, former)
