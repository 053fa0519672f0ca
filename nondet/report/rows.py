"""The summary's rows of a label and a text beside it: what stands next to causes and fix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from nondet.record import (
    Cause,
    Diagnosis,
    Divergence,
    Horizon,
    Kernel,
    Refusal,
    Stress,
    Suspect,
    Zoom,
)
from nondet.report.page import words
from nondet.report.plain import inside, several, shown


def grid(width: int) -> Table:
    """Rows of a label in `width` columns and text beside it."""
    table = Table.grid(padding=0)
    table.add_column(width=width, no_wrap=True)
    table.add_column(overflow="fold")
    return table


def row(label: str, text: str | Text) -> RenderableType:
    """A label with text that wraps beside it."""
    table = grid(13)
    table.add_row(Text(label, "bold"), text if isinstance(text, Text) else Text(text))
    return table


def more(count: int, what: str) -> Text:
    """How many of a list are left out here."""
    return Text(f"... and {words.plural(count, 'more ' + what)} in the report", "dim")


def plainly(text: str) -> str:
    """Clean, and without the backticks that are set as code on the page."""
    return shown(text.replace("`", ""))


def apart(divergence: Divergence) -> str:
    """How far the tensors are apart, or the empty string when that was not measured."""
    # Units in the last place say something of rounding; far apart they are only a large number.
    ulp = divergence.max_ulp
    parts = [f"{ulp} ulp"] if ulp is not None and ulp < 10_000 else []
    if divergence.max_rel is not None:
        parts.append(f"{words.number(divergence.max_rel, 3)} relative")
    if divergence.max_abs is not None:
        parts.append(f"{words.number(divergence.max_abs, 3)} absolute")
    return ", ".join(parts)


def zooms(found: Sequence[Zoom]) -> Iterator[RenderableType]:
    """What differs first inside a step, for the first look, and how many more looks there are."""
    for zoom in found[:1]:
        yield row("Looked into", inside(zoom))
    if len(found) > 1:
        yield row("", more(len(found) - 1, "look"))


def slower(cause: Cause) -> str:
    """That a pin may hold the runs together by slowness alone; empty where that is no matter."""
    found = cause.slowdown
    if found is None or not found.noticeable:
        return ""
    others = f" with {several(found.also, 30)}" if found.also else ""
    return (
        f"takes {found.ratio:.1f} times as long when pinned{others}: slowness alone may hide a race"
    )


def horizon(found: Horizon) -> RenderableType:
    """How far runs were followed, and what that leaves out."""
    if not found.reached:
        return row("Horizon", plainly(f"no run came to {found.end}: nothing was cut short"))
    end = plainly(found.end)
    return row("Horizon", f"up to {end}; not later training, evaluation, saving")


def refusals(found: Sequence[Refusal]) -> Iterator[RenderableType]:
    """The first operation that deterministic mode refuses, and how many more there are."""
    for refusal in found[:1]:
        place = f" ({words.place(refusal.site)})" if refusal.site else ""
        yield row("Refused", shown(f"{refusal.op} in deterministic mode{place}"))
    if len(found) > 1:
        yield row("", more(len(found) - 1, "operation"))


def kernels(found: Sequence[Kernel]) -> Iterator[RenderableType]:
    """The first operation that was found to vary, what does the same, and how many more."""
    for kernel in found[:1]:
        place = f" ({words.place(kernel.site)})" if kernel.site else ""
        yield row("Operation", shown(f"{kernel.words}{place}"))
        if kernel.instead:
            yield row("", shown(f"the same repeatably: {kernel.instead}"))
    if len(found) > 1:
        yield row("", more(len(found) - 1, "operation"))


def shifts(diagnosis: Diagnosis) -> str:
    """What gives another result, the same in every run, and how far off."""
    names = [
        f"{item.factor} (by up to {apart(item.first_divergence).split(', ')[0]})"
        if item.first_divergence and apart(item.first_divergence)
        else item.factor
        for item in diagnosis.sensitivities
    ]
    return f"{several(names, 60)}: another result, the same in every run"


def stress(found: Stress) -> Iterator[RenderableType]:
    """What lies dormant, or that nothing known does."""
    names = [
        f"{item.factor} ({words.place(item.sites[0])})" if item.sites else item.factor
        for item in found.dormant
    ]
    if len(names) == 1:
        how = words.clause(found.dormant[0].provoked)
        yield row("Dormant", plainly(f"{names[0]}: breaks once provoked" + (how and f" ({how})")))
    elif names:
        yield row("Dormant", f"{several(names, 56)}: break once provoked")
    told = []
    if not names and found.quiet:
        told.append(f"{words.plural(len(found.quiet), 'factor')} provoked without effect")
    if found.note:
        told.append(f"incomplete: {plainly(found.note)}")
    if told:
        yield row("Stress", "; ".join(told))


def not_tested(diagnosis: Diagnosis) -> str:
    """How many factors, why, and as many names as a line holds."""
    reasons = list(words.reasons(diagnosis.not_tested))
    why = shown(reasons[0]) if len(reasons) == 1 else "reasons in the report"
    head = f"{words.plural(len(diagnosis.not_tested), 'factor')} ({why}): "
    return head + several([item.factor for item in diagnosis.not_tested], max(20, 66 - len(head)))


def suspects(found: Sequence[Suspect]) -> Iterator[RenderableType]:
    """What could not be controlled, in three lines at most."""
    limit = 3 if len(found) <= 3 else 2
    for place, suspect in enumerate(found[:limit]):
        where = f" ({words.place(suspect.site)})" if suspect.site else ""
        yield row("" if place else "Uncontrolled", plainly(suspect.what + where))
    if len(found) > limit:
        yield row("", more(len(found) - limit, "suspect"))
