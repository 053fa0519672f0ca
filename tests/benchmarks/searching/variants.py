"""Other ways to narrow down, tried in place of the search's own; all else is the same."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from nondet import stats
from nondet.naming import enumerated
from nondet.record import Arm
from nondet.search.diagnosing import Goal, Search, ordered
from nondet.search.questions import Answer, Candidate, Question
from tests.benchmarks.searching.minimal import minimal_set


class Halves(Search):
    """Splits a group where both parts are equally likely to hold the cause."""

    def _split(self, chances: Sequence[float], alone: bool) -> int:
        half, kept, before = sum(chances) / 2, 0, 0.0
        while kept < len(chances) - 1 and (kept == 0 or before + chances[kept] <= half):
            before += chances[kept]
            kept += 1
        return kept


class KeepOne(Search):
    """Pins the likeliest one of a group and lets all others go."""

    def _split(self, chances: Sequence[float], alone: bool) -> int:
        return 1


class LeaveOneOut(Search):
    """Lets one go after the other, the least likely first, while the others hold it."""

    def _narrow(
        self, found: dict[str, Arm], arms: dict[str, Arm]
    ) -> Generator[Question, Answer, dict[str, Arm]]:
        pool = [name for name in arms if name not in found]
        shares = self._shares(pool, found)
        plan = dict(arms)
        for name in sorted(pool, key=lambda n: shares[n]):
            less = {n: a for n, a in plan.items() if n != name}
            if less and (yield from self._holds(f"Is it held without {name}?", less)):
                plan = less
        return plan


class QuickXplain(Search):
    """The smallest set by QuickXplain, each question with as many trials as the search would."""

    def _narrow(
        self, found: dict[str, Arm], arms: dict[str, Arm]
    ) -> Generator[Question, Answer, dict[str, Arm]]:
        def holds(names: tuple[str, ...]) -> Generator[Question, Answer, bool]:
            plan = found | {name: arms[name] for name in names}
            if not plan:
                return False
            text = f"Is pinning {enumerated(plan)} enough?"
            return (yield from self._holds(text, ordered(plan, arms)))

        added = yield from minimal_set([name for name in arms if name not in found], holds)
        return ordered(found | {name: arms[name] for name in added}, arms)


class KFromTheRate(Search):
    """Takes what was seen to act always for all there may be: where a stopped trial costs little, 8
    comparisons are collected for each cause. If all differ, the causes act in at least 69 % of runs
    (95 % sure), and as many agreeing comparisons are asked for as show a rate like that: 3."""

    SEEN = 8

    def _steady(self) -> bool:
        return self.known.share <= 0.25 and not self._rare() and not self.tries

    def _partings(
        self, causes: dict[str, Arm], needed: int
    ) -> Generator[Question, Answer, dict[str, Answer]]:
        if not self._steady():
            return (yield from super()._partings(causes, needed))
        found = {}
        for name in causes:
            others = {n: a for n, a in causes.items() if n != name}
            text = f"Is {name} needed? It alone is let go"
            found[name] = yield from self._ask(text, others, self.needed, parting=self.SEEN)
        return found

    def _agreeing_needed(self) -> int:
        if not self._steady():
            return super()._agreeing_needed()
        least = stats.divergence_floor(self.SEEN, self.SEEN, self.goal.confidence)
        return min(self.needed, stats.comparisons_needed(least, self.goal.confidence))


VARIANTS: tuple[tuple[str, type[Search]], ...] = (
    ("least expected cost (the search's own)", Search),
    ("halves of the likelihood", Halves),
    ("one pinned, the rest let go", KeepOne),
    ("one let go after the other", LeaveOneOut),
    ("QuickXplain", QuickXplain),
)


def search(kind: type[Search], names: Sequence[str], goal: Goal) -> Search:
    """A search of that kind among sources of these names."""
    return kind([Candidate(name) for name in names], (), goal)
