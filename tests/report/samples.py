"""Realistic diagnoses of every kind, consistent in themselves, for tests of the reports."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from nondet.record import (
    Cost,
    Diagnosis,
    Divergence,
    Horizon,
    NotTested,
    Slowdown,
    Suspect,
)
from tests.report import parts
from tests.report.found import NOT_HERE, base, one_cause, three_causes
from tests.report.inside import looked_into
from tests.report.provoked import late_seed, refused, stressed
from tests.report.trying import EVIL, broken, hostile, large

__all__ = [
    "ALL",
    "EVIL",
    "base",
    "broken",
    "hostile",
    "large",
    "late_seed",
    "looked_into",
    "one_cause",
    "refused",
    "reproducible",
    "shortened",
    "stressed",
    "three_causes",
    "unresolved",
    "unsure",
]


def unresolved() -> Diagnosis:
    """Pinned runs part in epoch 2, and nothing known holds them."""
    where = Divergence(
        checkpoint="epoch",
        model="sequential",
        epoch=2,
        step=20,
        tensor="dense/kernel",
        kind="weights",
        max_abs=2.98e-8,
        max_rel=3.3e-7,
        max_ulp=3,
        trials=("t03", "t04"),
        tensors_differing=2,
        tensors=4,
    )
    return base(
        verdict="unresolved",
        summary="Runs part in epoch 2: the weights of `dense/kernel` and 1 more differ, and "
        "nothing that nondet can pin holds them together.",
        first_divergence=where,
        not_tested=(
            *NOT_HERE,
            NotTested(factor="file-order", why="the preload library cannot be built here"),
        ),
        trials=parts.TRIALS[:4],
        cost=Cost(trials=4, subject_seconds=33.0, wall_seconds=21.4, single_run_seconds=9.3),
        questions=(
            parts.QUESTIONS[0],
            parts.question(
                "Does it repeat with everything known held?",
                (),
                "DIVERGES",
                ("t03", "t04"),
                "Something that is not in the catalogue varies",
            ),
        ),
        differences=(parts.differences(start=2, trials=("t03", "t04")),),
        suspects=(
            Suspect(
                what="a thread started by the script",
                site=parts.site(4, "<module>", "a thread started by the script"),
            ),
            Suspect(what="an open of `/dev/urandom`", site=parts.site(4, "<module>", "")),
            Suspect(what="its own generator in `libnoise`, called from C"),
        ),
    )


def reproducible() -> Diagnosis:
    """Six runs as the script is, no difference."""
    return base(
        verdict="reproducible",
        summary="6 runs in fresh processes gave the same bits in every weight at every checkpoint.",
        confidence=parts.confidence(6),
        not_tested=NOT_HERE,
        trials=tuple(
            parts.trial(n, parts.plan(rest="free"), "Does it repeat as it is?") for n in range(1, 7)
        ),
        questions=(
            parts.question(
                "Does the script repeat as it is?",
                parts.TITLES,
                "AGREES",
                tuple(f"t{n:02d}" for n in range(1, 7)),
                "6 trials, no difference",
            ),
        ),
        cost=Cost(trials=6, subject_seconds=56.1, wall_seconds=31.0, single_run_seconds=9.3),
    )


def shortened() -> Diagnosis:
    """Three causes, one with a slow pin; the trials were ended in their second fit."""
    diagnosis = three_causes()
    *others, threads = diagnosis.causes
    slow = Slowdown(
        ratio=1.64,
        pinned_seconds=15.25,
        free_seconds=9.3,
        pinned=("t22", "t23", "t24"),
        free=("t01", "t02"),
        also=("hash-seed", "python-random"),
        noticeable=True,
    )
    trials = tuple(
        structs.replace(trial, outcome="stopped-early", at_horizon=True)
        if trial.outcome == "completed"
        else trial
        for trial in diagnosis.trials
    )
    return structs.replace(
        diagnosis,
        causes=(*others, structs.replace(threads, slowdown=slow)),
        trials=trials,
        horizon=Horizon(unit="epoch", count=4, reached="fit 2, epoch 1"),
    )


def unsure() -> Diagnosis:
    """Interrupted after the runs had parted."""
    return base(
        verdict="unsure",
        summary="Runs part before training: the initial weights of `dense/kernel` and 1 more "
        "differ; the cause is not proven yet (interrupted).",
        interrupted=True,
        first_divergence=parts.START,
        trials=parts.TRIALS[:5],
        cost=Cost(trials=5, subject_seconds=42.6, wall_seconds=26.1, single_run_seconds=9.3),
        questions=parts.QUESTIONS[:2],
        differences=(parts.differences(floor=0.31, rate=0.1),),
    )


ALL: dict[str, Callable[[], Diagnosis]] = {
    "one_cause": one_cause,
    "three_causes": three_causes,
    "unresolved": unresolved,
    "reproducible": reproducible,
    "unsure": unsure,
    "broken": broken,
    "late_seed": late_seed,
    "shortened": shortened,
    "stressed": stressed,
    "refused": refused,
    "looked_into": looked_into,
    "hostile": hostile,
    "large": large,
}
