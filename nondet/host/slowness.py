"""How much a cause's pin slows a run down: one that hides a race by that alone holds nothing."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping

from nondet import record
from nondet.guest.factors import by_name
from nondet.host.trials import Trial
from nondet.search.questions import Guilt

NOTICEABLE = 1.2
RACING = ("parallelism", "kernels")
"""Groups of factors whose effect hangs on who comes first."""
Plan = frozenset[tuple[str, record.Arm]]
FEWEST = 2
"""Trials on either side without which a difference in time is no more than chance."""


def slowdown(guilt: Guilt, trials: Iterable[Trial]) -> record.Slowdown | None:
    """From the nearest two plans that have whole trials: one with this pin, one that lacks it and
    adds no other. A trial that was stopped has no time to compare; a provoked one is under load;
    one that was forked saved the imports, and is compared with its like.
    """
    alike: dict[bool, dict[Plan, list[Trial]]] = {False: {}, True: {}}
    for trial in trials:
        if trial.whole and trial.counts and "varied" not in trial.held.values():
            plans = alike[bool(trial.parent)]
            plans.setdefault(frozenset(trial.held.items()), []).append(trial)
    pin = (guilt.factor, guilt.arm)
    pairs = [
        (plans, pinned, free)
        for plans in alike.values()
        for pinned in plans
        if pin in pinned
        for free in plans
        if free <= pinned - {pin}
    ]
    if not pairs:
        return None
    plans, pinned, free = min(pairs, key=distance)
    also = sorted(name for name, _ in pinned - free - {pin})
    return between(guilt.factor, plans[pinned], plans[free], also)


def distance(pair: tuple[Mapping[Plan, list[Trial]], Plan, Plan]) -> tuple[int, int]:
    """How much two plans differ; of those that differ alike, the pair with the most trials."""
    plans, pinned, free = pair
    return len(pinned - free), -min(len(plans[pinned]), len(plans[free]))


def between(
    factor: str, pinned: list[Trial], free: list[Trial], also: Iterable[str] = ()
) -> record.Slowdown | None:
    """From the trials' times; None when a clock that stood still leaves nothing to compare."""
    slow, quick = [t.seconds for t in pinned], [t.seconds for t in free]
    if statistics.median(quick) <= 0:
        return None
    ratio = statistics.median(slow) / statistics.median(quick)
    enough = min(len(slow), len(quick)) >= FEWEST
    # The machine may have been busier for some of them: all of one side must stand apart.
    apart = enough and min(slow) >= NOTICEABLE * max(quick)
    return record.Slowdown(
        ratio=ratio,
        pinned_seconds=statistics.median(slow),
        free_seconds=statistics.median(quick),
        pinned=tuple(t.id for t in pinned),
        free=tuple(t.id for t in free),
        also=tuple(also),
        noticeable=apart and by_name(factor).group in RACING,
    )
