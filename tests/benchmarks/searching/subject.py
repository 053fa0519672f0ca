"""A simulated subject: runs trials in a time of its own, and answers as the laboratory does.

What `nondet.host.laboratory` does with processes is done here with numbers: trials run side by
side, are compared with the first of their plan as far as both have come, stopped at their first
difference, and kept for later questions. A second of a trial is a second of the subject's.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Generator, Mapping
from typing import TypeVar

from nondet.record import Arm
from nondet.search.questions import Answer, BudgetSpent, Question
from nondet.verdict import Verdict
from tests.benchmarks.searching.cases import Case
from tests.search.subjects import answered

Told = TypeVar("Told")

NEVER = 2.0
"""A place that no run reaches: they are over at 1."""


@dataclasses.dataclass(slots=True)
class Run:
    """A trial: what each cause did in it, and how far it has come."""

    name: str
    results: tuple[int, ...]
    """What each cause has given; 0 where it did not act."""
    shift: frozenset[str]
    began: float
    start: float
    work: float
    done: float = 0.0
    """Share of the script's own work behind it."""
    running: bool = True
    parted: bool = False
    matched: bool = False
    extends: bool = False
    reference: str = ""
    seconds: float = 0.0

    @property
    def whole(self) -> bool:
        return self.done >= 1.0

    def when(self, place: float) -> float:
        """The time at which it comes to a place of its work."""
        return self.began + self.start + place * self.work


