"""How far a cause spreads the final metrics, as far as whole runs of the record tell."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence

from nondet.record import Cause, Diagnosis, Spread, Trial


@dataclasses.dataclass(frozen=True)
class Effect:
    """The spread of final metrics over some runs."""

    spread: dict[str, Spread]
    trials: tuple[str, ...]
    alone: bool
    """Whether the other causes were held in them."""


def of(diagnosis: Diagnosis, cause: Cause) -> Effect | None:
    """Over runs with the other causes held, else over those of the script as it is; None without
    two of either.

    The trials that prove a cause are stopped at their first difference, so the record's own spread
    is mostly empty; others of the same plan may have run to their end.
    """
    whole = _whole(diagnosis)
    if cause.spread:
        return Effect(cause.spread, tuple(t.id for t in whole if t.id in cause.trials), True)
    plans = [trial.plan for trial in diagnosis.trials if trial.id in cause.trials]
    alone = [trial for trial in whole if trial.plan in plans]
    together = [trial for trial in whole if set(trial.plan.values()) == {"free"}]
    for trials in (alone, together):
        spread = _spread(trials)
        if spread:
            ids = tuple(trial.id for trial in trials)
            return Effect(spread, ids, trials is alone or len(diagnosis.causes) == 1)
    return None


def _whole(diagnosis: Diagnosis) -> list[Trial]:
    """Trials of the script as it is that came to its end, or to the horizon."""
    fix = diagnosis.prescription
    patched = fix.patch_trials if fix is not None else ()
    return [
        trial
        for trial in diagnosis.trials
        if (trial.outcome == "completed" or trial.at_horizon) and trial.id not in patched
    ]


def _spread(trials: Sequence[Trial]) -> dict[str, Spread]:
    """Of every metric that all of these trials have; nothing of fewer than two."""
    if len(trials) < 2:
        return {}
    found = {}
    for name in trials[0].metrics:
        values = [trial.metrics[name] for trial in trials if name in trial.metrics]
        if len(values) == len(trials):
            found[name] = Spread(sd=statistics.stdev(values), min=min(values), max=max(values))
    return found
