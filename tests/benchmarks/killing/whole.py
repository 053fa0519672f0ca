"""Whether all that lies in an output folder is whole: read with the readers that nondet has."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nondet import record
from nondet.guest.digests import Digester
from nondet.host import trials
from nondet.host.trials import Trial
from nondet.report import html
from nondet.report.page.words import FOLDER

AT_THE_END = re.compile(r"diagnosis\.json|report\.html|trials")
MEANWHILE = re.compile(r"(diagnosis\.json|report\.html)(\.new)?|trials|values|\.writable")
PLANS = r"plan\.json(\.restarted-\d+-\d+)?(\.muted)?|plan\.json\.restarted-\d+-\d+\.new"
"""Those of children too, which a trial that was stopped may have been about to write."""
OF_A_TRIAL = re.compile(
    PLANS + r"|trial\.json|events\.jsonl|std(out|err)\.log|(steps|rows)-\d+\.bin"
)
UNFINISHED = re.compile(OF_A_TRIAL.pattern + r"|(plan|trial)\.json\.new")
VALUE = re.compile(r"[0-9a-f]{32,64}(\.\d+\.[0-9a-f]{16})?")
"""That of a process which wrote it until it was killed ends in its number, and in a draw."""


def faults_in(output: Path, last: record.Diagnosis | None = None, given: str = FOLDER) -> list[str]:
    """What is not whole, or does not belong there; `last`: the record of one that has ended, and
    `given`: what the command was told of its folder."""
    if not output.exists():
        return []  # killed before it was made
    listed = {trial.id: trial for trial in last.trials} if last is not None else {}
    pattern = MEANWHILE if last is None else AT_THE_END
    found = [f"{p.name} is left" for p in output.iterdir() if not pattern.fullmatch(p.name)]
    if last is None:
        found += _record(output)
    elif (output / "report.html").exists():
        if (output / "report.html").read_text("utf-8") != html.render(last, given):
            found.append("report.html is not what the record gives")
    else:
        found.append("report.html is missing")
    restored = {}
    for folder in sorted(output.glob("trials/*")):
        trial = trials.restore(folder)
        found += [f"{folder.name}: {what}" for what in _trial(folder, trial)]
        if trial is not None:
            restored[trial.id] = trial
    for name, told in listed.items():
        found += [f"{name}: {what}" for what in _unlike(told, restored.get(name))]
    return [*found, *_values(output / "values", list(restored.values()))]


def _record(output: Path) -> Iterator[str]:
    path = output / "diagnosis.json"
    try:
        if path.exists():
            record.decode(path.read_bytes())
    except record.RecordError as error:
        yield f"diagnosis.json: {error}"


def _trial(folder: Path, trial: Trial | None) -> Iterator[str]:
    """`trial`: as it is restored; None when it was killed before it had ended."""
    pattern = UNFINISHED if trial is None else OF_A_TRIAL
    for path in folder.iterdir():
        if not pattern.fullmatch(path.name):
            yield f"{path.name} is left"
    if trial is None and (folder / "trial.json").exists():
        yield "trial.json can't be read"
    plan: dict[str, Any] = {}
    if (folder / "plan.json").exists():
        try:
            plan = json.loads((folder / "plan.json").read_bytes())
        except ValueError as error:
            yield f"plan.json: {error}"
    elif trial is not None:
        yield "plan.json is missing"
    if trial is None:
        trial = Trial(folder.name, {}, "", "", folder)
        trial.listen()
    elif plan and (plan["hash"], plan["arms"]) != (trial.plan, trial.held):
        yield "plan.json and trial.json are of two plans"
    if trial.reader.damaged:
        yield f"{trial.reader.damaged} lines of events.jsonl can't be read"
    if trial.outcome == "completed" and trial.reader.rest:
        yield "the last line of events.jsonl has no end"
    if trial.damaged:
        yield trial.damaged


def _unlike(told: record.Trial, trial: Trial | None) -> Iterator[str]:
    """Where the record and the files of one of its trials differ."""
    if trial is None:
        yield "is listed, and its files can't be read"
        return
    held = {name: arm for name, arm in told.plan.items() if arm != "free"}
    if (told.outcome, held) != (trial.outcome, dict(trial.held)):
        yield "is another in the record"
    if told.checkpoints != len(trial.checkpoints):
        yield f"{len(trial.checkpoints)} checkpoints, and {told.checkpoints} in the record"
    for name in ("stdout.log", "stderr.log"):
        if not (trial.folder / name).exists():
            yield f"{name} is missing"
    # One that was killed or stopped before its guest could say a word has no events.
    short = told.outcome in ("killed", "crashed", "stopped-early") and not told.checkpoints
    if not short and not (trial.folder / "events.jsonl").exists():
        yield "events.jsonl is missing"


def _values(folder: Path, ended: list[Trial]) -> Iterator[str]:
    """Snapshots that are not what their name says, as far as trials tell what they are of."""
    if not folder.exists():
        return
    for path in folder.iterdir():
        if not VALUE.fullmatch(path.name):
            yield f"values/{path.name} is left"
    kinds: dict[str, tuple[str, tuple[int, ...]]] = {}
    for trial in ended:
        for checkpoint, form in zip(trial.checkpoints, trial.forms, strict=True):
            rows = zip(checkpoint.tensors, form.tensors, strict=True)
            kinds |= {digest: (dtype, shape) for (_, digest), (_, dtype, shape) in rows}
    for digest, (dtype, shape) in kinds.items():
        if (folder / digest).exists() and not _fits(folder / digest, dtype, shape):
            yield f"values/{digest} is not what its name says"


def _fits(path: Path, dtype: str, shape: tuple[int, ...]) -> bool:
    data = path.read_bytes()
    try:
        kind = np.dtype(dtype)
    except TypeError:
        return True  # one of a framework's own
    if len(data) != kind.itemsize * math.prod(shape):
        return False
    array = np.frombuffer(data, kind).reshape(shape)
    made: Any = Digester
    digester = made("xxh3_128" if len(path.name) == 32 else "sha256")
    return bool(digester.digest(array) == path.name)


def consistent(last: record.Diagnosis) -> list[str]:
    """Where the record contradicts itself about its trials."""
    ids = [trial.id for trial in last.trials]
    found = [
        f"trial {name} is listed twice" for name in sorted({n for n in ids if ids.count(n) > 1})
    ]
    if last.cost.trials != len(ids):
        found.append(f"{last.cost.trials} trials are counted and {len(ids)} listed")
    cited = set(itertools.chain.from_iterable(asked.trials for asked in last.questions))
    cited |= {name for cause in last.causes for name in (*cause.trials, *cause.agreeing)}
    cited |= set(last.prescription.verified_trials if last.prescription else ())
    return [*found, *(f"trial {name} is named and not listed" for name in sorted(cited - set(ids)))]
