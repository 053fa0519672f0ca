"""The end of a repetition in the terminal: one screen, as a function of the record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from nondet.repetition import Repetition
from nondet.report import rows
from nondet.report.console import Encodable
from nondet.report.plain import several, shown, shown_lines
from nondet.report.repeat import words

MOST_METRICS = 10
MOST_SHARED = 2
MOST_SIZES = 8
TRACEBACK_LINES = 9
_TONES = {"good": "bold green", "bad": "bold red", "warn": "bold yellow"}


def print_summary(console: Console, repetition: Repetition, report: str) -> None:
    """Print the summary; `report` is the path of the page."""
    console.print()
    console.print(Encodable(Group(*summary(repetition, report))), crop=False)


def summary(repetition: Repetition, report: str) -> Iterator[RenderableType]:
    """What the runs have shown, and what to do next."""
    label, tone = words.label(repetition)
    text = rows.plainly(repetition.summary)
    yield Text.assemble((f"{label}. ", _TONES[tone]), text)
    if repetition.interrupted:
        yield Text("Interrupted: this is what had ended by then.", "yellow")
    yield Text()
    if repetition.error is not None:
        for line in [x for x in shown_lines(repetition.error.traceback) if x][-TRACEBACK_LINES:]:
            yield Text(line, no_wrap=True, overflow="ellipsis")
    if repetition.free.metrics:
        yield from _metrics(repetition)
    if repetition.shares:
        yield from _shares(repetition)
    yield from _closing(repetition, report)


def _metrics(repetition: Repetition) -> Iterator[RenderableType]:
    found = repetition.free.metrics
    table = _table("metric", "mean", words.level(repetition), "sd", "5 % to 95 %")
    for one in found[:MOST_METRICS]:
        places = words.digits(one)
        table.add_row(
            Text(shown(one.label), no_wrap=True, overflow="ellipsis"),
            words.figure(one.mean, places),
            words.interval(one.mean_interval, places),
            words.figure(one.sd, 3),
            words.span(one),
        )
    yield table
    if len(found) > MOST_METRICS:
        yield rows.more(len(found) - MOST_METRICS, "metric")
    yield Text()
    for one in found[:MOST_METRICS]:
        if left_out := words.left_out(one):
            text = f"{shown(one.label)}: {left_out}; not in these figures"
            yield rows.row("Left out", text)


def _shares(repetition: Repetition) -> Iterator[RenderableType]:
    metrics = words.shared(repetition)
    for metric in metrics[:MOST_SHARED]:
        table = _table(f"variance of {shown(metric)}", "share", words.level(repetition))
        for share in words.shares_of(repetition, metric):
            table.add_row(
                Text(f"only {shown(share.factor)} free"),
                words.percent(share.share),
                words.percents(share.interval),
            )
        table.add_row(Text("sum", "dim"), words.percent(repetition.sums[metric]), "")
        yield table
        yield Text()
    if len(metrics) > MOST_SHARED:
        yield rows.more(len(metrics) - MOST_SHARED, "metric")
    yield rows.row("Control", words.control(repetition))


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="dim")
    for place, name in enumerate(columns):
        justify = "right" if place in (1, 3) else "left"
        table.add_column(Text(name), justify=justify, overflow="fold")  # type: ignore[arg-type]
    return table


def _closing(repetition: Repetition, report: str) -> Iterator[RenderableType]:
    results = repetition.free.results
    if 1 < len(results) < len(repetition.free.whole):
        sizes = several([str(size) for size in results], 4 * MOST_SIZES)
        yield rows.row("Results", f"{len(results)}, in {sizes} runs")
    for warning in repetition.warnings[:3]:
        yield rows.row("Note", rows.plainly(warning))
    if len(repetition.warnings) > 3:
        yield rows.row("", rows.more(len(repetition.warnings) - 3, "note"))
    if repetition.cost.runs:
        yield rows.row("Cost", words.took(repetition))
    yield _whole("Report", report, "cyan")
    if repetition.exit_code in (4, 130) and repetition.error is None:
        folder = str(PurePath(report).parent)
        output = () if folder == "nondet-repeat" else ("--output", folder)
        if any(len(s.runs) < s.asked for s in repetition.series):
            yield rows.row("Next", "go on where it stopped")
            yield _whole("", f"  {words.command(repetition, '--resume', *output)}")


def _whole(label: str, text: str, style: str = "") -> Text:
    """A line that is neither wrapped nor cut: a path or a command to copy."""
    line = Text.assemble((label.ljust(13) if label else "", "bold"), (shown(text), style))
    line.no_wrap, line.overflow = True, "ignore"
    return line
