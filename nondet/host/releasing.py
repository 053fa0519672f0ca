"""Which operations it is that need deterministic kernels: some are let go, and all others are held.

A cause that sits in kernels is held for all operations at once. Where the framework allows it,
single ones are released again: runs that part then have parted because of these, as long as they
agree with others released, or none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterable, Mapping, Sequence

from nondet import record
from nondet.guest.factors import op_determinism
from nondet.guest.factors.op_determinism import RELEASED
from nondet.host.sites import Sites
from nondet.host.trials import Trial
from nondet.record import Arm
from nondet.search.questions import Answer, Question
from nondet.verdict import Verdict

HOLDER = op_determinism.FACTOR.name
ABLE = "torch"
"""The framework that can release one operation and hold all others."""
SEVERAL = "Is it one of the operations known to have several kernels?"
ONE = "Does `{}` need a deterministic kernel?"
OTHERS = "Does another operation?"
CONTROL = "Does it repeat with each operation held by itself?"
AGREEING = 2
"""Comparisons after which an operation is left alone, where runs part mostly; nothing is claimed of
it."""
PARTING = 2
"""Comparisons that must find a difference: one could be another source's, seen once in many
runs."""
MOST = 6
"""Operations that are told apart."""
NONE = "(?!)"
"""Matches no name."""


@dataclasses.dataclass(frozen=True)
class Release:
    """Operations to let go, as patterns of their names, and what is asked by that."""

    text: str
    patterns: tuple[str, ...]
    words: str
    """What is let go."""
    names: tuple[str, ...] = ()
    """The operations, where they are known."""

    def question(self, held: Mapping[str, Arm], agreeing: int = AGREEING) -> Question:
        return Question(self.text, held, agreeing, PARTING, released=self.words)


@dataclasses.dataclass(frozen=True)
class Shown:
    """What trials with this release have shown: their verdict, those that parted, and the
    operations that they let go, with the lines that called them, the most frequent first."""

    verdict: Verdict
    trials: tuple[str, ...]
    lines: Mapping[str, tuple[record.Site, ...]]


@dataclasses.dataclass(frozen=True)
class Needed:
    """An operation whose usual kernel makes runs part, all others held."""

    op: str
    site: record.Site | None
    """None where no line of the user's is behind it, or several that can't be told apart."""
    trials: tuple[str, ...]


def search(
    patterns: tuple[str, ...], suspected: Iterable[record.Site], found: list[Needed]
) -> Generator[Release, Shown, None]:
    """All that are known at once; where these part, one by one with what is left together, until
    that agrees. Those at lines that are `suspected` come first.

    Adds to `found`, once runs have been seen to agree in the same way but for what is released:
    what is done to release operations is no other cause then.
    """
    places = {(site.file, site.line) for site in suspected}
    parted: list[Needed] = []
    agreed = False

    def asked(release: Release) -> Generator[Release, Shown, Shown]:
        nonlocal agreed
        shown = yield release
        agreed = agreed or shown.verdict is Verdict.AGREES
        if shown.verdict is Verdict.DIVERGES and len(release.names) == 1:
            (name,) = release.names
            parted.append(Needed(name, one_of(shown.lines.get(name, ()), places), shown.trials))
        if agreed:
            found[:] = parted
        return shown

    shown = yield from asked(Release(SEVERAL, patterns, "all of these"))
    left = sorted(shown.lines, key=lambda name: not _at(shown.lines[name], places))[:MOST]
    if shown.verdict is Verdict.DIVERGES and len(left) == 1:
        parted.append(Needed(left[0], one_of(shown.lines[left[0]], places), shown.trials))
    while shown.verdict is Verdict.DIVERGES and len(left) > 1:
        yield from asked(only(left[:1]))
        del left[0]
        shown = yield from asked(only(left))
    if parted and not agreed:
        yield from asked(Release(CONTROL, (NONE,), "none of them"))


def only(names: Sequence[str]) -> Release:
    patterns = tuple(f"^{name}$" for name in names)
    if len(names) > 1:
        return Release(OTHERS, patterns, "the others", tuple(names))
    return Release(ONE.format(names[0]), patterns, f"`{names[0]}`", tuple(names))


def _at(sites: Iterable[record.Site], places: set[tuple[str, int]]) -> bool:
    return any((site.file, site.line) in places for site in sites)


def one_of(sites: Sequence[record.Site], places: set[tuple[str, int]]) -> record.Site | None:
    """The line that is meant: the only one, or the only one that is suspected."""
    told = [site for site in sites if (site.file, site.line) in places] or list(sites)
    return told[0] if len(told) == 1 else None


def shown(answer: Answer, trials: Iterable[Trial], sites: Sites) -> Shown:
    """What an answer and all trials with the same release have shown."""
    counts: dict[str, int] = {}
    lines: dict[str, dict[tuple[str, int], record.Site]] = {}
    for trial in trials:
        for s in trial.sightings.values():
            if s.factor == HOLDER and s.detail.endswith(RELEASED):
                name = s.detail.removesuffix(RELEASED)
                counts[name] = counts.get(name, 0) + s.count
                own = lines.setdefault(name, {})
                if s.site is not None:
                    site = sites.site(s.site, s.detail, s.count)
                    own.setdefault((site.file, site.line), site)
    names = sorted(counts, key=lambda name: -counts[name])
    verdict = answer.verdict
    if verdict is Verdict.DIVERGES and answer.divergences < PARTING:
        # One of several, and no more came.
        verdict = Verdict.UNSURE
    return Shown(verdict, answer.trials, {name: tuple(lines[name].values()) for name in names})


def released(trial: Trial) -> tuple[str, ...]:
    """The operations that were let go in a trial."""
    details = (s.detail for s in trial.sightings.values() if s.factor == HOLDER)
    return tuple(dict.fromkeys(d.removesuffix(RELEASED) for d in details if d.endswith(RELEASED)))


def patience(comparisons: int, usual: int) -> int:
    """Comparisons after which an operation is left alone. `comparisons`: what the causes' pins have
    stood; where that is more than what is usual, runs part now and then."""
    return comparisons if comparisons > max(usual, AGREEING) else AGREEING


def applies(guilty: Sequence[str], trials: Iterable[Trial]) -> bool:
    """Whether there is something to find out, in a framework that allows it."""
    return HOLDER in guilty and any(
        ABLE in trial.frameworks and trial.backend in ("", ABLE) for trial in trials
    )
