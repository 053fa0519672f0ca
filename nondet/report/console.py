"""The end of a diagnosis in the terminal: one screen, as a function of the record."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.rule import Rule
from rich.segment import Segment
from rich.text import Text

from nondet.record import (
    Cause,
    Confidence,
    Diagnosis,
    Divergence,
    Prescription,
    Seeding,
    Site,
)
from nondet.report import rows
from nondet.report.page import machines, spots, words
from nondet.report.plain import several, shown, shown_lines

_TONES = {"good": "bold green", "bad": "bold red", "warn": "bold yellow"}
_CODE_LINES = 12
_TRACEBACK_LINES = 9


class Encodable:
    """A renderable written with what the console's encoding has, the rest as escapes."""

    def __init__(self, inner: RenderableType) -> None:
        self.inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self.inner, options):
            text = segment.text.encode(options.encoding, "backslashreplace")
            yield Segment(text.decode(options.encoding), segment.style, segment.control)


def print_summary(
    console: Console, diagnosis: Diagnosis, report: str, *, written: bool = True
) -> None:
    """Print `summary`; code and commands keep their lines whole, so that they can be copied."""
    console.print()
    console.print(summary(diagnosis, report, written=written), crop=False)


def print_factors(console: Console, factors: Iterable[tuple[str, str, str, str]]) -> None:
    """Print the catalogue: name, group, title and explanation of each factor."""
    table, last = rows.grid(25), ""
    for name, group, title, explanation in factors:
        if group != last:
            table.add_row(Text(f"\n{shown(group)}", "bold"), "")
        table.add_row(Text(shown(name), "cyan"), Text(shown(title)))
        table.add_row("", Text(shown(explanation), "dim"))
        last = group
    console.print(Encodable(table))


def summary(diagnosis: Diagnosis, report: str, *, written: bool = True) -> RenderableType:
    """What was found, what to change, how sure; `report` is the path of the HTML page, and
    `written` says whether it is there."""
    parts = [_headline(diagnosis)]
    if diagnosis.error and diagnosis.error.message not in diagnosis.summary:
        parts.append(Text(shown(diagnosis.error.message)))
    parts += rows.refusals([found for found in diagnosis.refusals if found.own])
    if diagnosis.error:
        parts += _traceback(diagnosis.error.traceback)
    if diagnosis.causes:
        parts += _causes(diagnosis.causes)
    if diagnosis.first_divergence:
        parts.append(rows.row("First parts", _parting(diagnosis.first_divergence)))
    parts += rows.zooms(diagnosis.zooms)
    if diagnosis.prescription:
        parts += _prescription(diagnosis, diagnosis.prescription, report)
    elif diagnosis.causes:
        parts += [rows.row("To change", shown(cause.advice)) for cause in diagnosis.causes[:3]]
    parts += _assurance(diagnosis)
    parts += _closing(diagnosis, report, written)
    return Encodable(Group(*parts))


def _headline(diagnosis: Diagnosis) -> RenderableType:
    label, tone = words.verdict(diagnosis)
    sentence = shown(diagnosis.summary or f"{diagnosis.subject.script}.")
    parts = [Text.assemble((f"{shown(label)}. ", _TONES[tone]), sentence)]
    if diagnosis.interrupted:
        parts.append(Text("Interrupted: this is the best diagnosis so far.", "yellow"))
    return Group(*parts, Text())


def _causes(causes: Sequence[Cause]) -> Iterator[RenderableType]:
    shown_causes = causes[: 3 if len(causes) > 3 else len(causes)]
    for place, cause in enumerate(shown_causes, 1):
        yield Text.assemble(
            (f"{place}. " if len(causes) > 1 else "", "bold"),
            (shown(cause.factor), "bold red"),
            f"  {shown(cause.title)}" if cause.title else "",
            "  (found by switching it off)" if cause.pin == "ablating" else "",
        )
        yield from _seedings(spots.faulty(cause), 2)
        yield from _sites(cause.sites, 3 if len(causes) == 1 else 1)
        if cause.consumers:
            yield _indented(f"consumed by {several(cause.consumers, 60)}")
        if proof := _proof(cause):
            yield _indented(proof, "dim")
        if slower := rows.slower(cause):
            yield _indented(slower, "yellow")
    if len(causes) > len(shown_causes):
        yield rows.more(len(causes) - len(shown_causes), "cause")


def _seedings(given: Sequence[Seeding], limit: int) -> Iterator[RenderableType]:
    for seeding in given[:limit]:
        if seeding.fault == "late":
            drew = shown(words.place(seeding.before[0])) if seeding.before else "something"
            fault = f"comes too late: {drew} had drawn before it"
        else:
            fault = "is given another seed in every run"
        yield _indented(_at(seeding.site, f"{shown(seeding.call)} {fault}"))
    if len(given) > limit:
        yield _indented(rows.more(len(given) - limit, "such seed"))


