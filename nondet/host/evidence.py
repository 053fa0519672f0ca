"""What trials have shown of the subject: which factors it uses, and which of them vary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nondet.guest.factors import CLUSTER, REGISTRY, by_name
from nondet.guest.factors.base import Factor
from nondet.host import refusals
from nondet.host.events import SeedGiven, Sighting
from nondet.host.trials import Trial

UNKNOWN = "unknown"
"""Stands for a factor in sightings of what no factor explains (guest/session.py)."""
MADE_BY_IMPORT = re.compile(r", while \S+ is imported$")
"""How the details of generators end that a library makes while it is imported (guest/made.py)."""


def exercised(trials: Iterable[Trial], available: Sequence[str]) -> frozenset[str]:
    """Factors seen in use. Those whose use no trial can see count as in use."""
    found: set[str] = set()
    frameworks: set[str] = set()
    for trial in trials:
        frameworks |= trial.frameworks.keys()
        for sighting in trial.sightings.values():
            found.add(sighting.factor)
            if sighting.consumer is not None:
                found.add(sighting.consumer)
        if trial.wrote:
            found.add("leftovers")
    for factor in REGISTRY + CLUSTER:
        if not factor.observable and (
            factor.framework is None or frameworks & frameworks_of(factor)
        ):
            found.add(factor.name)
    return frozenset(found & set(available))


def varying(trial: Trial) -> set[str]:
    """Sources that were seen unseeded, or free to change order, and that it left free."""
    sightings = trial.sightings.values()
    return {s.factor for s in sightings if s.unseeded and s.factor not in trial.held}


def frameworks_of(factor: Factor) -> set[str]:
    """The frameworks of which a factor needs one."""
    needed = factor.framework or ()
    return {needed} if isinstance(needed, str) else set(needed)


def suspected(trials: Iterable[Trial], available: Sequence[str]) -> tuple[str, ...]:
    """Sources seen unseeded, or free to change order, in a trial that left them free."""
    found = {name for trial in trials for name in varying(trial)}
    return tuple(name for name in available if name in found)


def leads(trials: Iterable[Trial], available: Sequence[str]) -> tuple[str, ...]:
    """Sources that a line of the user's was seen to use, where it can't be seen whether that
    matters; those that are suspected are left out."""
    everything = list(trials)
    found = {
        sighting.factor
        for trial in everything
        for sighting in trial.sightings.values()
        if sighting.unseeded is None
        and sighting.site is not None
        and sighting.factor not in trial.held
    }
    found -= set(suspected(everything, available))
    return tuple(name for name in available if name in found)


def blamed(failed: Iterable[Trial]) -> tuple[str, ...]:
    """Factors whose pin these failures name: one that did not take, or deterministic mode that
    refused an operation."""
    found: dict[str, None] = {}
    for trial in failed:
        found.update(dict.fromkeys(trial.unheld))
        if refusal_of(trial) is not None and "op-determinism" in trial.held:
            found["op-determinism"] = None
    return tuple(found)


def refusal_of(trial: Trial) -> refusals.Found | None:
    """What deterministic mode refused in a trial that crashed."""
    crash = trial.crash
    if crash is None:
        return None
    return refusals.refusal(crash.kind, crash.message, crash.traceback)


def settled(trials: Iterable[Trial], available: Sequence[str]) -> frozenset[str]:
    """Sources seen in use, and only in ways that don't vary."""
    everything = list(trials)
    sightings = [s for trial in everything for s in trial.sightings.values()]
    seen = {s.factor for s in sightings if s.unseeded is False}
    open_ = {s.factor for s in sightings if s.unseeded is None}
    return frozenset(seen & set(available)) - open_ - set(suspected(everything, available))


def sightings_of(factor: str, trials: Iterable[Trial]) -> list[Sighting]:
    """What was seen of a source while it was free, the most telling first, each site once. Where
    nothing was, what was seen of another one that may hold the same difference: a racing operation
    is noted for one of the two factors that stop it."""
    everything = list(trials)
    names = (factor, *by_name(factor).instead)
    return next(filter(None, (_seen(name, everything) for name in names)), [])


def programs(factor: str, trials: Iterable[Trial]) -> set[str]:
    """The scripts that use a source in a way that varies, or else use it: see `Trial.programs`."""
    everything = list(trials)
    seen = sightings_of(factor, everything)
    telling = [s for s in seen if s.unseeded] or seen
    told = {(s.factor, s.detail, s.unseeded, s.site) for s in telling}
    return {
        program
        for trial in everything
        for key, s in trial.sightings.items()
        if (s.factor, s.detail, s.unseeded, s.site) in told
        for program in trial.programs.get(key, ())
    }


def _seen(factor: str, trials: Iterable[Trial]) -> list[Sighting]:
    best: dict[tuple[object, ...], Sighting] = {}
    for trial in trials:
        if factor in trial.held:
            continue
        for sighting in trial.sightings.values():
            if sighting.factor == factor:
                s = sighting
                key = (s.detail, s.consumer, s.site, s.unseeded, s.what)
                if key not in best or best[key].count < sighting.count:
                    best[key] = sighting
    telling = [s for s in best.values() if s.unseeded is not False] or list(best.values())
    if any(s.unseeded and s.site is not None for s in telling):
        # What a library makes on its way in may never be drawn from, and the line that imported it
        # first did nothing.
        telling = [s for s in telling if s.unseeded or not MADE_BY_IMPORT.search(s.detail)]
    weaker = by_name(factor).weaker
    # What surely varies tells more than what may; a line of the user's more than none.
    return sorted(
        telling, key=lambda s: (s.unseeded is not True, s.site is None, s.detail in weaker)
    )


def unexplained(trials: Iterable[Trial]) -> list[Sighting]:
    """Activity that no factor explains, each place once, those with a line of the user's first."""
    found = {
        (s.detail, s.site): s
        for trial in trials
        for s in trial.sightings.values()
        if s.factor == UNKNOWN
    }
    return sorted(found.values(), key=lambda s: s.site is None)


def seeds_given(trials: Iterable[Trial], parting: Iterable[Trial]) -> list[tuple[SeedGiven, bool]]:
    """Every seed that the script gives on its own, in the order given, and whether it is another
    one from trial to trial in those of `parting`: trials in which one cause alone is free."""
    found: dict[tuple[object, ...], SeedGiven] = {}
    values: dict[tuple[object, ...], set[str]] = {}
    for trial in trials:
        if trial.held:
            continue
        for key, seeding in trial.seedings.items():
            found.setdefault(key, seeding)
    for trial in parting:
        for key, digest in trial.first_seeds.items():
            values.setdefault(key, set()).add(digest)
    return [(seeding, len(values.get(key, ())) > 1) for key, seeding in found.items()]