class Subject:
    """Answers questions about a case; `jobs` trials run side by side."""

    def __init__(self, case: Case, *, jobs: int = 2, most_trials: int = 1000) -> None:
        self.case = case
        self.jobs = jobs
        self.most_trials = most_trials
        self.chance = random.Random(f"{case.family}/{case.seed}/runs")
        self.time = 0.0
        self.seconds = 0.0
        self.runs: list[Run] = []
        self.plans: dict[frozenset[tuple[str, Arm]], list[Run]] = {}
        self.log: list[tuple[Question, Answer]] = []
        self.delays = tuple(cause.delay for cause in case.causes)
        self.fresh = 0

    @property
    def trials(self) -> int:
        return len(self.runs)

    # -- trials

    def start(self, held: Mapping[str, Arm]) -> Run:
        """Begin a trial of a plan."""
        slow = 1.0
        for name in held:
            slow *= self.case.slow.get(name, 1.0)
        run = Run(
            f"t{len(self.runs) + 1}",
            tuple(self._result(i, held) for i in range(len(self.case.causes))),
            self.case.shifting & held.keys(),
            self.time,
            self.case.start * slow,
            self.case.work * slow,
        )
        self.runs.append(run)
        self.plans.setdefault(frozenset(held.items()), []).append(run)
        return run

    def _result(self, index: int, held: Mapping[str, Arm]) -> int:
        cause = self.case.causes[index]
        if any(name in held for name in cause.factors):
            return 0
        if cause.after and cause.after not in held:
            return 0
        if self.chance.random() >= cause.rate:
            return 0
        if cause.outcomes:
            return 1 + self.chance.randrange(cause.outcomes)
        self.fresh += 1
        return self.fresh

    def whole_run(self, held: Mapping[str, Arm]) -> Run:
        """One trial from start to end, with nothing beside it."""
        run = self.start(held)
        self.time = run.when(1.0)
        self._end(run)
        return run

    def apart_at(self, one: Run, other: Run) -> float:
        """The place of their first difference, however far they have come."""
        place = NEVER
        for a, b, delay in zip(one.results, other.results, self.delays, strict=True):
            if a != b and delay < place:
                place = delay
        if one.shift != other.shift:
            place = min(place, 0.0)
        return place

    def _end(self, run: Run) -> None:
        run.running = False
        run.seconds = min(self.time, run.when(1.0)) - run.began
        run.done = min(1.0, max(0.0, (run.seconds - run.start) / run.work))
        if self.time >= run.when(1.0) - 1e-9:
            run.done = 1.0
        self.seconds += run.seconds

    # -- questions

    def ask(self, question: Question) -> Answer:
        """Run trials until the question is settled. Raises BudgetSpent."""
        answer = self._asked(question)
        self.log.append((question, answer))
        return answer

    def _asked(self, question: Question) -> Answer:
        if self.case.breaking & question.held.keys():
            if len(self.runs) >= self.most_trials:
                raise BudgetSpent
            run = self.start(question.held)
            self.time = run.when(0.0)
            self._end(run)
            return self._told(Verdict.BROKEN, [], broken="ValueError: no")
        try:
            while True:
                group = self._listen(question)
                answer = self._answer(question, group)
                if answer is not None:
                    return answer
                self._fill(question, group)
                self._wait(question)
        finally:
            self._stop([run for run in self.runs if run.running])

    def _group(self, question: Question) -> list[Run]:
        group = self.plans.get(frozenset(question.held.items()), [])
        if question.reference is None:
            return list(group)
        of = self.plans.get(frozenset(question.reference.items()), [])
        return [run for run in of if run.whole and not run.running][:1] + group

    def _listen(self, question: Question) -> list[Run]:
        """Compare the trials of a question as far as they have come."""
        group = self._group(question)
        for run in group:
            if run.running:
                run.done = min(1.0, max(0.0, (self.time - run.began - run.start) / run.work))
                if self.time >= run.when(1.0) - 1e-9:
                    self._end(run)
        reference = None
        for run in group:
            run.reference = reference.name if reference is not None else ""
            if reference is not None:
                place = self.apart_at(reference, run)
                run.parted = place <= min(reference.done, run.done) + 1e-9
                run.matched = not run.parted and reference.whole and run.whole
                stopped = not reference.running and not reference.whole
                run.extends = stopped and not run.parted and run.done >= reference.done
            else:
                run.parted = run.matched = run.extends = False
            if reference is None or (run.extends and question.reference is None):
                reference = run
        return group

    def _answer(self, question: Question, group: list[Run]) -> Answer | None:
        parted = [run for run in group if run.parted]
        compared = sum(run.parted or run.matched for run in group)
        most = 2 * max(question.agreeing, question.parting)
        if parted and (len(parted) >= question.parting or compared >= most):
            pair = [group[0], parted[0]]
            if question.to_end and any(run.running for run in pair):
                self._stop([run for run in group if run.running and run not in pair])
                return None
            self._stop([run for run in group if run.running])
            return self._told(Verdict.DIVERGES, group)
        if parted and not question.to_end:
            self._stop([run for run in [group[0], *parted] if run.running])
        done = [run for run in group if run.whole and not run.running]
        if not parted and len(done) >= max(question.agreeing + 1, 2):
            return self._told(Verdict.AGREES, done)
        return None

    def _fill(self, question: Question, group: list[Run]) -> None:
        running = [run for run in group if run.running]
        parted = [run for run in group if run.parted]
        lost = sum(not (run.running or run.whole or run.parted) for run in group)
        wanted = max(question.agreeing + 1, 2) + (len(group) if parted else lost)
        if parted and question.parting <= len(parted):
            return
        room = min(self.jobs - len(running), wanted - len(group))
        if parted:
            comparing = [run for run in running if not run.extends]
            room = min(room, question.parting - len(parted) - len(comparing))
        for _ in range(room):
            if len(self.runs) >= self.most_trials:
                if any(run.running for run in group):
                    return
                raise BudgetSpent
            group.append(self.start(question.held))

    def _wait(self, question: Question) -> None:
        """Until something happens: two trials come to where they part, or one ends."""
        group = self._group(question)
        moments = [run.when(1.0) for run in group if run.running]
        reference = None
        for run in group:
            if reference is not None and run.running:
                place = self.apart_at(reference, run)
                moments.append(run.when(min(place, 1.0)))
                if reference.running:
                    moments.append(reference.when(min(place, 1.0)))
                elif not reference.whole:
                    moments.append(run.when(reference.done))
            if reference is None or (run.extends and question.reference is None):
                reference = run
        self.time = min(moment for moment in moments if moment > self.time + 1e-9)

    def _stop(self, runs: list[Run]) -> None:
        for run in runs:
            if run.running:
                self._end(run)

    def _told(self, verdict: Verdict, group: list[Run], broken: str = "") -> Answer:
        case = self.case
        parted = [run for run in group if run.parted]
        stopped = [run.seconds for run in self.runs if run.parted and not run.whole]
        whole = [run.seconds for run in self.runs if run.whole]
        return Answer(
            verdict,
            tuple(run.name for run in group),
            comparisons=sum(run.parted or run.matched for run in group),
            divergences=len(parted),
            exercised=case.used,
            suspected=case.visible,
            leads=case.leads,
            settled=case.settled,
            broken=broken,
            alike=self._alike(group),
            stopped_share=sum(stopped) * len(whole) / len(stopped) / sum(whole)
            if stopped and whole
            else 0.0,
        )

    def _alike(self, group: list[Run]) -> tuple[int, ...]:
        told = {run.reference for run in group if run.parted}
        telling = [run for run in group if run.parted or run.whole or run.name in told]
        alike: list[list[Run]] = []
        for run in sorted(telling, key=lambda run: -run.done):
            for others in alike:
                first = others[0]
                if self.apart_at(first, run) > min(first.done, run.done) + 1e-9:
                    others.append(run)
                    break
            else:
                alike.append([run])
        return tuple(sorted((len(others) for others in alike), reverse=True))


def drive(
    asking: Generator[Question, Answer, Told],
    subject: Subject,
    watch: Callable[[], None] = lambda: None,
) -> Told:
    """Send a search the answers of a simulated subject until it has none to ask for. `watch` is
    called before each question is answered."""

    def answer(question: Question) -> Answer:
        watch()
        return subject.ask(question)

    return answered(asking, answer)
