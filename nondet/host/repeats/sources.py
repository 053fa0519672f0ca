"""Whose shares are asked for: sources as named, or the causes of a diagnosis."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from nondet import record
from nondet.host import output
from nondet.host.errors import UsageError
from nondet.host.subject import Subject
from nondet.record import Arm

DEFAULT_DIAGNOSIS = Path("nondet-report")
FRESH = "leftovers"
"""Runs of a repetition start from fresh folders: it can't be free in them."""


@dataclasses.dataclass(frozen=True)
class Sources:
    """The sources, each with the arm that holds it."""

    arms: Mapping[str, Arm]
    diagnosis: str = ""
    """The folder of the diagnosis that names them; empty when they were given."""
    left_out: tuple[str, ...] = ()
    """Causes of the diagnosis that can't be measured here."""


def named(names: Sequence[str], unavailable: Mapping[str, str]) -> Sources:
    """Sources as given by ``--sources``. Raises UsageError for one that can't be held here."""
    for name in names:
        reason = unavailable.get(name, "")
        if name == FRESH:
            reason = "each run starts from a fresh folder"
        if reason:
            raise UsageError("source-not-held", f"--sources: {name} can't be held here: {reason}")
    if not names:
        raise UsageError("no-sources", "--sources names none: expected some of `nondet factors`")
    return Sources(dict.fromkeys(names, "pinned"))


def diagnosed(folder: Path | None, subject: Subject) -> Sources:
    """The causes that a diagnosis of this subject has proven. Raises UsageError."""
    where = folder or DEFAULT_DIAGNOSIS
    if folder is None and not (where / "diagnosis.json").exists():
        raise UsageError(
            "no-sources",
            "--by-source takes the causes from a diagnosis, and there is none: run "
            f"`{_diagnose(subject)}` first, or name them with --sources",
        )
    diagnosis = output.read_diagnosis(where)
    known = diagnosis.subject
    same = (known.sha256, known.args) == (subject.sha256, subject.args)
    if not same or Path(known.cwd, known.script).resolve() != subject.path:
        raise UsageError(
            "other-diagnosis",
            f"{where} holds a diagnosis of another script, or of other arguments: run "
            f"`{_diagnose(subject)} --output DIR` and give --from DIR",
        )
    output.check_factors(where, (cause.factor for cause in diagnosis.causes))
    arms = {cause.factor: _arm(cause, diagnosis) for cause in diagnosis.causes}
    left_out = tuple(name for name in arms if name == FRESH)
    kept = {name: arm for name, arm in arms.items() if name not in left_out}
    if not kept:
        raise UsageError(
            "no-sources",
            f"the diagnosis in {where} names no cause whose share could be measured "
            f"(its verdict is {diagnosis.verdict}): name sources with --sources",
        )
    return Sources(kept, str(where), left_out)


def _arm(cause: record.Cause, diagnosis: record.Diagnosis) -> Arm:
    """How the cause was held in trials that agree."""
    held = [t.plan.get(cause.factor, "free") for t in diagnosis.trials if t.id in cause.agreeing]
    return next((arm for arm in held if arm in ("pinned", "ablated")), "pinned")


def _diagnose(subject: Subject) -> str:
    return shlex.join(["nondet", "diagnose", *subject.to_record().named, *subject.args])
