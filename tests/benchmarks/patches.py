"""docs/patches.md: which probes' patched scripts were run, and whether they repeat.

Written by ``python -m tests.benchmarks.probes`` from the diagnoses that it makes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from nondet import record

ROOT = Path(__file__).resolve().parent.parent.parent
TABLE = ROOT / "docs" / "patches.md"


@dataclasses.dataclass(frozen=True)
class Patched:
    """What became of the patch of one script."""

    name: str
    causes: tuple[str, ...]
    change: str
    """What is changed: ``code``, ``launch line``, both, or nothing by itself."""
    fixable: bool
    """Whether code and launch line do all that the causes ask for."""
    repeats: bool
    runs: int
    note: str


def patched(name: str, diagnosis: record.Diagnosis) -> Patched | None:
    """None where nothing is prescribed."""
    fix = diagnosis.prescription
    if fix is None:
        return None
    kinds = [kind for kind, does in (("code", fix.patch), ("launch line", fix.variables)) if does]
    return Patched(
        name=name,
        causes=tuple(cause.factor for cause in diagnosis.causes),
        change=" and ".join(kinds) or "none",
        fixable=bool(kinds) and not fix.left,
        repeats=fix.patch_verified,
        runs=len(fix.patch_trials),
        note=fix.patch_note,
    )


def told(one: Patched) -> str:
    if one.repeats:
        return f"repeats: {one.runs} runs agree"
    return one.note or "not run"


def counted(every: Iterable[Patched]) -> str:
    """How many of those that can be mended by themselves do repeat."""
    able = [one for one in every if one.fixable]
    good = sum(one.repeats for one in able)
    share = f" ({100 * good / len(able):.0f} %)" if able else ""
    return (
        f"Of {len(able)} scripts whose causes a change of code or of the launch line holds, "
        f"{good} repeat once they are patched{share}."
    )


def page(diagnoses: Iterable[tuple[str, record.Diagnosis]], total: int) -> str:
    """The whole of docs/patches.md; `total`: probes in which causes are to be found here."""
    found = [patched(name, diagnosis) for name, diagnosis in diagnoses]
    every = [one for one in found if one is not None]
    rows = [
        f"| {one.name} | {', '.join(one.causes)} | {one.change} | {told(one)} |" for one in every
    ]
    return (
        "# Patched probes\n\n"
        "What [`nondet fix`](command.md#nondet-fix) makes of each [probe](probes.md) in which "
        "causes are\nfound, and whether the patched script repeats. It was run with nothing "
        "pinned, in fresh processes, as\noften as a diagnosis asks for by default. Made by "
        "`python -m tests.benchmarks.probes`.\n\n"
        f"Run so far: {len(every)} of the {total} probes in which causes can be found on such a "
        f"machine;\ndiagnoses that were kept may be of an earlier state.\n{counted(every)}\n\n"
        "| script | causes | changed | the patched script |\n"
        "| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"
    )
