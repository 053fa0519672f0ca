"""Which operations it is that need deterministic kernels: some are let go, and all others are held.

A cause that sits in kernels is held for all operations at once. Where the framework allows it,
single ones are released again: runs that part then have parted because of these.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterable, Mapping, Sequence

from nondet import record
from nondet.guest.factors import op_determinism
from nondet.guest.torch_releasing import RELEASED
from nondet.host.sites import Sites
from nondet.host.trials import Trial
from nondet.record import Arm
from nondet.search.questions import Answer, Question
from nondet.verdict import Verdict

HOLDER = op_determinism.FACTOR.name
TEXT = "Does `{}` need a deterministic kernel?"
OTHERS = "Does another one?"
SEVERAL = "Is it one of the operations known to have several kernels?"
ABLE = "torch"
"""The framework that can release one operation and hold all others."""
AGREEING = 2
"""Comparisons after which an operation is left alone; nothing is claimed of it."""
MOST = 6
"""Operations that are told apart."""


@dataclasses.dataclass(frozen=True)
class Release:
    """Operations to let go, as patterns of their names, and what is asked by that."""

    text: str
    patterns: tuple[str, ...]
    words: str = "some operation"

    def question(self, held: Mapping[str, Arm]) -> Question:
        return Question(self.text, held, AGREEING, released=self.words)


@dataclasses.dataclass(frozen=True)
class Shown:
    """What trials with this release have shown: their verdict, those that parted, and the
    operations that they let go, with the lines that called them, the most frequent first."""

    verdict: Verdict
    trials: tuple[str, ...]
    names: tuple[str, ...]
    lines: dict[str, record.Site | None]


@dataclasses.dataclass(frozen=True)
class Needed:
    """An operation whose usual kernel makes runs part, all others held."""

    op: str
    site: record.Site | None
    trials: tuple[str, ...]


def search(
    patterns: tuple[str, ...], suspected: Iterable[record.Site] = ()
) -> Generator[Release, Shown, tuple[Needed, ...]]:
    """All that are known at once; where these part, one by one with what is left together, until
    that agrees. Those at lines that are `suspected` come first."""
    places = {(site.file, site.line) for site in suspected}
    found: list[Needed] = []
    shown = yield Release(SEVERAL, patterns)
    left = sorted(shown.names, key=lambda name: place(shown.lines.get(name)) not in places)[:MOST]
    while shown.verdict is Verdict.DIVERGES and left:
        if len(left) > 1:
            alone = yield exactly(left[:1])
        else:
            alone = shown
        if alone.verdict is Verdict.DIVERGES:
            found.append(Needed(left[0], alone.lines.get(left[0]), alone.trials))
        del left[0]
        if left:
            shown = yield exactly(left)
    return tuple(found)


def exactly(names: Sequence[str]) -> Release:
    patterns = tuple(f"^{name}$" for name in names)
    if len(names) > 1:
        return Release(OTHERS, patterns, "another operation")
    return Release(TEXT.format(names[0]), patterns, f"`{names[0]}`")


def place(site: record.Site | None) -> tuple[str, int] | None:
    return (site.file, site.line) if site is not None else None


def shown(answer: Answer, trials: Iterable[Trial], sites: Sites) -> Shown:
    """What an answer and all trials with the same release have shown."""
    counts: dict[str, int] = {}
    lines: dict[str, record.Site | None] = {}
    for trial in trials:
        for s in trial.sightings.values():
            if s.factor == HOLDER and s.detail.endswith(RELEASED):
                name = s.detail.removesuffix(RELEASED)
                counts[name] = counts.get(name, 0) + s.count
                if s.site is not None and lines.get(name) is None:
                    lines[name] = sites.site(s.site, s.detail, s.count)
    names = sorted(counts, key=lambda name: -counts[name])
    return Shown(answer.verdict, answer.trials, tuple(names), lines)


def applies(guilty: Sequence[str], trials: Iterable[Trial]) -> bool:
    """Whether there is something to find out, in a framework that allows it."""
    return HOLDER in guilty and any(ABLE in trial.frameworks for trial in trials)
