"""What ``nondet probe`` says in the terminal, and while it runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from nondet.machines import Probed, Probing
from nondet.naming import enumerated
from nondet.report.console import Encodable
from nondet.report.machine import words
from nondet.report.plain import shown
from nondet.report.sized import Sized

TONES = {"good": "bold green", "warn": "bold yellow", "bad": "bold red"}


def print_probing(console: Console, found: Probing, page: str) -> None:
    console.print(Encodable(Group(*_parts(found, page))))


def _parts(found: Probing, page: str) -> Iterator[RenderableType]:
    label, tone = words.label(found)
    yield Text()
    yield Text.assemble((f"{label}. ", TONES[tone]), shown(words.sentence(found)))
    yield Text(shown(f"{words.machine(found)}; {words.frameworks(found)}"), "dim")
    if note := words.note(found):
        yield Text(shown(note))
    if live := words.of_state(found, "live"):
        yield Text()
        yield _live(live)
    if quiet := words.of_state(found, "quiet"):
        yield Text()
        runs = min(probe.runs for probe in quiet)
        names = enumerated([probe.probe for probe in quiet], 30)
        yield Text.assemble(("Quiet ", "bold green"), shown(f"(in {runs} runs or more): {names}"))
    for state in ("broken", "unsure", "skipped"):
        for probe in words.of_state(found, state):
            tone = "bold red" if state == "broken" else "dim"
            yield Text.assemble((f"{state} ", tone), shown(f"{probe.probe}: {probe.note}"))
    yield Text()
    yield Text(f"Page: {shown(page)}", no_wrap=True, overflow="ignore")


def _live(live: list[Probed]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("Live", "results", "first parts", "apart at the end", "pinned"):
        table.add_column(name, overflow="fold")
    for probe in live:
        cells = [words.often(probe), words.where(probe), words.apart(probe), words.held(probe)]
        table.add_row(Text(shown(probe.probe), "bold yellow"), *(shown(cell) for cell in cells))
    return table


def finished(probe: Probed) -> str:
    """A line about a probe that is done."""
    if probe.state == "live":
        text = f"live, {words.often(probe)}, pinned: {words.held(probe)}"
    else:
        text = words.often(probe) if probe.state == "quiet" else probe.note
        text = f"{probe.state}, {text}" if text else probe.state
    return shown(f"{probe.probe}: {text}")


class Lines:
    """A line for each probe that is done, for logs and pipes."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        """`total`: probes to come. `stream`: standard error when None."""
        self.total = total
        self.stream = stream or sys.stderr
        self.done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def message(self, text: str) -> None:
        """What is being done: a probe's name and title, or something that is asked."""

    def run_started(self, run: str, question: str) -> None:
        """A run of the present probe."""

    def probed(self, found: Probing) -> None:
        """One more probe is done."""
        self.done = len(found.probes)
        line = f"{self.done} of {self.total}  {finished(found.probes[-1])}"
        print(line, file=self.stream, flush=True)


class Unseen(Lines):
    """Nothing."""

    def probed(self, found: Probing) -> None:
        self.done = len(found.probes)


class Bar(Lines):
    """The same on a terminal, above a bar that tells which probe is being run, and what of it."""

    def __init__(self, total: int, console: Console | None = None) -> None:
        super().__init__(total)
        self.console = console or Sized(stderr=True)
        self.name = ""
        self.progress = Progress(
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=self.console,
            transient=True,
        )
        self.task = self.progress.add_task("", total=total)

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.progress.stop()

    def message(self, text: str) -> None:
        self.name = text.partition(":")[0]
        self._tell(self.name)

    def run_started(self, run: str, question: str) -> None:
        self._tell(f"{self.name}, run {run.lstrip('t0') or run}: {question}")

    def probed(self, found: Probing) -> None:
        self.progress.console.print(Text(finished(found.probes[-1])))
        self.progress.update(self.task, completed=len(found.probes))

    def _tell(self, text: str) -> None:
        self.progress.update(self.task, description=shown(text))
