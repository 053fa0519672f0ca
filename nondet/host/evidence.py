"""What trials have shown of the subject: which factors it uses, and which of them vary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nondet.guest.factors import REGISTRY
from nondet.host.events import Sighting
from nondet.host.trials import Trial


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
    for factor in REGISTRY:
        if not factor.observable and (factor.framework is None or factor.framework in frameworks):
            found.add(factor.name)
    return frozenset(found & set(available))


def suspected(trials: Iterable[Trial], available: Sequence[str]) -> tuple[str, ...]:
    """Sources seen unseeded, or free to change order, in a trial that left them free."""
    found = {
        sighting.factor
        for trial in trials
        for sighting in trial.sightings.values()
        if sighting.unseeded and sighting.factor not in trial.held
    }
    return tuple(name for name in available if name in found)


def settled(trials: Iterable[Trial], available: Sequence[str]) -> frozenset[str]:
    """Sources seen in use, and only in ways that don't vary."""
    everything = list(trials)
    sightings = [s for trial in everything for s in trial.sightings.values()]
    seen = {s.factor for s in sightings if s.unseeded is False}
    open_ = {s.factor for s in sightings if s.unseeded is None}
    return frozenset(seen & set(available)) - open_ - set(suspected(everything, available))


def sightings_of(factor: str, trials: Iterable[Trial]) -> list[Sighting]:
    """What was seen of a source while it was free, the most telling first, each site once."""
    best: dict[tuple[object, ...], Sighting] = {}
    for trial in trials:
        if factor in trial.held:
            continue
        for sighting in trial.sightings.values():
            if sighting.factor == factor:
                key = (sighting.detail, sighting.consumer, sighting.site, sighting.unseeded)
                if key not in best or best[key].count < sighting.count:
                    best[key] = sighting
    unseeded = [s for s in best.values() if s.unseeded is not False]
    return unseeded or list(best.values())
