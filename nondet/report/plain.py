"""The diagnosis as it goes, one line at a time, for logs and pipes; and the cleaning of text."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TextIO

from nondet.record import Diagnosis, Zoom
from nondet.report.page import words, zooms

_LOUD = ("guilty", "cleared", "shifts", "not-tested")


def shown(text: str) -> str:
    """`text` on one line, with every character that would act instead of show written out."""
    if text.isprintable():
        return text
    return "".join(
        # Wide and unbreakable spaces count as not printable, yet they only take room.
        c if c.isprintable() or (c.isspace() and ord(c) > 159 and c not in "\u2028\u2029")
        # unicode_escape, unlike UTF-8, also writes the lone surrogates of undecodable file names.
        else c.encode("unicode_escape").decode("ascii")
        for c in text
    )  # fmt: skip


def shown_lines(text: str) -> list[str]:
    """The lines of `text`, each as `shown` writes it, tabs expanded."""
    return [shown(line.rstrip("\r").expandtabs(4)) for line in text.split("\n")]


def several(names: Sequence[str], width: int) -> str:
    """`names` as a list of at most about `width` characters: ``a, b and 3 more``."""
    clean = [shown(name) for name in names]
    for kept in range(len(clean), 0, -1):
        rest = len(clean) - kept
        text = ", ".join(clean[:kept]) + (f" and {rest} more" if rest else "")
        if len(text) <= width or kept == 1:
            return text
    return ""


def elapsed(seconds: float) -> str:
    """As a clock shows it: ``0:07``, ``1:02:30``."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def estimate(seconds: float) -> str:
    """Rounded, because an estimate to the second would promise what nobody knows."""
    if not math.isfinite(seconds):
        return "time left unknown"
    if seconds < 5:
        return "nearly done"
    step = 5 if seconds < 55 else 60
    return f"about {words.duration(max(10, step * round(seconds / step)))} left"


def inside(zoom: Zoom) -> str:
    """What a look inside a step found, in letters that every terminal has and without backticks."""
    return shown(zooms.sentence(zoom).replace("`", "").replace("×", "x"))


class Plain:
    """A watcher that writes lines without escape codes, each flushed at once."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`stream`: standard error when None. `clock`: seconds; time is counted from now."""
        self._stream: TextIO | None = stream or sys.stderr
        self._clock = clock
        self._began = clock()
        self._states: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def opened(self, script: str, output: str, jobs: int) -> None:
        side = f", {jobs} trials side by side" if jobs > 1 else ""
        self._say(f"diagnosing {script}, output in {output}{side}")

    def question(
        self,
        text: str,
        pinned: Sequence[str],
        free: Sequence[str],
        trials: int,
        varied: Sequence[str] = (),
    ) -> None:
        held = f"pinned: {several(pinned, 200) or 'nothing'}; "
        if varied:
            held = f"pinned: {several(pinned, 200)}; " if pinned else ""
            held += f"provoked: {several(varied, 200)}; "
        self._say(f"question: {text} ({held}up to {words.plural(trials, 'trial')})")

    def trial_started(self, trial: str, question: str) -> None:
        """Said when it ends: a line for each start would double the log."""

    def trial_progress(
        self, trial: str, checkpoints: int, expected: int | None, seconds: float
    ) -> None:
        """Not said: a log has no place for it."""

    def trial_ended(self, trial: str, outcome: str, seconds: float, note: str) -> None:
        self._say(_with(f"trial {trial}: {outcome} after {words.duration(seconds)}", note))

    def answered(self, text: str, verdict: str, conclusion: str) -> None:
        self._say(_with(f"answer: {text} {verdict}", conclusion))

    def factor(self, name: str, title: str, state: str, evidence: str) -> None:
        changed = self._states.get(name) != state
        self._states[name] = state
        if changed and state in _LOUD:
            self._say(_with(f"factor {name}: {state.replace('-', ' ')}", evidence))

    def message(self, text: str) -> None:
        self._say(f"note: {text}")

    def remaining(self, seconds: float | None) -> None:
        """Not said: the next line would already make it stale."""

    def closed(self, diagnosis: Diagnosis, report: str) -> None:
        for zoom in diagnosis.zooms:
            self._say(f"looked into: {inside(zoom)}")
        label = words.verdict(diagnosis)[0].lower()
        self._say(f"done: {label} ({words.plural(diagnosis.cost.trials, 'trial')}); see {report}")

    def _say(self, text: str) -> None:
        if self._stream is None:
            return
        line = f"[{self._clock() - self._began:5.1f}s] {shown(text)}\n"
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            self._stream.write(line.encode(encoding, "backslashreplace").decode(encoding))
            self._stream.flush()
        except (OSError, ValueError):
            # Whoever read this has gone (a closed pipe); the diagnosis goes on without them.
            self._stream = None


def _with(text: str, detail: str) -> str:
    return f"{text}: {detail}" if detail else text
