"""Which trials the page lists: of thousands, those that its claims name, and the first."""

from __future__ import annotations

from collections.abc import Iterator

from nondet.record import Diagnosis, Trial

MOST = 500
"""Trials listed at most, each with its plan and logs: a page of all would be too large to open."""
MOST_NAMED = 100
"""Trials named at most where a claim rests on more."""


def listed(diagnosis: Diagnosis) -> tuple[Trial, ...]:
    """The trials that are listed, in the order in which they ran."""
    trials = diagnosis.trials
    if len(trials) <= MOST:
        return trials
    known = {trial.id for trial in trials}
    named = [name for name in dict.fromkeys(_named(diagnosis)) if name in known]
    others = (trial.id for trial in trials)
    kept = set(list(dict.fromkeys([*named[:MOST], *others]))[:MOST])
    return tuple(trial for trial in trials if trial.id in kept)


def _named(diagnosis: Diagnosis) -> Iterator[str]:
    """What the claims rest on, the most telling first."""
    if diagnosis.first_divergence is not None:
        yield from diagnosis.first_divergence.trials
    for cause in diagnosis.causes:
        yield from cause.trials[:MOST_NAMED]
    for cause in diagnosis.causes:
        yield from cause.agreeing[:MOST_NAMED]
    if diagnosis.prescription is not None:
        yield from diagnosis.prescription.verified_trials[:MOST_NAMED]
        yield from diagnosis.prescription.patch_trials[:MOST_NAMED]
