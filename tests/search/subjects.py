"""Simulated subjects: answer a search's questions from planted causes, with no process."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Generator

from nondet.search.questions import Answer, BudgetSpent, Finding, Question
from nondet.verdict import Verdict


@dataclasses.dataclass
class Simulated:
    """A subject that diverges when every factor of one of `causes` is left unpinned.

    A cause is a tuple of factors of which any one pin suffices. `rates` gives the probability that
    a cause acts in a comparison. `visible` factors are seen to vary, `shifts` change the result
    without making it vary, `breaking` pins crash the script.
    """

    causes: tuple[tuple[str, ...], ...] = ()
    rates: tuple[float, ...] = ()
    visible: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    breaking: tuple[str, ...] = ()
    broken: str = ""
    most_trials: int = 1000
    seed: int = 1
    log: list[Question] = dataclasses.field(default_factory=list)
    plans: dict[tuple[tuple[str, str], ...], list[bool]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    @property
    def trials(self) -> int:
        return sum(len(differ) for differ in self.plans.values())

    def differs(self, question: Question) -> bool:
        rates = self.rates or (1.0,) * len(self.causes)
        return any(
            not set(cause) & set(question.held) and self.random.random() < rate
            for cause, rate in zip(self.causes, rates, strict=True)
        )

    @staticmethod
    def settled(question: Question, differ: list[bool]) -> bool:
        compared = len(differ) - 1
        if any(differ):
            most = 2 * max(question.agreeing, question.parting)
            return sum(differ) >= question.parting or compared >= most
        return compared >= question.agreeing

    def answer(self, question: Question) -> Answer:
        """Run trials until the question is settled, as a laboratory does."""
        self.log.append(question)
        key = tuple(sorted(question.held.items()))
        differ = self.plans.setdefault(key, [])
        shown = {
            "exercised": frozenset(self.used),
            "suspected": tuple(n for n in self.visible if n not in question.held),
        }
        if self.broken or set(self.breaking) & set(question.held):
            return Answer(Verdict.BROKEN, (), broken=self.broken or "it raises", **shown)  # type: ignore[arg-type]
        while not self.settled(question, differ):
            if self.trials >= self.most_trials:
                raise BudgetSpent
            differ.append(bool(differ) and self.differs(question))
        plan = list(self.plans).index(key)
        ids = tuple(f"{plan}-{i}" for i in range(len(differ)))
        verdict = Verdict.DIVERGES if any(differ) else Verdict.AGREES
        return Answer(verdict, ids, len(differ) - 1, sum(differ), **shown)  # type: ignore[arg-type]


def drive(asking: Generator[Question, Answer, Finding], subject: Simulated) -> Finding:
    """Send a search the answers of a simulated subject until it has none to ask for."""
    try:
        question = next(asking)
        while True:
            try:
                answer = subject.answer(question)
            except BudgetSpent:
                question = asking.throw(BudgetSpent())
                continue
            question = asking.send(answer)
    except StopIteration as stop:
        finding: Finding = stop.value
        return finding