def _sites(sites: Sequence[Site], limit: int) -> Iterator[RenderableType]:
    found = spots.of(sites)
    for spot in found[:limit]:
        yield _indented(_at(spot.site, rows.plainly(spot.brief)))
    if len(found) > limit:
        yield _indented(rows.more(len(found) - limit, "place"))


def _at(site: Site, text: str) -> Text:
    """A place and, beside it, what is to say of it; `text` is clean."""
    return Text.assemble((shown(words.place(site)), "cyan"), f"  {text}" if text else "")


def _proof(cause: Cause) -> str:
    parts = []
    if cause.trials:
        verb = "part" if len(cause.trials) > 1 else "parts"
        parts.append(f"free: {several(cause.trials, 24)} {verb}")
    if cause.agreeing:
        verb = "agree" if len(cause.agreeing) > 1 else "agrees"
        parts.append(f"pinned: {several(cause.agreeing, 24)} {verb}")
    return "; ".join(parts)


def _parting(divergence: Divergence) -> str:
    tensor = f" {shown(divergence.tensor)}" if divergence.tensor else ""
    tensor = f" model {shown(whole)}" if (whole := words.whole(divergence)) else tensor
    own = f", {shown(divergence.model)}" if divergence.checkpoint == "user" else ""
    text = f"{words.moment(divergence)}{own}: {words.what(divergence)}{tensor}"
    apart = rows.apart(divergence)
    return f"{text}, by up to {apart}" if apart else text


def print_fix(out: Console, notes: Console, diagnosis: Diagnosis) -> None:
    """The patch on `out`, as it is unless that is a terminal; all else on `notes`."""
    found = diagnosis.prescription
    if found is None:
        notes.print(Text("No cause was found, so there is nothing to fix."))
        return
    if found.patch and out.is_terminal:
        for line in shown_lines(found.patch.removesuffix("\n")):
            style = "bold" if line[:3] in ("+++", "---") else _DIFF.get(line[:1], "")
            out.print(Text(line, style=style), soft_wrap=True)
    elif found.patch:
        _write_patch(out, found.patch)
    proof = Text(shown(words.patched(found)), "green" if found.patch_verified else "yellow")
    if found.patch:
        notes.print(proof)
    for sentence in (*found.left, *found.advice):
        notes.print(Text(f"{shown(sentence[:1].upper() + sentence[1:]).rstrip('.')}."))
    if found.launch:
        notes.print(Text.assemble("Start it with: ", (shown(found.launch), "bold")), soft_wrap=True)
    if found.patch_trials and not found.patch:
        notes.print(proof)


def _write_patch(out: Console, patch: str) -> None:
    """In the encoding of the files that it is of, whatever that of the output is."""
    stream = out.file
    if isinstance(stream, io.TextIOWrapper):
        stream.flush()
        stream.buffer.write(patch.encode())
        stream.flush()
    else:
        stream.write(patch)


_DIFF = {"+": "green", "-": "red", "@": "cyan"}


def _prescription(
    diagnosis: Diagnosis, prescription: Prescription, report: str
) -> Iterator[RenderableType]:
    count = len(prescription.verified_trials)
    trials = words.plural(count, "trial")
    verified = f"pins verified by {trials}" if prescription.verified else "not verified"
    tried = words.wanting(prescription)
    verified = "no fix yet" if tried else verified
    style = "green" if prescription.verified and not tried else "yellow"
    tops = [
        (f"the top of {shown(where)}", text)
        for where, text in (
            (diagnosis.subject.trains or "the script", prescription.snippet),
            *((program.file, program.snippet) for program in prescription.programs),
        )
        if text.strip()
    ]
    top = bool(tops)
    put, change = ("Tried", "Tried") if tried else ("Put", "Change")
    title = f"{put} at {tops[0][0]}" if top else change
    yield Text()
    yield Rule(Text.assemble((title, "bold"), "  ", (verified, style)), align="left", style="dim")
    for place, text in tops:
        if place != tops[0][0]:
            yield Rule(Text(f"And at {place}", "bold"), align="left", style="dim")
        yield from _code(shown_lines(text.strip("\n")))
    if prescription.edits and top:
        yield Rule(Text("And change", "bold"), align="left", style="dim")
    for edit in prescription.edits:
        yield _whole(f"{shown(edit.place)}  {shown(edit.code)}")
    for sentence in prescription.advice:
        yield Text(shown(sentence))
    if prescription.launch:
        if top or prescription.edits or prescription.advice:
            yield Rule(Text("Start it with", "bold"), align="left", style="dim")
        yield _whole(shown(prescription.launch))
    if prescription.patch or prescription.patch_trials:
        style = "green" if prescription.patch_verified else "dim"
        command = words.fixing(str(PurePath(report).parent))
        said = f"As a patch: `{command}`. " if prescription.patch else ""
        yield Text(shown(f"{said}{words.patched(prescription)}"), style=style)
    yield Rule(style="dim")


