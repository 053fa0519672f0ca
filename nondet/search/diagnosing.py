"""The search of ``nondet diagnose``: which sources break a subject, proven both ways.

Asked in this order, every question of trials in fresh processes:

1. Does it repeat as it is? If so, that is the answer.
2. Do the factors that were *seen* to vary explain it? They alone are pinned. If not, do those that
   the script's own lines use as well, where it can't be seen whether it matters?
3. If not: can it be held at all? Everything known is pinned; then the smallest set is looked for.
4. With any one of the causes let go, the runs must part: what isn't needed is no cause.
5. With only the causes pinned, they must agree, as often as the confidence asks for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Generator, Iterable, Sequence

from nondet import stats
from nondet.naming import enumerated
from nondet.record import Arm
from nondet.search import splitting
from nondet.search.knowledge import EXPECTED, WEIGHTS, Knowledge, Tally, agreeing_against
from nondet.search.questions import Answer, BudgetSpent, Candidate, Finding, Guilt, Question
from nondet.verdict import Verdict

Asking = Generator[Question, Answer, bool]

SEEN, UNSEEN = 50.0, 150.0
"""Evidence ratio that a claim needs: less for a factor that was also seen to vary."""
LUCK = 0.1
"""Probability up to which a factor may be let go by luck while the search narrows down. The proof
notices, which costs a second look."""
FORMER = 0.5
"""What a comparison counts for when a part of its group is looked at."""
SURE = 0.8
"""Probability at which a factor is taken for a cause, and put to the proof."""
STEP = 2
"""Agreeing comparisons asked for at once while the search narrows down."""
AGAIN = 8
"""How often the proof may send the search back before it gives up."""
PARTING = 2
"""Diverging comparisons asked for where one would do: they tell what acts always from what acts
now and then, and cost little."""
ALTERNATIVES = 4
"""Further sets of pins that are looked for at most."""


@dataclasses.dataclass(frozen=True)
class Goal:
    """How sure the answer must be."""

    confidence: float = 0.95
    rate: float = 0.5
    """Smallest rate of divergence that must not be missed: the share of runs whose result is not
    the commonest one. Two equally common results make one half."""
    alternatives: bool = False
    """Whether every smallest set of pins is of interest, not only those known to be likely."""

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
        self.known = Knowledge()
        self.broken_pins: dict[str, str] = {}
        self.exercised: frozenset[str] = frozenset()
        self.settled: frozenset[str] = frozenset()
        self.suspects: tuple[str, ...] = ()
        self.leads: tuple[str, ...] = ()
        self.base: dict[str, Arm] = {}
        """A plan whose trials agree, with all that is pinned in those asked about; else empty."""
        self.quick = 1
        """Agreeing comparisons after which what was let go counts as not needed, for the moment."""
        self.tally = Tally()
        """How often the difference that is being looked for was seen."""
        self.tries = 0
        """How often a proof was upset."""

    def run(self) -> Generator[Question, Answer, Finding]:
        """Yields questions, is sent their answers, returns the finding. When the budget is spent,
        what has been established stands: a verdict, or none yet, which is ``unsure``."""
        with contextlib.suppress(BudgetSpent):
            yield from self._run()
        return self.finding

    def _run(self) -> Generator[Question, Answer, None]:
        free = yield from self._ask("Does it repeat as it is?", {}, self.needed, parting=PARTING)
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
        self.suspects, self.leads = free.suspected, free.leads
        self._heed(free)
        causes = yield from self._causes()
        if causes is not None:
            yield from self._prove(causes)

    # -- asking

    def _ask(
        self,
        text: str,
        held: dict[str, Arm],
        agreeing: int,
        *,
        parting: int = 1,
        reference: dict[str, Arm] | None = None,
    ) -> Generator[Question, Answer, Answer]:
        question = Question(text, held, agreeing, parting, reference)
        answer = yield question
        self.known.take_in(question, answer)
        self.exercised, self.settled = answer.exercised, answer.settled
        return answer

    def _holds(
        self, text: str, held: dict[str, Arm], agreeing: int = 0, former: float = 0.0
    ) -> Asking:
        """Whether a plan's trials agree. A plan that can't run agrees with nothing.

        One that equals a trial of the base plan saves the second trial of its own. One that
        doesn't may be of a plan that gives another result, each time the same.
        """
        agreeing = agreeing or self.quick
        if self._comparable(held):
            answer = yield from self._ask(text, held, agreeing, reference=self.base)
            if answer.verdict is not Verdict.DIVERGES:
                return answer.verdict is Verdict.AGREES
        answer = yield from self._ask(text, held, agreeing, parting=PARTING)
        if answer.verdict is Verdict.AGREES:
            self.base = held
        elif answer.verdict is Verdict.DIVERGES:
            self._heed(answer, former)
        return answer.verdict is Verdict.AGREES

    def _comparable(self, held: dict[str, Arm]) -> bool:
        if not self.base or self.known.of(held) is not None:
            return False
        chained = [c.name for c in self.sources.values() if c.chained]
        return all(name in held for name in chained if name in self.exercised)

    def _heed(self, answer: Answer, former: float = 0.0) -> None:
        """What acts rarely needs more trials before its absence means anything."""
        self.tally = self.tally.with_(answer, former)
        self.quick = self.tally.patience(LUCK)

    def _know(self, **changes: object) -> None:
        self.finding = dataclasses.replace(self.finding, **changes)  # type: ignore[arg-type]

    def _pinnable(self, names: Iterable[str]) -> dict[str, Arm]:
        return {name: "pinned" for name in names if name not in self.broken_pins}

    # -- finding a set of pins that holds

    def _causes(self) -> Generator[Question, Answer, dict[str, Arm] | None]:
        suspects = self._pinnable(n for n in self.sources if n in self.suspects)
        if suspects:
            text = f"Does pinning {enumerated(suspects)} alone hold it?"
            if (yield from self._holds(text, suspects)):
                return suspects
        leads = self._pinnable(n for n in self.sources if n in self.leads and n not in suspects)
        if leads:
            plan = self._pinnable(n for n in self.sources if n in suspects or n in leads)
            text = f"Does pinning {enumerated(leads)} as well hold it?"
            if not suspects:
                text = f"Does pinning {enumerated(leads)} hold it?"
            if (yield from self._holds(text, plan)):
                return (yield from self._narrow(suspects, plan))
        everything = yield from self._hold_everything()
        if everything is None:
            return None
        background = {name: arm for name, arm in suspects.items() if name in everything}
        return (yield from self._narrow(background, everything))

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
        answer, asked = self.known.latest, []
        for text, pinned, names, arm in tiers:
            plan = self._pinnable(pinned) | {n: arm for n in names if n not in self.broken_pins}
            if not plan or plan in asked:
                continue
            asked.append(plan)
            answer = yield from self._ask(text, plan, self.quick)
            if answer.verdict is Verdict.BROKEN:
                answer = yield from self._drop_breaking_pins(text, plan, answer)
                plan = {n: a for n, a in plan.items() if n not in self.broken_pins}
            if answer.verdict is Verdict.AGREES:
                self.base = plan
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
                text_ = f"{text}, less what breaks the script"
                answer = yield from self._ask(text_, left, self.quick)
        return answer

    def _drop_one(self, plan: dict[str, Arm], whole: Answer) -> Generator[Question, Answer, Answer]:
        for name in reversed(list(plan)):
            without = {n: a for n, a in plan.items() if n != name}
            answer = yield from self._ask(f"Does pinning {name} break it?", without, self.quick)
            if answer.verdict is not Verdict.BROKEN:
                self._breaks(name, whole)
                return answer
        return whole

    def _breaks(self, name: str, answer: Answer) -> None:
        ours = "did not take" in answer.broken
        why = "its pin has no effect here" if ours else "pinning it breaks the script"
        self.broken_pins[name] = f"{why}: {answer.broken}"
        self._know(not_tested=dict(self.broken_pins))

    # -- narrowing it down

    def _narrow(
        self, found: dict[str, Arm], arms: dict[str, Arm]
    ) -> Generator[Question, Answer, dict[str, Arm]]:
        """The smallest addition to `found` that holds, given that `arms` do.

        What is let go stays free as long as the rest holds it; what the runs part without is
        pinned for good. Where either of two would do, the later one is let go first.
        """
        pool = [name for name in arms if name not in found]
        found = dict(found)
        while pool:
            if found:
                text = f"Is pinning {enumerated(found)} enough?"
                if (yield from self._holds(text, ordered(found, arms))):
                    break
            name = yield from self._one_cause(found, pool, arms)
            found[name] = arms[name]
            pool.remove(name)
        return ordered(found, arms)

    def _one_cause(
        self, found: dict[str, Arm], pool: list[str], arms: dict[str, Arm]
    ) -> Generator[Question, Answer, str]:
        """One factor of the pool that is needed, as far as can be told before the proof.

        The runs part when all of the pool is let go. Some of it is, by what that costs and how
        likely each factor is the one. Where they part still, it is among those let go. Where they
        don't, these are the less likely, the more such trials there are.
        """
        group, outside = pool, list[str]()
        while True:
            shares = self._shares(group, found)
            group = self._likeliest_first(group, shares)
            if len(group) == 1 or shares[group[0]] >= SURE:
                return group[0]
            middle = self._split([EXPECTED * shares[name] for name in group], not outside)
            kept, rest = group[:middle], group[middle:]
            plan = found | {name: arms[name] for name in [*outside, *kept]}
            text = f"Is it held without {enumerated(rest, 3)}?"
            more = self.known.compared(plan) + min(self.quick, STEP)
            if not (yield from self._holds(text, ordered(plan, arms), more, FORMER)):
                group, outside = rest, outside + kept

    def _split(self, chances: Sequence[float], alone: bool) -> int:
        """How many of a group to keep pinned."""
        return splitting.keep(chances, self._cost_of_parting(), self._cost_of_agreeing(), alone)

    def _cost_of_parting(self) -> float:
        """What it costs to see two trials part, in whole runs: those before it that agree too."""
        rate = self.tally.rate
        before = min((1 - rate) / rate, float(self.quick))
        return before + 2 * self.known.share

    def _cost_of_agreeing(self) -> float:
        return float(self.quick + (not self.base))

    def _shares(self, group: Sequence[str], found: Iterable[str]) -> dict[str, float]:
        """How likely each is the one, given that one is."""
        kinds, given = self._kinds(), set(found)
        weights = {
            name: WEIGHTS[kinds[name]] * self.tally.luck(self.known.exposed(name, given))
            for name in group
        }
        total = math.fsum(weights.values())
        return {name: weight / total for name, weight in weights.items()}

    def _likeliest_first(self, names: Iterable[str], shares: dict[str, float]) -> list[str]:
        pins = {**self.sources, **self.consumers}

        def place(name: str) -> tuple[float, bool]:
            return -round(shares[name], 4), pins[name].pin != "faithful"

        return sorted(names, key=place)

    def _kinds(self) -> dict[str, str]:
        """What was seen of each factor."""
        kinds = {}
        for name in (*self.sources, *self.consumers):
            if name in self.suspects:
                kinds[name] = "suspect"
            elif name in self.leads:
                kinds[name] = "lead"
            elif name not in self.exercised:
                kinds[name] = "idle"
            else:
                kinds[name] = "settled" if name in self.settled else "open"
        return kinds

    # -- proving it both ways

    def _prove(self, found: dict[str, Arm]) -> Generator[Question, Answer, None]:
        """Verify that each cause is needed and that their pins hold; widen or shrink until so."""
        causes = yield from self._needed_ones(found)
        upset = yield from self._verify(causes)
        while upset is not None and self.tries < AGAIN:
            wider = yield from self._widen(*upset)
            if wider is None:
                return
            self.tries += 1
            causes = yield from self._needed_ones(wider)
            upset = yield from self._verify(causes)
        if upset is not None:
            self._know(verdict="unsure", note="what acts now and then could not be pinned down")
        elif self.finding.guilty:
            self._know(verdict="causes-found")
            yield from self._look_for_alternatives()
        else:
            self._know(verdict="unsure", note="not every cause could be proven needed")

    def _needed_ones(self, causes: dict[str, Arm]) -> Generator[Question, Answer, dict[str, Arm]]:
        """Those without which the runs part. Let go one after the other before the costly proof,
        which would notice one that was dropped after a lucky pair."""
        causes = yield from self._parts(causes)
        for name in list(causes):
            others = {n: a for n, a in causes.items() if n != name}
            if not others:
                break
            answer = self.known.of(others)
            if answer is not None and answer.verdict is Verdict.DIVERGES:
                continue
            text = f"Is {name} needed? It alone is let go"
            if (yield from self._holds(text, others)):
                causes = others
        return causes

    def _parts(self, causes: dict[str, Arm]) -> Generator[Question, Answer, dict[str, Arm]]:
        """The same with the part of a pin in place of the whole of it, where that is enough."""
        for name in list(causes):
            source = self.sources.get(name)
            parts = [n for n in (source.includes if source else ()) if n in self.sources]
            if not self._pinnable(parts):
                continue
            others = {n: arm for n, arm in causes.items() if n != name}
            smaller = self._pinnable(parts) | others
            text = f"Would {enumerated(parts)} do in place of {name}?"
            if (yield from self._holds(text, smaller)):
                causes = smaller
        return causes

    def _verify(
        self, causes: dict[str, Arm]
    ) -> Generator[Question, Answer, tuple[dict[str, Arm], Answer] | None]:
        """Put causes to the proof. When it succeeds, they are the finding's. What is returned are
        pins that don't hold after all, with the answer that says so."""
        needed = self._agreeing_needed()
        while True:
            partings = yield from self._partings(causes, needed)
            spare = [n for n, told in partings.items() if told.verdict is Verdict.AGREES]
            if spare:
                causes = {n: a for n, a in causes.items() if n != spare[0]}
                continue
            if any(told.verdict is not Verdict.DIVERGES for told in partings.values()):
                return None
            for name, parting in partings.items():
                ratio = SEEN if name in self.suspects else UNSEEN
                needed = max(needed, agreeing_against(parting, ratio))
            text = f"Does it repeat with only {enumerated(causes)} pinned?"
            answer = yield from self._ask(text, causes, needed)
            if answer.verdict is not Verdict.AGREES:
                return causes, answer
            self._hold(causes, answer, partings)
            return None

    def _agreeing_needed(self) -> int:
        """Agreeing comparisons that the causes' pins must stand. Where something acts now and then,
        or has upset a proof before, another source of that kind may hide: less is left to luck."""
        luck = (1 - self.goal.confidence) / (1 + self._rare() + self.tries)
        return max(self.needed, stats.comparisons_needed(self.goal.rate, 1 - luck))

    def _rare(self) -> bool:
        """Whether something acts now and then, or may, as far as the goal says."""
        return self.goal.rate < 0.5 or any(
            told.apart < told.seen and told.verdict is Verdict.DIVERGES
            for told in self.known.answers.values()
        )

    def _partings(
        self, causes: dict[str, Arm], needed: int
    ) -> Generator[Question, Answer, dict[str, Answer]]:
        """Each cause with the trials in which it alone was let go."""
        found = {}
        for name in causes:
            others = {n: a for n, a in causes.items() if n != name}
            ratio = SEEN if name in self.suspects else UNSEEN
            parting = 1
            while stats.agreeing_needed(parting, parting, ratio) > needed:
                parting += 1
            text = f"Is {name} needed? It alone is let go"
            found[name] = yield from self._ask(text, others, needed, parting=parting)
        return found

    def _hold(self, causes: dict[str, Arm], answer: Answer, partings: dict[str, Answer]) -> None:
        free = [n for n in [*self.sources, *self.consumers] if n not in causes]
        self._know(
            verified=answer.trials,
            comparisons=answer.comparisons,
            cleared=dict.fromkeys(free, answer.trials),
            guilty=tuple(
                Guilt(name, partings[name].trials, answer.trials, arm)
                for name, arm in causes.items()
            ),
        )

    def _widen(
        self, causes: dict[str, Arm], answer: Answer
    ) -> Generator[Question, Answer, dict[str, Arm] | None]:
        """These pins did not hold after all: something acts now and then. Look more patiently."""
        self._know(guilty=(), verified=(), comparisons=0, cleared={})
        arms = self._pinnable(self._used()) | causes
        if answer.verdict is not Verdict.DIVERGES or arms.keys() == causes.keys():
            self._know(verdict="unresolved", pinned_trials=answer.trials)
            return None
        seen = answer.apart / max(1, answer.seen)
        rate = min(self.goal.rate, max(seen, 0.05))
        self.needed = max(self.needed, stats.comparisons_needed(rate, self.goal.confidence))
        self._heed(answer)
        text = "Something acts now and then. Does everything known hold it?"
        whole = yield from self._ask(text, arms, self.needed if self.tries else self.quick)
        if whole.verdict is not Verdict.AGREES:
            self._know(verdict="unresolved", pinned_trials=whole.trials)
            return None
        self.base = arms
        return (yield from self._narrow(causes, arms))

    def _look_for_alternatives(self) -> Generator[Question, Answer, None]:
        """Further smallest sets of pins. Where the runs part with all pinned but one cause, nothing
        can stand in for it; else every one of them costs as much as a proof."""
        causes = {guilt.factor: guilt.arm for guilt in self.finding.guilty}
        for name in causes:
            source = self.sources.get(name)
            instead = [n for n in (source.instead if source else ()) if n not in causes]
            others = {n: a for n, a in causes.items() if n != name}
            told = self.known.of(others)
            wanted = self.goal.alternatives and told is not None and self._always(told)
            for other in self._pinnable(n for n in instead if n in self.sources):
                plan = others | {other: "pinned"}
                if (yield from self._holds(f"Would {other} do in place of {name}?", plan)):
                    self._add_alternative(plan)
            if wanted:
                yield from self._stand_ins(name, others, instead)

    def _always(self, told: Answer) -> bool:
        """Whether nothing says that what parted these trials acts in some runs only."""
        return not self._rare() and told.apart == told.seen

    def _stand_ins(
        self, name: str, others: dict[str, Arm], tried: Sequence[str]
    ) -> Generator[Question, Answer, None]:
        """Smallest sets of what is in use that hold in place of a cause, without those tried."""
        pool = [n for n in self._pinnable(self._used()) if n != name and n not in tried]
        while len(self.finding.alternatives) < ALTERNATIVES:
            arms = self._pinnable(pool) | others
            if arms.keys() == others.keys():
                return
            text = f"Can anything else stand in for {name}? All but that is pinned"
            answer = yield from self._ask(text, arms, self.needed)
            if answer.verdict is not Verdict.AGREES:
                return
            plan = yield from self._narrow(others, arms)
            self._add_alternative(plan)
            pool = [n for n in pool if n not in plan or n in others]

    def _add_alternative(self, plan: dict[str, Arm]) -> None:
        """Those of faithful pins first, then the smaller ones."""
        pins = {**self.sources, **self.consumers}
        found = {*self.finding.alternatives, tuple(plan)}
        best = sorted(
            found,
            key=lambda names: (sum(pins[n].pin != "faithful" for n in names), len(names), names),
        )
        self._know(alternatives=tuple(best))


def ordered(plan: dict[str, Arm], like: dict[str, Arm]) -> dict[str, Arm]:
    """The plan with its factors in the order of `like`, so that equal plans look equal."""
    return {name: plan[name] for name in like if name in plan}
