"""The diagnosis as a summary in Markdown, for the comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nondet.naming import enumerated
from nondet.record import Diagnosis, Prescription
from nondet.report.page import machines, operations, words

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~@&])")


def render(diagnosis: Diagnosis) -> str:
    """A heading, the verdict's sentence, the causes, the fix, and what it rests on."""
    return "\n\n".join(filter(None, blocks(diagnosis))) + "\n"


def blocks(diagnosis: Diagnosis) -> Iterator[str]:
    label, _ = words.verdict(diagnosis)
    yield f"### {prose(diagnosis.subject.script)}: {prose(label.lower())}"
    yield prose(diagnosis.summary)
    if diagnosis.causes:
        rows = ["| Source | Where | What to do |", "| --- | --- | --- |"]
        for cause in diagnosis.causes:
            places = ", ".join(dict.fromkeys(code(words.place(site)) for site in cause.sites[:5]))
            rows.append(f"| {prose(cause.title)} | {places or '-'} | {prose(cause.advice)} |")
        yield "\n".join(rows)
    if diagnosis.prescription is not None:
        yield from fix(diagnosis.prescription)
    if diagnosis.error is not None and diagnosis.error.traceback:
        yield fenced(diagnosis.error.traceback)
    for kernel in diagnosis.kernels:
        same = f" {operations.instead(kernel)}" if kernel.instead else ""
        yield prose(f"Operation: {kernel.words}.{same}")
    for refusal in diagnosis.refusals:
        yield f"{code(refusal.op)}: {prose(refusal.message)} {prose(refusal.advice)}"
    dormant = diagnosis.stress.dormant if diagnosis.stress is not None else ()
    if dormant:
        names = enumerated([prose(one.title) for one in dormant], 5)
        yield f"Dormant today, and provoked: {names}."
    if diagnosis.confidence is not None:
        fixed = diagnosis.prescription is not None and diagnosis.prescription.verified
        sure = words.confidence(diagnosis.confidence, fixed=fixed)
        yield prose(f"{sure[:1].upper()}{sure[1:]}")
    cost = diagnosis.cost
    took = words.duration(cost.wall_seconds)
    trials = words.plural(cost.trials, "trial")
    where = f" {prose(machines.summary(diagnosis))}" if diagnosis.machines else ""
    yield f"<sub>nondet {prose(diagnosis.nondet)}: {trials} in {took}.{where}</sub>"


def fix(prescription: Prescription) -> Iterator[str]:
    state = "pins verified" if prescription.verified else "not verified"
    yield "**Tried** (no fix yet)" if words.wanting(prescription) else f"**Fix** ({state})"
    if prescription.patch:
        yield fenced(prescription.patch, "diff")
        yield prose(words.patched(prescription))
    else:
        if prescription.snippet:
            yield fenced(prescription.snippet, "python")
        for program in prescription.programs:
            yield f"At the top of {code(program.file)}:"
            yield fenced(program.snippet, "python")
        edits = [f"- {code(edit.place)}: {code(edit.code)}" for edit in prescription.edits]
        yield "\n".join(edits)
    yield from map(prose, prescription.advice)
    if prescription.launch:
        yield fenced(prescription.launch, "sh")
    if prescription.patch_trials and not prescription.patch:
        yield prose(words.patched(prescription))


def prose(text: str) -> str:
    """Text of the record in a paragraph or a cell: code stays code, all else is literal."""
    parts = re.split(r"(`[^`\n]+`)", " ".join(text.split()))
    return "".join(
        code(part[1:-1]) if i % 2 else _SPECIAL.sub(r"\\\1", part) for i, part in enumerate(parts)
    )


def code(text: str) -> str:
    """A code span that holds any text, also in a cell of a table."""
    text = " ".join(text.split()).replace("|", "\\|")
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def fenced(text: str, language: str = "") -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.strip(chr(10))}\n{fence}"