def _code(lines: Sequence[str]) -> Iterator[RenderableType]:
    for line in lines[:_CODE_LINES]:
        yield _whole(line)
    if len(lines) > _CODE_LINES:
        yield _whole(f"# ... and {len(lines) - _CODE_LINES} more lines in the report")


def _traceback(text: str) -> Iterator[RenderableType]:
    """Its end, where Python names the error."""
    lines = [line for line in shown_lines(text) if line.strip()]
    if not lines:
        return
    yield Rule(Text("The end of its traceback", "bold"), align="left", style="dim")
    if len(lines) > _TRACEBACK_LINES:
        yield Text(f"... {len(lines) - _TRACEBACK_LINES} lines before, in the report", "dim")
    for line in lines[-_TRACEBACK_LINES:]:
        yield cut(line)
    yield Rule(style="dim")


def _assurance(diagnosis: Diagnosis) -> Iterator[RenderableType]:
    sure = diagnosis.confidence
    if sure and sure.agreeing_trials:
        fixed = bool(diagnosis.prescription and diagnosis.prescription.verified)
        yield rows.row("How sure", _confidence(sure, fixed))
    if diagnosis.horizon:
        yield rows.horizon(diagnosis.horizon)
    if diagnosis.alternatives:
        sets = [" + ".join(names) for names in diagnosis.alternatives]
        yield rows.row("Instead", f"pinning {several(sets, 60)} would do as well")
    yield from rows.kernels(diagnosis.kernels)
    yield from rows.refusals([found for found in diagnosis.refusals if not found.own])
    if diagnosis.sensitivities:
        yield rows.row("Shifts", rows.shifts(diagnosis))
    if diagnosis.stress:
        yield from rows.stress(diagnosis.stress)
    if diagnosis.verdict == "unresolved":
        yield from rows.suspects(diagnosis.suspects)
    if diagnosis.not_tested:
        yield rows.row("Not tested", rows.not_tested(diagnosis))
    if diagnosis.verdict == "unresolved":
        yield rows.row("Try", words.hints(diagnosis)[0])
    for warning in diagnosis.warnings[:2]:
        yield rows.row("Note", shown(warning))
    if len(diagnosis.warnings) > 2:
        yield rows.row("", rows.more(len(diagnosis.warnings) - 2, "note"))


def _confidence(sure: Confidence, fixed: bool) -> str:
    bound = words.bound(sure.divergence_probability_bound)
    runs = words.plural(sure.agreeing_trials, "run")
    which = f"{runs} with the causes pinned" if fixed else runs
    where = shown(words.agreed(sure, fixed=fixed))
    return (
        f"{which} agreed bit for bit{where}. {100 * sure.level:.4g} % "
        f"sure that fewer than {bound} of runs would differ ({words.asked(sure)})."
    )


def _closing(diagnosis: Diagnosis, report: str, written: bool) -> Iterator[RenderableType]:
    cost = diagnosis.cost
    if cost.trials:
        there = " up to there" if diagnosis.horizon and diagnosis.horizon.reached else ""
        single = f"; one run{there} takes {words.duration(cost.single_run_seconds)}"
        yield rows.row(
            "Cost",
            f"{words.plural(cost.trials, 'trial')} in {words.duration(cost.wall_seconds)}"
            + (single if cost.single_run_seconds > 0 else "")
            + (f"; {cost.forked_trials} forked" if cost.forked_trials else ""),
        )
    if diagnosis.machines:
        yield rows.row("Ran on", machines.summary(diagnosis))
    if written:
        yield _whole(Text.assemble(_label("Report"), (shown(report), "cyan")))
    for why, command in _next(diagnosis, report):
        yield rows.row("Next", why)
        yield _whole(f"  {shown(command)}")


def _next(diagnosis: Diagnosis, report: str) -> Iterable[tuple[str, str]]:
    """What to do now and the command for it, where one helps."""
    folder = str(PurePath(report).parent)
    if diagnosis.verdict == "broken":
        what, command = words.mending(diagnosis, folder)
        return [(rows.plainly(what), command)] if what else []
    if diagnosis.interrupted or diagnosis.verdict == "unsure":
        return [("go on where it stopped", words.going_on(diagnosis, folder))]
    if diagnosis.verdict == "unresolved" and words.coarse(diagnosis):
        command = words.again(diagnosis, folder, "--granularity", "step", "--force")
        return [("see the first step that differs", command)]
    return []


def _label(name: str) -> tuple[str, str]:
    return (name.ljust(13), "bold")


def cut(text: str | Text, style: str = "") -> Text:
    """One line, cut with an ellipsis where it does not fit."""
    line = Text(text, style) if isinstance(text, str) else text
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _indented(text: str | Text, style: str = "") -> RenderableType:
    return Padding(Text(text, style) if isinstance(text, str) else text, (0, 0, 0, 3), expand=False)


def _whole(text: str | Text) -> Text:
    """A line that is neither wrapped nor cut nor padded."""
    line = Text(text) if isinstance(text, str) else text
    line.no_wrap, line.overflow = True, "ignore"
    return line
