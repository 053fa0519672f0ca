"""What must hold of a diagnosis that was killed and has come to its end after all."""

from __future__ import annotations

import collections
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nondet import record
from nondet.host.diagnosing import GROWTH
from tests.benchmarks.killing import whole
from tests.benchmarks.killing.rooms import Ended, Saved

Plan = frozenset[tuple[str, record.Arm]]


def faults(quiet: record.Diagnosis, ended: Ended, jobs: int) -> list[str]:
    """What is not as it should be; empty when all is right."""
    found = [f"a kill left {', '.join(k.alive)} alive" for k in ended.kills if k.alive]
    found += [f"after a kill, {fault}" for kill in ended.kills for fault in kill.faults]
    found += [f"{', '.join(ended.alive)} alive at the end"] if ended.alive else []
    found += [f"temporary files left: {', '.join(ended.scratch)}"] if ended.scratch else []
    try:
        last = record.decode((ended.output / "diagnosis.json").read_bytes())
    except (OSError, record.RecordError) as error:
        return [*found, f"exit code {ended.code}, and no record: {error}"]
    if ended.code != record.EXIT_CODES[last.verdict]:
        found.append(f"exit code {ended.code} for the verdict {last.verdict}")
    found += unlike(quiet, last)
    found += whole.consistent(last) + whole.faults_in(ended.output, last)
    for kill in ended.kills:
        found += lost(kill.saved, last, ended.output)
    return found + repeated(quiet, last, ended, jobs)


def unlike(quiet: record.Diagnosis, last: record.Diagnosis) -> list[str]:
    """What the diagnosis says otherwise than the undisturbed one."""
    return [
        f"{what}: {two}, undisturbed: {one}"
        for (what, one), (_, two) in zip(told(quiet), told(last), strict=True)
        if one != two
    ]


def told(diagnosis: record.Diagnosis) -> list[tuple[str, Any]]:
    """What a diagnosis says of the script, whatever the order in which it was found. How far trials
    are apart is not among it: that is chance."""
    prescription, error = diagnosis.prescription, diagnosis.error
    edits = prescription.edits if prescription else ()
    sure = diagnosis.confidence
    return [
        ("verdict", diagnosis.verdict),
        ("error", error.slug if error else ""),
        ("causes", sorted((cause.factor, cause.pin) for cause in diagnosis.causes)),
        ("lines", sorted(lines(cause) for cause in diagnosis.causes)),
        ("first differences", sorted((c.factor, where(c)) for c in diagnosis.causes)),
        ("first difference", where(diagnosis)),
        ("alternatives", sorted(sorted(names) for names in diagnosis.alternatives)),
        ("sensitivities", sorted(each.factor for each in diagnosis.sensitivities)),
        ("cleared", sorted(each.factor for each in diagnosis.cleared)),
        ("not tested", sorted(each.factor for each in diagnosis.not_tested)),
        ("pins", sorted(prescription.pins) if prescription else None),
        ("verified", prescription.verified if prescription else None),
        ("edits", sorted((edit.place, edit.code) for edit in edits)),
        ("patch", prescription.patch if prescription else None),
        ("patch verified", prescription.patch_verified if prescription else None),
        ("confidence", (sure.level, sure.rate) if sure else None),
        ("interrupted", diagnosis.interrupted),
    ]


def lines(cause: record.Cause) -> tuple[str, list[tuple[str, str]]]:
    """A cause with its places in the code."""
    return cause.factor, sorted({(site.place, site.function) for site in cause.sites})


def where(found: record.Cause | record.Diagnosis) -> tuple[object, ...]:
    """Where trials part; empty when they don't."""
    first = found.first_divergence
    if first is None:
        return ()
    return first.checkpoint, first.model, first.epoch, first.step, first.tensor, first.kind


def lost(saved: Saved, last: record.Diagnosis, output: Path) -> list[str]:
    """Trials that had run to their end when it was killed, and were changed or are not used."""
    listed = {trial.id for trial in last.trials}
    found = []
    for name, data in saved.items():
        path = output / "trials" / name / "trial.json"
        if not path.exists() or path.read_bytes() != data:
            found.append(f"trial {name} had ended, and its file is another now")
        if json.loads(data)["outcome"] == "completed" and name not in listed:
            found.append(f"trial {name} had run to its end, and is not used")
    return found


def repeated(quiet: record.Diagnosis, last: record.Diagnosis, ended: Ended, jobs: int) -> list[str]:
    """Plans of which more trials were run than the undisturbed diagnosis took, though some of them
    had been finished. Trials side by side may come too late to be needed; where trials write files,
    each session must have one that leaves some, and where they are forked, two of one parent. A
    pair that shows how the difference grows is only run where the first was stopped before its end,
    so these don't count."""
    kept = {name for kill in ended.kills for name in kill.saved}
    wrote = any(json.loads(data)["wrote"] for kill in ended.kills for data in kill.saved.values())
    forked = {arms(trial.plan) for trial in last.trials if trial.forked}
    needed, had, now = count(quiet.trials), count(last.trials, kept), count(last.trials)
    found = []
    for plan in now:
        anew = len(ended.kills) if wrote or plan in forked else 0
        if plan in needed and had[plan] and now[plan] > needed[plan] + jobs - 1 + anew:
            words = ", ".join(sorted(f"{name} {arm}" for name, arm in plan)) or "nothing pinned"
            found.append(
                f"{now[plan]} trials with {words}, of which {had[plan]} were finished before; "
                f"undisturbed: {needed[plan]}"
            )
    return found


def count(
    listed: Iterable[record.Trial], among: Iterable[str] | None = None
) -> collections.Counter[Plan]:
    """Trials of each plan, or those of them with these names; without those that only show how a
    difference grows."""
    names = None if among is None else set(among)
    return collections.Counter(
        arms(trial.plan)
        for trial in listed
        if (names is None or trial.id in names) and trial.question != GROWTH
    )


def arms(plan: dict[str, record.Arm]) -> Plan:
    """What is not left as it is."""
    return frozenset((name, arm) for name, arm in plan.items() if arm != "free")
