"""Simulated subjects: answer a search's questions from planted causes, with no process."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Generator
from typing import TypeVar

from nondet.search.questions import Answer, BudgetSpent, Question
from nondet.verdict import Verdict


@dataclasses.dataclass
class Simulated:
    """A subject that diverges when every factor of one of `causes` is left unpinned.

    A cause is a tuple of factors of which any one pin suffices. `rates` gives the probability that
    a cause acts in a comparison. `visible` factors are seen to vary, `leads` are seen in the
    script's own lines, `dormant` ones part the runs when varied, `breaking` pins crash the script
    and are named by the failure when `blames` is true.
    """

    causes: tuple[tuple[str, ...], ...] = ()
    rates: tuple[float, ...] = ()
    visible: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    dormant: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    breaking: tuple[str, ...] = ()
    blames: bool = False
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
        if any(question.held.get(name) == "varied" for name in self.dormant):
            return True
        rates = self.rates or (1.0,) * len(self.causes)
        return any(
            not set(cause) & set(question.held) and self.random.random() < rate
            for cause, rate in zip(self.causes, rates, strict=True)
        )

    @staticmethod
    def parted(question: Question, differ: list[bool]) -> list[bool]:
        """Which trials differ from the one that they are compared with, itself left out."""
        if question.reference is not None:
            return differ
        return [one or differ[0] for one in differ[1:]]

    def settled(self, question: Question, differ: list[bool]) -> bool:
        parted = self.parted(question, differ)
        if any(parted):
            most = 2 * max(question.agreeing, question.parting)
            return sum(parted) >= question.parting or len(parted) >= most
        return len(parted) >= question.agreeing

    def answer(self, question: Question) -> Answer:
        """Run trials until the question is settled, as a laboratory does."""
        self.log.append(question)
        key = tuple(sorted(question.held.items()))
        differ = self.plans.setdefault(key, [])
        shown = {
            "exercised": frozenset(self.used),
            "suspected": tuple(n for n in self.visible if n not in question.held),
            "leads": tuple(n for n in self.leads if n not in question.held),
        }
        if self.broken or set(self.breaking) & set(question.held):
            blamed = tuple(n for n in self.breaking if n in question.held) if self.blames else ()
            why = self.broken or "it raises"
            return Answer(Verdict.BROKEN, (), broken=why, blamed=blamed, **shown)  # type: ignore[arg-type]
        while not self.settled(question, differ):
            if self.trials >= self.most_trials:
                raise BudgetSpent
            # The first trial of a plan is what the others are compared with.
            alone = not differ and question.reference is None
            differ.append(not alone and self.differs(question))
        plan = list(self.plans).index(key)
        ids = tuple(f"{plan}-{i}" for i in range(len(differ)))
        parted = self.parted(question, differ)
        verdict = Verdict.DIVERGES if any(parted) else Verdict.AGREES
        equal = differ.count(False)
        alike = tuple(size for size in (equal, *[1] * sum(differ)) if size)
        return Answer(
            verdict,
            ids if question.reference is None else ("reference", *ids),
            len(parted),
            sum(parted),
            alike=alike,
            **shown,  # type: ignore[arg-type]
        )


Told = TypeVar("Told")


def drive(asking: Generator[Question, Answer, Told], subject: Simulated) -> Told:
    """Send a search the answers of a simulated subject until it has none to ask for."""
    return answered(asking, subject.answer)


def answered(
    asking: Generator[Question, Answer, Told], answer: Callable[[Question], Answer]
) -> Told:
    """Send a search these answers until it has none to ask for."""
    try:
        question = next(asking)
        while True:
            try:
                told = answer(question)
            except BudgetSpent:
                question = asking.throw(BudgetSpent())
                continue
            question = asking.send(told)
    except StopIteration as stop:
        found: Told = stop.value
        return found
