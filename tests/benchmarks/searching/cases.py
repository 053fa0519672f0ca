"""Cases: what is planted in a simulated subject, what trials show of it, and what they cost."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping

EVIDENCE = ("visible", "leads", "unseen", "misleading")
"""What is seen of a cause: that it varies; a line of the script's; nothing; that it varies, and of
two harmless factors as well."""
INTERACTIONS = ("none", "redundant", "masking")
DELAYS = (0.0, 0.05, 0.2, 0.6)
STARTS = (0.05, 0.25, 1.0)
"""Seconds before the script's own work begins, for each second of that work."""


@dataclasses.dataclass(frozen=True)
class Cause:
    """Something that varies while all of `factors` are free."""

    factors: tuple[str, ...]
    rate: float = 1.0
    """Probability that it acts in a run, independently of other runs."""
    delay: float = 0.0
    """Share of the script's own work after which the difference shows."""
    outcomes: int = 0
    """How many results it can have when it acts; 0: another one each time."""
    after: str = ""
    """Acts only where this factor is pinned: a cause that another one hides."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One simulated subject. `family` names the cell that it belongs to, `seed` makes it again."""

    factors: tuple[str, ...]
    causes: tuple[Cause, ...] = ()
    visible: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    used: frozenset[str] = frozenset()
    settled: frozenset[str] = frozenset()
    shifting: frozenset[str] = frozenset()
    """Pins that give another result, the same in every run."""
    breaking: frozenset[str] = frozenset()
    """Pins with which the script fails."""
    slow: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """By what a pin multiplies the duration of a run."""
    start: float = 0.25
    work: float = 1.0
    family: str = ""
    seed: int = 0

    @property
    def whole(self) -> float:
        """Seconds of one run with nothing pinned."""
        return self.start + self.work

    def recalled(self, named: frozenset[str]) -> bool:
        """Whether the factors named hold every cause."""
        return all(named & set(cause.factors) for cause in self.causes)

    def accused(self, named: frozenset[str]) -> frozenset[str]:
        """Factors named that no cause has."""
        return named - {name for cause in self.causes for name in cause.factors}


@dataclasses.dataclass(frozen=True)
class Family:
    """How the cases of a cell are drawn."""

    factors: int = 16
    causes: int = 1
    rates: tuple[float, ...] = (1.0,)
    """Of the causes in turn."""
    interactions: str = "none"
    evidence: str = ""
    """One of EVIDENCE; empty: each of them in turn."""
    outcomes: int = 0
    shifting: bool = False
    breaking: bool = False

    @property
    def name(self) -> str:
        rates = "/".join(f"{rate:g}" for rate in self.rates)
        parts = [f"{self.factors} factors", f"{self.causes} causes", f"rate {rates}"]
        parts += [self.interactions] if self.interactions != "none" else []
        parts += [self.evidence] if self.evidence else []
        parts += [f"{self.outcomes} outcomes"] if self.outcomes else []
        parts += ["shifting pins"] if self.shifting else []
        parts += ["a pin that breaks"] if self.breaking else []
        return ", ".join(parts)

    def case(self, seed: int) -> Case:
        """The case of that seed."""
        chance = random.Random(f"{self.name}/{seed}")
        names = tuple(f"f{i:02d}" for i in range(self.factors))
        shuffled = list(names)
        chance.shuffle(shuffled)
        causes: list[Cause] = []
        for i in range(self.causes):
            rate = self.rates[i % len(self.rates)]
            delay = chance.choice(DELAYS)
            factors = [shuffled.pop()]
            after = ""
            if self.interactions == "redundant" and i == 0:
                factors.append(shuffled.pop())
            if self.interactions == "masking" and i == 1:
                after = causes[0].factors[0]
            found = tuple(sorted(factors))
            causes.append(Cause(found, rate, delay, self.outcomes, after))
        evidence = self.evidence or EVIDENCE[seed % len(EVIDENCE)]
        planted = [name for cause in causes for name in cause.factors]
        unused = frozenset(chance.sample(shuffled, len(shuffled) // 4))
        harmless = [name for name in shuffled if name not in unused]
        settled = frozenset(chance.sample(harmless, len(harmless) // 4))
        harmless = [name for name in harmless if name not in settled]
        visible = planted if evidence in ("visible", "misleading") else []
        if evidence == "misleading":
            visible = visible + harmless[:2]
        leads = planted + harmless[:1] if evidence == "leads" else []
        return Case(
            factors=names,
            causes=tuple(causes),
            visible=tuple(name for name in names if name in visible),
            leads=tuple(name for name in names if name in leads),
            used=frozenset(names) - unused,
            settled=settled,
            shifting=frozenset(chance.sample(names, len(names) // 3))
            if self.shifting
            else frozenset(),
            breaking=frozenset(harmless[-1:]) if self.breaking else frozenset(),
            start=chance.choice(STARTS),
            family=self.name,
            seed=seed,
        )
