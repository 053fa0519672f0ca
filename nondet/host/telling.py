"""What is told while a diagnosis runs: the state of every factor, answers, warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nondet.guest.factors import REGISTRY, by_name
from nondet.guest.factors.base import Factor
from nondet.host.watching import FactorState, Watcher
from nondet.search.questions import Answer, Guilt, Question
from nondet.verdict import Verdict


class Telling:
    """Tells a watcher, each state of a factor once; keeps the warnings for the record."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.states: dict[str, FactorState] = {}
        self.warnings: list[str] = []

    def factors_first(
        self, not_tested: Mapping[str, str], factors: Sequence[Factor] = REGISTRY
    ) -> None:
        for factor in factors:
            reason = not_tested.get(factor.name, "")
            self.factor(factor.name, "not-tested" if reason else "waiting", reason)

    def factor(self, name: str, state: FactorState, why: str) -> None:
        if self.states.get(name) != state:
            self.states[name] = state
            self.watcher.factor(name, by_name(name).title, state, why)

    def warn(self, text: str) -> None:
        self.warnings.append(text)
        self.watcher.message(text)

    def answered(
        self,
        question: Question,
        answer: Answer,
        conclusion: str,
        free: Sequence[str],
        guilty: Sequence[Guilt],
    ) -> None:
        """Tell what an answer did to the factors."""
        self.watcher.answered(question.text, answer.verdict.value, conclusion)
        if question.reference is not None or question.patched:
            return
        # First, because trials with something else pinned that holds as well clear no cause.
        for guilt in guilty:
            self.guilty(guilt.factor, guilt.parting)
        if not question.held:
            self._as_it_is(answer, free)
        elif answer.verdict is Verdict.AGREES:
            for name in free:
                if name in answer.exercised and self.states.get(name) != "guilty":
                    self.factor(name, "cleared", f"free in {len(answer.trials)} agreeing trials")

    def _as_it_is(self, answer: Answer, free: Sequence[str]) -> None:
        for name in free:
            if answer.verdict is Verdict.AGREES:
                self.factor(name, "cleared", f"free in {len(answer.trials)} agreeing trials")
            elif name in answer.suspected:
                self.factor(name, "suspected", "seen to vary in a free trial")
            elif name in answer.leads:
                self.factor(name, "suspected", "used by a line of the script's own")
            elif name not in answer.exercised:
                self.factor(name, "not-exercised", "the script was not seen to use it")

    def guilty(self, name: str, trials: Sequence[str]) -> None:
        self.factor(name, "guilty", f"alone free in {' and '.join(trials[:2])}")
