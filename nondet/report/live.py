"""The diagnosis as it goes, redrawn in place: the question, the trials, the factors."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

import rich.live
from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from nondet.record import Diagnosis
from nondet.report.console import Encodable, cut
from nondet.report.page import words
from nondet.report.plain import elapsed, estimate, several, shown
from nondet.report.rows import grid
from nondet.report.sized import Sized

# The order in which states are shown: what breaks the runs first, what is quiet last.
_STATES = {
    "guilty": "bold red",
    "shifts": "yellow",
    "suspected": "yellow",
    "cleared": "green",
    "not-exercised": "dim",
    "not-tested": "dim",
    "waiting": "dim",
}
_LOUD = ("guilty", "shifts", "suspected")
_VERDICTS = {"AGREES": "green", "DIVERGES": "yellow", "BROKEN": "bold red", "UNSURE": "dim"}


@dataclasses.dataclass(frozen=True)
class Running:
    """A trial under way; `began` by the watcher's clock."""

    trial: str
    began: float
    checkpoints: int = 0
    expected: int | None = None


@dataclasses.dataclass(frozen=True)
class Factor:
    """One factor as last told."""

    name: str
    state: str
    evidence: str


@dataclasses.dataclass(frozen=True)
class Scene:
    """All that is shown. Replaced whole at every change, so a redraw never sees half of one."""

    began: float
    script: str = ""
    output: str = ""
    jobs: int = 1
    question: str = ""
    pinned: tuple[str, ...] = ()
    varied: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    trials: int = 0
    running: Mapping[str, Running] = dataclasses.field(default_factory=dict)
    ended: int = 0
    last: str = ""
    factors: Mapping[str, Factor] = dataclasses.field(default_factory=dict)
    left: tuple[float, float] | None = None
    """Estimate of the seconds left, and when it was made."""


