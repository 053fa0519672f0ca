"""The comparison of two recorded runs in the terminal: one screen, as a function of the record."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from nondet.report.console import Encodable
from nondet.report.contrast import words as say
from nondet.report.page import words
from nondet.report.plain import shown, shown_lines
from nondet.report.rows import grid, plainly, row
from nondet.runs import Check, Comparison, Far, Gap

MOST_TENSORS = 6
MOST_GAPS = 12


def print_comparison(console: Console, found: Comparison) -> None:
    console.print()
    console.print(Encodable(Group(*_parts(found))))


def print_check(console: Console, found: Check) -> None:
    """What was found, how sure, and what to do now."""
    tone = {"agrees": "bold green", "unsure": "bold yellow"}.get(found.verdict, "bold red")
    first, stop, rest = plainly(found.summary).partition(". ")
    console.print(Encodable(Text.assemble((first + stop, tone), rest)))
    bound = found.divergence_probability_bound
    if bound is not None:
        told = f"{100 * found.level:.4g} % sure that fewer than {words.bound(bound)} would differ."
        console.print(Encodable(Text(told, "dim")))
    for warning in found.warnings:
        console.print(Encodable(row("Note", shown(warning))))
    if found.error is not None and found.error.traceback:
        console.print(Encodable(Text(shown_block(found.error.traceback))))
    if found.verdict == "parts":
        command = shlex.join(["nondet", "diagnose", *found.subject.named, *found.subject.args])
        line = Text(f"Find out why: {shown(command)}", no_wrap=True, overflow="ignore")
        console.print(Encodable(line), crop=False)


def shown_block(text: str) -> str:
    """The end of a traceback, each line clean."""
    return "\n".join(shown_lines(text)[-9:])


def _parts(found: Comparison) -> Iterator[RenderableType]:
    tone = "bold green" if found.agree else "bold red"
    first, stop, rest = plainly(found.summary).partition(". ")
    yield Text.assemble((first + stop, tone), rest)
    yield Text()
    for name, file, run in zip("AB", found.files, (found.one, found.other), strict=True):
        packages = run.facts.frameworks
        versions = ", ".join(f"{name} {version}" for name, version in packages.items())
        what = f"{file}: {run.subject.script}, {run.started}"
        yield row(name, shown(f"{what}, {versions}" if versions else what))
    for parting, when in ((found.first, "First parts"), (found.last, "At the end")):
        if parting is not None:
            yield Text()
            yield row(when, shown(f"{say.place(parting)}: {say.count(parting)}"))
            if any(_known(far) for far in parting.apart):
                yield _tensors(parting.apart)
    for place, note in enumerate(found.shape):
        yield row("" if place else "Unlike", shown(note))
    if found.gaps:
        yield Text()
        yield Text("Around them", "bold")
        yield from _gaps(found.gaps)
    if found.metrics:
        yield Text()
        yield Text("Metrics", "bold")
        yield _metrics(found)


def _known(far: Far) -> bool:
    return any(value is not None for value in (far.max_abs, far.max_rel, far.max_ulp))


def _tensors(apart: Sequence[Far]) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("   tensor", overflow="fold")
    for name in ("absolute", "relative", "ulp", "differing"):
        table.add_column(name, justify="right", no_wrap=True)
    for far in apart[:MOST_TENSORS]:
        table.add_row(
            Text("   " + shown(f"{far.tensor} ({far.other})" if far.other else far.tensor)),
            words.number(far.max_abs, 3) if far.max_abs is not None else "-",
            words.number(far.max_rel, 3) if far.max_rel is not None else "-",
            f"{far.max_ulp:,}" if far.max_ulp is not None else "-",
            f"{far.share:.1%}" if far.share is not None else "-",
        )
    if len(apart) > MOST_TENSORS:
        table.add_row(Text(f"   ... and {len(apart) - MOST_TENSORS} more", "dim"))
    return table


def _gaps(gaps: Sequence[Gap]) -> Iterator[RenderableType]:
    table = grid(28)
    for gap in gaps[:MOST_GAPS]:
        table.add_row(Text(f"  {shown(gap.name)}", "cyan"), shown(f"{gap.one} | {gap.other}"))
        if gap.effect:
            table.add_row("", Text(shown(gap.effect), "dim"))
    yield table
    if len(gaps) > MOST_GAPS:
        rest = words.plural(len(gaps) - MOST_GAPS, "more difference")
        yield Text(f"  ... and {rest}, of which nothing is known (--json lists them)", "dim")


def _metrics(found: Comparison) -> RenderableType:
    table = grid(28)
    for metric in found.metrics:
        sides = [say.value(v, "none") for v in (metric.one, metric.other)]
        table.add_row(f"  {shown(metric.name)}", shown(" | ".join(sides)))
    return table
