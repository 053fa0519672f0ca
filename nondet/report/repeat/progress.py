"""A repetition as it goes: bars on a terminal, lines elsewhere. Watchers, as for a diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from nondet.record import Diagnosis
from nondet.report.page import words
from nondet.report.plain import Plain, estimate, shown
from nondet.report.sized import Sized


class Lines(Plain):
    """A watcher that writes lines without escape codes, each flushed at once."""

    def opened(self, script: str, output: str, jobs: int) -> None:
        side = f", {jobs} runs side by side" if jobs > 1 else ""
        self._say(f"repeating {script}, output in {output}{side}")

    def question(
        self,
        text: str,
        pinned: Sequence[str],
        free: Sequence[str],
        trials: int,
        varied: Sequence[str] = (),
    ) -> None:
        self._say(f"{text}: {words.plural(trials, 'run')}")


class Bars:
    """A watcher with a bar for each series, at the bottom of a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        """`console`: one on standard error when None."""
        self.console = console or Sized(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", style="dim"),
            console=self.console,
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def opened(self, script: str, output: str, jobs: int) -> None:
        side = f", {jobs} side by side" if jobs > 1 else ""
        self._print(f"repeating {script}{side}; output in {output}; Ctrl-C: stop and report")

    def question(
        self,
        text: str,
        pinned: Sequence[str],
        free: Sequence[str],
        trials: int,
        varied: Sequence[str] = (),
    ) -> None:
        if self._task is not None:
            self._progress.stop_task(self._task)
            self._progress.update(self._task, left="")
        # Escaped by hand: a description is read as markup.
        name = shown(text).replace("[", r"\[")
        self._task = self._progress.add_task(name, total=trials, left="")

    def trial_started(self, trial: str, question: str) -> None:
        """Said when it ends."""

    def trial_progress(
        self, trial: str, checkpoints: int, expected: int | None, seconds: float
    ) -> None:
        """Not shown: the bar counts whole runs."""

    def trial_ended(self, trial: str, outcome: str, seconds: float, note: str) -> None:
        if outcome == "stopped-early":
            return
        if outcome != "completed":
            self._print(f"{trial} {outcome} after {words.duration(seconds)}: {note}", "yellow")
        if self._task is not None:
            self._progress.advance(self._task)

    def answered(self, text: str, verdict: str, conclusion: str) -> None:
        """Nothing is asked in a repetition."""

    def factor(self, name: str, title: str, state: str, evidence: str) -> None:
        """No factor is looked for in a repetition."""

    def message(self, text: str) -> None:
        self._print(f"note: {text}", "yellow")

    def remaining(self, seconds: float | None) -> None:
        if self._task is not None and seconds is not None:
            self._progress.update(self._task, left=estimate(seconds))

    def closed(self, diagnosis: Diagnosis, report: str) -> None:
        """A repetition ends with its summary."""

    def _print(self, text: str, style: str = "dim") -> None:
        self._progress.console.print(Text(shown(text), style))