class Live:
    """A watcher that redraws the bottom of a terminal. Use as a context manager."""

    def __init__(
        self, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`console`: one on standard error when None. `clock`: seconds."""
        self.console = console or Sized(stderr=True)
        self._clock = clock
        self._scene = Scene(began=clock())
        self._live = rich.live.Live(
            get_renderable=self._draw, console=self.console, refresh_per_second=5, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def opened(self, script: str, output: str, jobs: int) -> None:
        self._change(began=self._clock(), script=script, output=output, jobs=jobs)

    def question(
        self,
        text: str,
        pinned: Sequence[str],
        free: Sequence[str],
        trials: int,
        varied: Sequence[str] = (),
    ) -> None:
        self._change(
            question=text,
            pinned=tuple(pinned),
            free=tuple(free),
            trials=trials,
            varied=tuple(varied),
        )

    def trial_started(self, trial: str, question: str) -> None:
        self._run(Running(trial, self._clock()))

    def trial_progress(
        self, trial: str, checkpoints: int, expected: int | None, seconds: float
    ) -> None:
        self._run(Running(trial, self._clock() - seconds, checkpoints, expected))

    def trial_ended(self, trial: str, outcome: str, seconds: float, note: str) -> None:
        rest = {name: run for name, run in self._scene.running.items() if name != trial}
        last = f"{trial} {outcome} after {words.duration(seconds)}"
        last += f": {note}" if note else ""
        self._change(running=rest, ended=self._scene.ended + 1, last=last)

    def answered(self, text: str, verdict: str, conclusion: str) -> None:
        self._log(verdict, _VERDICTS.get(verdict, ""), text, conclusion)

    def factor(self, name: str, title: str, state: str, evidence: str) -> None:
        told = Factor(name, state, evidence)
        self._change(factors={**self._scene.factors, name: told})

    def message(self, text: str) -> None:
        self._log("note", "yellow", text)

    def remaining(self, seconds: float | None) -> None:
        self._change(left=None if seconds is None else (seconds, self._clock()))

    def closed(self, diagnosis: Diagnosis, report: str) -> None:
        """Takes the view away; the summary is printed by whoever has the record."""
        self._live.stop()

    def _change(self, **changes: object) -> None:
        self._scene = dataclasses.replace(self._scene, **changes)  # type: ignore[arg-type]

    def _run(self, run: Running) -> None:
        self._change(running={**self._scene.running, run.trial: run})

    def _log(self, word: str, style: str, *lines: str) -> None:
        """Lines that stay on the terminal, above the view."""
        table = grid(10)
        for place, line in enumerate(filter(None, lines)):
            label = Text("" if place else shown(word), style)
            table.add_row(label, Text(shown(line), "dim" if place else ""))
        self.console.print(Encodable(table))

    def _draw(self) -> RenderableType:
        width, height = self.console.size
        return Encodable(Group(*draw(self._scene, self._clock(), width, height)))


def draw(scene: Scene, now: float, width: int, height: int) -> Iterator[RenderableType]:
    """The view at the moment `now`, fit for a terminal of this size."""
    # Two thirds of a low terminal, so that some answers stay in sight above the view.
    room = max(8, height - max(6, height // 4))
    title = Text.assemble(("nondet  ", "dim"), (shown(scene.script), "bold"))
    if scene.output:
        title.append(f"  output in {shown(scene.output)}", "dim")
    yield Rule(cut(title), align="left", style="dim")
    yield from _question(scene, width)
    # Room for all jobs at any time: a view that grows and shrinks with each trial is restless.
    trials = max(1, min(room // 3, scene.jobs))
    yield from _trials(scene, now, trials)
    yield Text()
    yield from _factors(list(scene.factors.values()), width, max(2, room - trials - 7))
    yield Text()
    yield _status(scene, now)


def _question(scene: Scene, width: int) -> Iterator[RenderableType]:
    if not scene.question:
        yield cut("Preparing the first trial ...", "dim")
        return
    yield cut(shown(scene.question), "bold")
    space = width // 2 - 12
    if scene.varied:
        pins = f"   pinned: {several(scene.pinned, space)}" if scene.pinned else ""
        yield cut(f"provoked: {several(scene.varied, space)}{pins}", "dim")
        return
    held = several(scene.pinned, space) or "nothing"
    rest = "all else" if scene.pinned else "everything"
    free = rest if len(scene.free) > 3 else several(scene.free, space) or "nothing"
    yield cut(f"pinned: {held}   free: {free}", "dim")


def _trials(scene: Scene, now: float, limit: int) -> Iterator[RenderableType]:
    table = Table.grid(padding=(0, 2, 0, 0))
    for run in list(scene.running.values())[:limit]:
        known = bool(run.expected)
        done = min(run.checkpoints, run.expected) if run.expected else run.checkpoints
        bar = ProgressBar(
            total=run.expected or None,
            completed=done,
            width=30,
            pulse=not known,
            complete_style="cyan",
            finished_style="cyan",
            pulse_style="cyan",
            animation_time=now,
        )
        count = f"{done} of {run.expected}" if known else f"{done}"
        seen = Text(f"{count} {'checkpoint' if count == '1' else 'checkpoints'}", no_wrap=True)
        table.add_row(cut(shown(run.trial)), bar, seen, elapsed(now - run.began))
    if scene.running:
        yield table
    if len(scene.running) < limit:
        yield cut(shown(scene.last), "dim")
        yield from [Text()] * (limit - len(scene.running) - 1)
    if len(scene.running) > limit:
        yield cut(f"and {len(scene.running) - limit} more trials running", "dim")


def _factors(factors: Sequence[Factor], width: int, room: int) -> Iterator[RenderableType]:
    """A row for each factor where there is room, else for the loud ones; the rest in lists."""
    states = [*_STATES, *sorted({f.state for f in factors} - set(_STATES))]
    ranked = sorted(factors, key=lambda factor: states.index(factor.state))
    telling = [factor for factor in ranked if factor.state != "waiting"]
    if len(telling) >= room:
        quiet = {factor.state for factor in ranked} - set(_LOUD)
        loud = [factor for factor in ranked if factor.state in _LOUD]
        telling = loud[: max(1, room - len(quiet) - 1)]
    column = max((len(shown(factor.name)) for factor in telling), default=0)
    table = grid(15)
    for factor in telling:
        name = shown(factor.name).ljust(column)
        what = Text.assemble((name, _STATES.get(factor.state, "")), f"  {shown(factor.evidence)}")
        table.add_row(_state(factor.state), cut(what))
    rest = [factor for factor in ranked if factor not in telling]
    for state in states:
        if names := [factor.name for factor in rest if factor.state == state]:
            table.add_row(_state(state), cut(several(names, width - 16), "dim"))
    if factors:
        yield table


def _state(state: str) -> Text:
    return cut(shown(state.replace("-", " ")), _STATES.get(state, ""))


def _status(scene: Scene, now: float) -> Text:
    parts = [elapsed(now - scene.began)]
    if scene.left is not None:
        seconds, when = scene.left
        parts.append(estimate(seconds - (now - when)))
    parts += [f"{words.plural(scene.ended, 'trial')} done", "Ctrl-C: stop and report"]
    return cut("   ".join(parts), "dim")
