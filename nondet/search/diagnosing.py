"""The search of ``nondet diagnose``: which sources break a subject, proven both ways.

Asked in this order, every question of trials in fresh processes:

1. Does it repeat as it is? If so, that is the answer.
2. Do the factors that were *seen* to vary explain it? They alone are pinned. If not, do those that
   the script's own lines use as well, where it can't be seen whether it matters?
3. If not: can it be held at all? Everything known is pinned; then the smallest set is looked for.
4. With only the causes pinned, the runs must agree, as often as the confidence asks for.
5. With any one of the causes let go, they must part: what isn't needed is no cause.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterable, Sequence

from nondet import stats
from nondet.record import Arm
from nondet.search.minimal import minimal_set
from nondet.search.questions import Answer, BudgetSpent, Candidate, Finding, Guilt, Question
from nondet.verdict import Verdict

Asking = Generator[Question, Answer, bool]

SEEN, UNSEEN = 50.0, 150.0
"""Evidence ratio that a claim needs: less for a factor that was also seen to vary."""


@dataclasses.dataclass(frozen=True)
class Goal:
    """How sure the answer must be."""

    confidence: float = 0.95
    rate: float = 0.5
    """Smallest divergence rate that must not be missed."""

    @property
    def comparisons(self) -> int:
        return stats.comparisons_needed(self.rate, self.confidence)


class Search:
    """One diagnosis. `run` is the generator; `finding` is right at any moment."""

    def __init__(
        self,
        sources: Sequence[Candidate],
        consumers: Sequence[Candidate] = (),
        goal: Goal | None = None,
    ) -> None:
        self.sources = {source.name: source for source in sources}
        self.consumers = {consumer.name: consumer for consumer in consumers}
        self.goal = goal or Goal()
        self.needed = self.goal.comparisons
        self.finding = Finding()
        self.last: Answer | None = None
        self.broken_pins: dict[str, str] = {}
        self.exercised: frozenset[str] = frozenset()
        self.settled: frozenset[str] = frozenset()
        self.suspects: tuple[str, ...] = ()
        self.quick = 1
        """Agreeing comparisons after which a suspect that was let go counts as not needed."""
        self.parted: dict[frozenset[str], Answer] = {}

    def run(self) -> Generator[Question, Answer, Finding]:
        """Yields questions, is sent their answers, returns the finding."""
        try:
            yield from self._run()
        except BudgetSpent:
            self._know(verdict="unsure")
        return self.finding

    def _run(self) -> Generator[Question, Answer, None]:
        free = yield from self._ask("Does it repeat as it is?", {}, self.needed, to_end=True)
        self._know(free_trials=free.trials)
        if free.verdict is Verdict.BROKEN:
            self._know(verdict="broken", broken=free.broken)
            return
        if free.verdict is Verdict.AGREES:
            self._know(
                verdict="reproducible",
                verified=free.trials,
                comparisons=free.comparisons,
                cleared=dict.fromkeys([*self.sources, *self.consumers], free.trials),
            )
            return
        if free.verdict is Verdict.UNSURE:
            return
        self._expect(free)
        self.suspects = free.suspected
        causes = yield from self._causes(free)
        if causes is None:
            return
        yield from self._prove(causes)

    # -- asking

    def _ask(
        self,
        text: str,
        held: dict[str, Arm],
        agreeing: int,
        *,
        parting: int = 1,
        to_end: bool = False,
    ) -> Generator[Question, Answer, Answer]:
        answer = yield Question(text, held, agreeing, parting, to_end=to_end)
        self.last = answer
        self.exercised, self.settled = answer.exercised, answer.settled
        return answer

    def _agrees(self, text: str, held: dict[str, Arm], agreeing: int) -> Asking:
        """Whether the plan's trials agree. A plan that can't run agrees with nothing."""
        answer = yield from self._ask(text, held, agreeing)
        return answer.verdict is Verdict.AGREES

    def _expect(self, free: Answer) -> None:
        """A source that acts rarely needs more trials before its absence means anything."""
        seen = free.divergences / max(1, free.comparisons)
        rate = min(self.goal.rate, max(seen, 0.05))
        self.needed = stats.comparisons_needed(rate, self.goal.confidence)
        if seen < 1:
            self.quick = self.needed

    def _know(self, **changes: object) -> None:
        self.finding = dataclasses.replace(self.finding, **changes)  # type: ignore[arg-type]

    def _pinnable(self, names: Iterable[str]) -> dict[str, Arm]:
        return {name: "pinned" for name in names if name not in self.broken_pins}

    # -- finding a set of pins that holds

    def _causes(self, free: Answer) -> Generator[Question, Answer, dict[str, Arm] | None]:
        suspects = self._pinnable(n for n in self.sources if n in free.suspected)
        if suspects:
            text = f"Does pinning {enumerate_names(suspects)} alone hold it?"
            if (yield from self._agrees(text, suspects, 1)):
                return suspects
        leads = self._pinnable(n for n in self.sources if n in free.leads and n not in suspects)
        if leads:
            plan = self._pinnable(n for n in self.sources if n in suspects or n in leads)
            text = f"Does pinning {enumerate_names(leads)} as well hold it?"
            if not suspects:
                text = f"Does pinning {enumerate_names(leads)} hold it?"
            if (yield from self._agrees(text, plan, 1)):
                return (yield from self._narrow(suspects, list(leads), plan, 1))
        everything = yield from self._hold_everything()
        if everything is None:
            return None
        background = {name: arm for name, arm in suspects.items() if name in everything}
        rest = [name for name in everything if name not in background]
        return (yield from self._narrow(background, rest, everything, 1))

    def _hold_everything(self) -> Generator[Question, Answer, dict[str, Arm] | None]:
        """A plan that holds: all sources, else consumers as well, else consumers switched off."""
        used = self._used()
        every = used + [n for n in self.sources if n not in used]
        open_ = [n for n in used if n not in self.settled]
        drawing = [n for n in self.consumers if n in self.exercised] or list(self.consumers)
        tiers: list[tuple[str, list[str], list[str], Arm]] = [
            ("Is it something that no trial could see? That is pinned", open_, [], "pinned"),
            ("Can it be held at all? Everything known is pinned", used, [], "pinned"),
            ("Not held. Is it something not seen in use? All is pinned", every, [], "pinned"),
            ("Nothing known holds it. Do fixed draws?", every, drawing, "pinned"),
            ("Still not held. Does switching off what draws?", every, drawing, "ablated"),
        ]
        answer, asked = self.last, []
        for text, pinned, names, arm in tiers:
            plan = self._pinnable(pinned) | {n: arm for n in names if n not in self.broken_pins}
            if not plan or plan in asked:
                continue
            asked.append(plan)
            answer = yield from self._ask(text, plan, 1)
            if answer.verdict is Verdict.BROKEN:
                answer = yield from self._drop_breaking_pins(text, plan, answer)
                plan = {n: a for n, a in plan.items() if n not in self.broken_pins}
            if answer.verdict is Verdict.AGREES:
                return plan
        trials = answer.trials if answer is not None else ()
        self._know(verdict="unresolved", pinned_trials=trials)
        return None

    def _used(self) -> list[str]:
        """Sources in use, those seen to be held by the script itself last: it is hardly they."""
        used = [n for n in self.sources if n in self.exercised]
        return [n for n in used if n not in self.settled] + [n for n in used if n in self.settled]

    def _drop_breaking_pins(
        self, text: str, plan: dict[str, Arm], answer: Answer
    ) -> Generator[Question, Answer, Answer]:
        """Do without the pins that break the script: those that the failure names, else the most
        intrusive one without which it runs."""
        left = dict(plan)
        while answer.verdict is Verdict.BROKEN and len(left) > 1:
            blamed = [name for name in answer.blamed if name in left]
            if not blamed:
                return (yield from self._drop_one(left, answer))
            for name in blamed:
                del left[name]
                self._breaks(name, answer)
            if left:
                answer = yield from self._ask(f"{text}, less what breaks the script", left, 1)
        return answer

    def _drop_one(self, plan: dict[str, Arm], whole: Answer) -> Generator[Question, Answer, Answer]:
        for name in reversed(list(plan)):
            without = {n: a for n, a in plan.items() if n != name}
            answer = yield from self._ask(f"Does pinning {name} break it?", without, 1)
            if answer.verdict is not Verdict.BROKEN:
                self._breaks(name, whole)
                return answer
        return whole

    def _breaks(self, name: str, answer: Answer) -> None:
        ours = "did not take" in answer.broken
        why = "its pin has no effect here" if ours else "pinning it breaks the script"
        self.broken_pins[name] = f"{why}: {answer.broken}"
        self._know(not_tested=dict(self.broken_pins))

    def _narrow(
        self, background: dict[str, Arm], rest: list[str], arms: dict[str, Arm], agreeing: int
    ) -> Generator[Question, Answer, dict[str, Arm]]:
        """The smallest addition to `background` that holds."""

        def holds(names: tuple[str, ...]) -> Asking:
            plan = background | {name: arms[name] for name in names}
            if not plan:
                return False
            text = f"Is pinning {enumerate_names(plan)} enough?"
            return (yield from self._agrees(text, ordered(plan, arms), agreeing))

        found = yield from minimal_set(rest, holds)
        return ordered(background | {name: arms[name] for name in found}, arms)

    # -- proving it both ways

    def _screen(self, causes: dict[str, Arm]) -> Generator[Question, Answer, dict[str, Arm]]:
        """Drop the suspects without which two trials repeat as well, before the costly proof. The
        proof would notice a lucky pair; what a narrowing has added is minimal already."""
        for name in [n for n in causes if n in self.suspects]:
            others = {n: a for n, a in causes.items() if n != name}
            if len(causes) > 1 and (yield from self._let_go(name, others, self.quick)) is None:
                causes = others
        return causes

    def _prove(self, found: dict[str, Arm]) -> Generator[Question, Answer, None]:
        """Verify that the causes' pins hold and that each is needed; widen or shrink until so."""
        causes: dict[str, Arm] | None = yield from self._screen(found)
        while causes is not None:
            text = f"Does it repeat with only {enumerate_names(causes)} pinned?"
            answer = yield from self._ask(text, causes, self.needed)
            if answer.verdict is not Verdict.AGREES:
                causes = yield from self._widen(causes, answer)
                continue
            self._hold(causes, answer)
            spare, claims = yield from self._claims(causes)
            if spare is not None:
                causes = {name: arm for name, arm in causes.items() if name != spare}
                continue
            if len(claims) < len(causes):
                self._know(verdict="unsure", note="not every cause could be proven needed")
                return
            # A source that acts in some runs only is held by luck as long as too few agree.
            more = max(claims.values())
            if more > answer.comparisons:
                self.needed = more
                continue
            self._know(verdict="causes-found")
            yield from self._look_for_alternatives(causes)
            return

    def _hold(self, causes: dict[str, Arm], answer: Answer) -> None:
        free = [n for n in [*self.sources, *self.consumers] if n not in causes]
        self._know(
            verified=answer.trials,
            comparisons=answer.comparisons,
            cleared=dict.fromkeys(free, answer.trials),
        )

    def _widen(
        self, causes: dict[str, Arm], answer: Answer
    ) -> Generator[Question, Answer, dict[str, Arm] | None]:
        """These pins did not hold after all: something acts now and then. Look more patiently."""
        self._know(guilty=(), verified=(), comparisons=0, cleared={})
        # A cause that acts now and then may have been let go after a lucky pair.
        self.quick = self.needed
        arms = self._pinnable(self._used()) | causes
        if answer.verdict is Verdict.UNSURE or arms.keys() == causes.keys():
            self._know(verdict="unresolved", pinned_trials=answer.trials)
            return None
        if answer.verdict is Verdict.DIVERGES:
            self._expect(answer)
        text = "Something acts now and then. Does everything known hold it?"
        answer = yield from self._ask(text, arms, self.needed)
        if answer.verdict is not Verdict.AGREES:
            self._know(verdict="unresolved", pinned_trials=answer.trials)
            return None
        seen = {n: arm for n, arm in causes.items() if n in self.suspects}
        rest = [n for n in arms if n not in seen]
        return (yield from self._narrow(seen, rest, arms, self.needed))

    def _claims(
        self, causes: dict[str, Arm]
    ) -> Generator[Question, Answer, tuple[str | None, dict[str, int]]]:
        """Let each cause go in turn. A cause without which it repeats as well is returned first;
        for the others, the agreeing comparisons that the claim needs."""
        guilty: list[Guilt] = []
        claims: dict[str, int] = {}
        for name, arm in causes.items():
            others = {n: a for n, a in causes.items() if n != name}
            answer = yield from self._let_go(name, others, self.needed)
            if answer is None:
                return name, {}
            if answer.verdict is not Verdict.DIVERGES:
                continue
            ratio = SEEN if name in self.suspects else UNSEEN
            claims[name] = stats.agreeing_needed(answer.divergences, answer.comparisons, ratio)
            guilty.append(Guilt(name, answer.trials, self.finding.verified, arm))
            self._know(guilty=tuple(guilty))
        return None, claims

    def _let_go(
        self, name: str, others: dict[str, Arm], agreeing: int
    ) -> Generator[Question, Answer, Answer | None]:
        """The answer to the other causes' pins alone; None when the runs agree without this one."""
        answer = self.parted.get(frozenset(others))
        if answer is None:
            parting = 2 if name in self.suspects else 3
            text = f"Is {name} needed? It alone is let go"
            answer = yield from self._ask(text, others, agreeing, parting=parting)
        if answer.verdict is Verdict.DIVERGES:
            self.parted[frozenset(others)] = answer
        return None if answer.verdict is Verdict.AGREES else answer

    def _look_for_alternatives(self, causes: dict[str, Arm]) -> Generator[Question, Answer, None]:
        """Where another factor may hold the same kind of difference, see whether it does."""
        found = []
        for name in causes:
            source = self.sources.get(name)
            for other in source.instead if source else ():
                if other in causes or other not in self._pinnable(self.sources):
                    continue
                plan = {n: a for n, a in causes.items() if n != name} | {other: "pinned"}
                text = f"Would {other} do in place of {name}?"
                if (yield from self._agrees(text, plan, 1)):
                    found.append(tuple(plan))
                    self._know(alternatives=tuple(found))


def ordered(plan: dict[str, Arm], like: dict[str, Arm]) -> dict[str, Arm]:
    """The plan with its factors in the order of `like`, so that equal plans look equal."""
    return {name: plan[name] for name in like if name in plan}


def enumerate_names(names: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    listed = list(names)
    if len(listed) < 2:
        return "".join(listed)
    return ", ".join(listed[:-1]) + " and " + listed[-1]
