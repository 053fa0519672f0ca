"""What the answers so far say: how often runs part, what has been free in agreeing trials."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Set

from nondet import stats
from nondet.record import Arm
from nondet.search.questions import Answer, Question
from nondet.verdict import Verdict

Plan = frozenset[tuple[str, Arm]]

SHARE = 0.4
"""Duration of a stopped trial as a share of a whole one's, as long as none has been stopped."""
EXPECTED = 1.2
"""Causes expected among the factors that a plan holds and another does not."""
WEIGHTS = {"suspect": 20.0, "lead": 8.0, "open": 2.0, "settled": 0.3, "idle": 0.2}
"""How much likelier a factor is a cause than another, by what was seen of it."""


class Knowledge:
    """Every answer given, by its plan, and what follows from them together."""

    def __init__(self) -> None:
        self.answers: dict[Plan, Answer] = {}
        self.agreeing: dict[Plan, int] = {}
        self.held: dict[Plan, frozenset[str]] = {}
        """The factors of these plans."""
        self.share = SHARE
        self.latest: Answer | None = None

    def take_in(self, question: Question, answer: Answer) -> None:
        """Keep an answer. One that compares plans says nothing of how often trials of one part."""
        plan = frozenset(question.held.items())
        self.latest = answer
        if question.reference is None:
            self.answers[plan] = answer
        if answer.verdict is Verdict.AGREES:
            whole = len(answer.trials) - (question.reference is not None)
            self.agreeing[plan] = max(whole, self.agreeing.get(plan, 0))
            self.held[plan] = frozenset(question.held)
        if answer.stopped_share:
            self.share = answer.stopped_share

    def of(self, held: Mapping[str, Arm]) -> Answer | None:
        """The latest answer about trials of this plan alone."""
        return self.answers.get(frozenset(held.items()))

    def compared(self, held: Mapping[str, Arm]) -> int:
        """Agreeing comparisons of a plan so far, by the way in which they were made last."""
        plan = frozenset(held.items())
        trials = self.agreeing.get(plan, 0)
        return max(0, trials - (plan in self.answers))

    def exposed(self, name: str, given: Set[str]) -> int:
        """Agreeing trials in which a factor was free while those given were pinned."""
        total = 0
        for plan, count in self.agreeing.items():
            held = self.held[plan]
            if name not in held and given <= held:
                total += count
        return total


@dataclasses.dataclass(frozen=True)
class Tally:
    """How often runs parted by the difference that is being looked for: a weighted count."""

    apart: float = 0.0
    seen: float = 0.0

    def with_(self, answer: Answer, former: float) -> Tally:
        """With the trials of one more plan; those before count for that much."""
        apart, seen = former * self.apart, former * self.seen
        return Tally(apart + answer.apart, seen + answer.seen)

    @property
    def rate(self) -> float:
        """Share of runs that leave the commonest result, a little doubt included."""
        if self.apart == self.seen:
            return 1 - 0.5 / (self.seen + 1)
        return (self.apart + 0.5) / (self.seen + 1)

    def luck(self, agreeing: int) -> float:
        """Probability that so many comparisons agree though the difference could show."""
        return stats.chance_of_luck(self.apart, self.seen, agreeing)

    def patience(self, luck: float) -> int:
        """Agreeing comparisons that happen with no more than that probability by luck."""
        agreeing = 1
        while self.luck(agreeing) > luck:
            agreeing += 1
        return agreeing


def agreeing_against(answer: Answer, ratio: float) -> int:
    """Agreeing comparisons that make it so many times likelier that what parted the trials of
    another plan is held."""
    return stats.agreeing_needed(answer.apart, answer.seen, ratio)
