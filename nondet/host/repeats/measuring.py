"""From ended trials to what is recorded of them: results, values of metrics, shares."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Literal

from nondet import spread
from nondet.host.repeats import patterns
from nondet.host.repeats.patterns import Found, Pattern
from nondet.host.trials import Trial
from nondet.record import Arm
from nondet.repetition import Origin, Role, Run, Series, Share, Summary

Compared = Literal["weights", "values", "metrics", ""]
Key = tuple[Origin, str, str]
"""Where a metric is from, its model, its name."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """A series that is asked for."""

    role: Role
    text: str
    held: Mapping[str, Arm]
    count: int
    factor: str = ""


@dataclasses.dataclass
class Measured:
    """The trials of a series, with what was measured in those that ran to their end."""

    plan: Plan
    trials: list[Trial]
    values: dict[str, dict[Key, float]]
    """By trial."""
    found: dict[str, Found]
    """What the patterns found, by trial."""

    @property
    def keys(self) -> list[Key]:
        """Every metric of any run once, in the order first seen."""
        return list(dict.fromkeys(key for values in self.values.values() for key in values))


def measure(plan: Plan, ended: Sequence[Trial], wanted: Sequence[Pattern]) -> Measured:
    """Read the metrics of the whole trials. What a failed one had told by then is no result."""
    measured = Measured(plan, list(ended), {}, {})
    for trial in ended:
        if trial.whole and not trial.fault:
            found = patterns.search(wanted, trial.folder)
            told: dict[Key, float] = {
                ("history" if model else "metric", model, name): value
                for (model, name), value in trial.told.items()
            }
            told |= {("pattern", "", name): value for name, value in found.values.items()}
            measured.values[trial.id], measured.found[trial.id] = told, found
    return measured


def labels(keys: Iterable[Key]) -> dict[Key, str]:
    """What each metric is called: its name, with where it is from when another has it too."""
    listed = list(dict.fromkeys(keys))
    names = [name for _, _, name in listed]
    made: dict[Key, str] = {}
    for origin, model, name in listed:
        where = model if origin == "history" else {"metric": "nondet.metric"}.get(origin, origin)
        label = name if names.count(name) == 1 else f"{name} ({where})"
        while label in made.values():
            label += "'"
        made[origin, model, name] = label
    return made


def series(measured: Measured, called: Mapping[Key, str], order: Sequence[Key]) -> Series:
    """The record of a series; its metrics are in the order given."""
    plan = measured.plan
    whole = [trial for trial in measured.trials if trial.id in measured.values]
    compared = _compared(whole, measured)
    if compared == "metrics":
        keys: list[Hashable] = [_metrics(measured.values[trial.id]) for trial in whole]
    else:
        keys = [final(trial) for trial in whole]
    numbers, sizes = spread.grouped(keys if compared else ())
    results = dict(zip((trial.id for trial in whole), numbers, strict=False))
    return Series(
        role=plan.role,
        text=plan.text,
        factor=plan.factor,
        held=dict(plan.held),
        asked=plan.count,
        runs=tuple(
            _run(trial, results.get(trial.id, 0), measured.values.get(trial.id), called)
            for trial in measured.trials
        ),
        results=sizes,
        compared=compared,
        kind=spread.kind(sizes),
        metrics=tuple(
            spread.summarise(
                [measured.values[trial.id].get(key) for trial in whole],
                Summary(label=called[key], origin=key[0], model=key[1], name=key[2]),
            )
            for key in order
            if any(key in measured.values[trial.id] for trial in whole)
        ),
    )


def shares(free: Measured, alone: Measured, called: Mapping[Key, str]) -> tuple[Share, ...]:
    """Each metric's share of one source: the variance with it alone free, over that of all."""
    found = []
    for key in free.keys:
        one = [values[key] for values in alone.values.values() if key in values]
        every = [values[key] for values in free.values.values() if key in values]
        # Of a single source no runs are needed but those of the script as it is.
        same = alone.trials == free.trials
        varies = len({value for value in every if math.isfinite(value)}) > 1
        told = (1.0, None) if same and varies else spread.share(one, every)
        if told is not None:
            found.append(
                Share(
                    factor=alone.plan.factor,
                    metric=called[key],
                    share=told[0],
                    interval=told[1],
                )
            )
    return tuple(found)


def final(trial: Trial) -> Hashable:
    """What a trial ended with: each model's last weights, and the last value of each name that was
    given to ``nondet.checkpoint``."""
    last = {}
    for owner, checkpoint in zip(trial.owners, trial.checkpoints, strict=True):
        last[owner, "" if owner >= 0 else checkpoint.model] = checkpoint.tensors
    return tuple(sorted(last.items()))


def _compared(whole: Sequence[Trial], measured: Measured) -> Compared:
    if any(owner >= 0 for trial in whole for owner in trial.owners):
        return "weights"
    if any(trial.shows for trial in whole):
        return "values"
    return "metrics" if any(measured.values.values()) else ""


def _metrics(values: Mapping[Key, float]) -> Hashable:
    """The exact values, so that they can be compared: NaN is no two times the same number."""
    return tuple(sorted((key, value.hex()) for key, value in values.items()))


def _run(
    trial: Trial, result: int, values: Mapping[Key, float] | None, called: Mapping[Key, str]
) -> Run:
    failed = values is None and trial.outcome != "stopped-early"
    return Run(
        id=trial.id,
        outcome="crashed" if failed and trial.outcome == "completed" else trial.outcome or "killed",
        seconds=trial.seconds,
        result=result,
        values={
            called[key]: value if math.isfinite(value) else spread.word(value)
            for key, value in (values or {}).items()
        },
        exit_code=trial.exit_code,
        peak_memory=trial.peak_memory,
        note=trial.note or (trial.fault if failed else ""),
        stdout_tail=trial.tail("stdout.log") if failed else "",
        stderr_tail=trial.tail("stderr.log") if failed else "",
    )
