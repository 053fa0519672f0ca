"""What a search asks and is told. Plain values; no process, file or clock behind them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from nondet.record import Arm
from nondet.verdict import Verdict


class BudgetSpent(Exception):
    """Thrown into a search when no further trial may be run: it ends with what it knows."""


@dataclasses.dataclass(frozen=True)
class Question:
    """Do trials of this plan agree? Factors that are not in `held` are free.

    Settled by `agreeing` comparisons without a difference (trials less one), or by `parting`
    comparisons with one.
    """

    text: str
    held: Mapping[str, Arm]
    agreeing: int
    parting: int = 1
    reference: Mapping[str, Arm] | None = None
    """Compare with a whole trial of this other plan, whose trials agree, not with one another."""
    to_end: bool = False
    """Let two diverging trials run to their end, so that the growth of the difference is known."""
    exact: bool = False
    """No more trials than these, where they agree: the last of them is to start from what another
    has left."""
    released: str = ""
    """What is let go although its factor is held, in words."""
    patched: bool = False
    """Asked of the patched script, whose trials tell nothing of what the script does as it is."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """The verdict over all trials of a plan, and what trials have shown of the subject so far."""

    verdict: Verdict
    trials: tuple[str, ...]
    comparisons: int = 0
    """Comparisons made between trials of this plan."""
    divergences: int = 0
    """How many of them found a difference."""
    alike: tuple[int, ...] = ()
    """Sizes of the groups of trials of this plan that agree as far as they went, largest first."""
    stopped_share: float = 0.0
    """Duration of a trial that was stopped at its first difference, as a share of a whole one's,
    over all plans so far; 0 when not known."""
    exercised: frozenset[str] = frozenset()
    """Factors seen in use; those whose use can't be seen count as in use."""
    suspected: tuple[str, ...] = ()
    """Factors seen in use in a way that varies: unseeded, or free to change order."""
    leads: tuple[str, ...] = ()
    """Factors seen in use on a line of the user's, where it can't be seen whether it matters."""
    settled: frozenset[str] = frozenset()
    """Factors seen in use, and only in ways that don't vary: seeded, or in a fixed order."""
    broken: str = ""
    blamed: tuple[str, ...] = ()
    """Factors whose pin the failure itself names, when the trials are broken."""

    @property
    def seen(self) -> int:
        """Trials but one, of those that tell how often runs of this plan differ."""
        return max(0, sum(self.alike) - 1)

    @property
    def apart(self) -> int:
        """How many of them are outside the largest group of equal ones.

        Not the same as `divergences`, which are counted against one trial: when that one is the
        odd one out, all others differ from it and are equal to each other.
        """
        return sum(self.alike) - max(self.alike, default=0)


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A source that can be pinned here."""

    name: str
    pin: str = "faithful"
    instead: tuple[str, ...] = ()
    """Factors whose pin may hold the same difference."""
    includes: tuple[str, ...] = ()
    """Factors whose pin is a part of this one's. Where that part is enough, they are the cause."""
    chained: bool = False
    """Acts only from one trial to the next of the same plan: while it is free, trials can't be
    compared with those of another plan."""


@dataclasses.dataclass(frozen=True)
class Guilt:
    """A cause with the trials that prove it."""

    factor: str
    parting: tuple[str, ...]
    """Trials that differ with this factor free and the other causes pinned."""
    agreeing: tuple[str, ...]
    """Trials that agree with all causes pinned."""
    arm: Arm = "pinned"


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a search has established."""

    verdict: str = "unsure"
    guilty: tuple[Guilt, ...] = ()
    verified: tuple[str, ...] = ()
    """Trials with exactly the causes pinned; they agree."""
    comparisons: int = 0
    """Agreeing comparisons behind the verdict."""
    cleared: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """Factors left free in trials that agree, with those trials."""
    not_tested: Mapping[str, str] = dataclasses.field(default_factory=dict)
    alternatives: tuple[tuple[str, ...], ...] = ()
    free_trials: tuple[str, ...] = ()
    pinned_trials: tuple[str, ...] = ()
    """Trials with everything pinned that part all the same (verdict ``unresolved``)."""
    broken: str = ""
    note: str = ""
