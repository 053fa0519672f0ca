"""What a diagnosis can ask about where its trials run, and why not about the rest."""

from __future__ import annotations

from collections.abc import Sequence

from nondet import record
from nondet.guest.factors import CLUSTER, CONSUMERS, REGISTRY, SOURCES, by_name
from nondet.guest.factors.base import Factor
from nondet.host import executing, kernels
from nondet.host.availability import unavailable
from nondet.host.options import Options
from nondet.host.subject import Subject
from nondet.search.diagnosing import Goal, Search
from nondet.search.questions import Candidate

MACHINE = "machine"
"""The factor that only a cluster has."""
ONE_GPU = "gpu-count"
BY_NAME = "it leaves a run one GPU, which many scripts for several can't do; --factors names it"
CUT_SHORT = "with a shortened horizon, trials end before they have left what a whole run leaves"


class Askable:
    """The factors of one diagnosis."""

    def __init__(self, subject: Subject, environment: record.Environment, options: Options) -> None:
        self.options = options
        self.factors: tuple[Factor, ...] = REGISTRY
        """Those that there are where trials run."""
        if MACHINE in (options.factors or ()):
            self.factors = REGISTRY + CLUSTER
        self.provoked_only: tuple[str, ...] = ()
        """Of these, the ones that only ``--stress`` asks about."""
        self.not_tested = self._reasons(subject, environment)
        """Those that are not asked about, with the reason."""

    def _reasons(
        self,
        subject: Subject,
        environment: record.Environment,
        fixed_addresses: bool | None = None,
    ) -> dict[str, str]:
        reasons = unavailable(subject.description, environment, fixed_addresses)
        if self.options.horizon is not None:
            reasons["leftovers"] = CUT_SHORT
        if self.options.executor == executing.LOCAL:
            reasons[MACHINE] = executing.ONE_MACHINE
        if ONE_GPU not in (self.options.factors or ()):
            reasons.setdefault(ONE_GPU, BY_NAME)
        elif self.options.executor != executing.LOCAL:
            reasons[ONE_GPU] = "a cluster decides which GPUs a trial gets"
        for factor in self.factors:
            if self.options.factors is not None and factor.name not in self.options.factors:
                reasons[factor.name] = "left out by --factors"
            if factor.name in self.options.skip:
                reasons[factor.name] = "left out by --skip"
        known = {factor.name for factor in self.factors}
        return {name: why for name, why in reasons.items() if name in known}

    def settle(self, found: executing.Surroundings) -> str:
        """Take in what trials find on a cluster. Returns what other machines there are, in words;
        empty when there are none."""
        self.factors = REGISTRY + CLUSTER
        self.not_tested = self._reasons(found.subject, found.environment, found.fixed_addresses)
        self.not_tested.setdefault("leftovers", executing.FRESH)
        if not found.mixture:
            self.not_tested[MACHINE] = executing.ALIKE
            return ""
        if MACHINE in (self.options.factors or ()):
            return ""
        if not self.options.stress or MACHINE in self.not_tested:
            self.not_tested.setdefault(MACHINE, executing.KEPT)
        else:
            self.provoked_only = (MACHINE,)
        return f"{found.mixture}: trials are kept on these"

    @property
    def compares_machines(self) -> bool:
        return MACHINE not in self.not_tested

    # -- what is left to ask

    def asked(self) -> tuple[Factor, ...]:
        """Factors that the search is about."""
        left_out = {*self.not_tested, *self.provoked_only}
        return tuple(factor for factor in self.factors if factor.name not in left_out)

    def search(self, goal: Goal) -> Search:
        """A search over them that has asked nothing yet."""
        return Search(self._candidates(SOURCES + CLUSTER), self._candidates(CONSUMERS), goal)

    def _candidates(self, factors: Sequence[Factor]) -> list[Candidate]:
        names = [f.name for f in self.asked() if f in factors]
        # What a trial leaves behind acts on a later one of its plan, and on no other.
        return [
            Candidate(
                n,
                by_name(n).pin,
                by_name(n).instead,
                by_name(n).includes,
                chained=n == "leftovers",
            )
            for n in names
        ]

    def provocable(self, search: Search) -> list[list[str]]:
        """Factors that ``--stress`` provokes after that search: those that lie dormant together,
        then each that another machine may bring out."""
        able = [f for f in self.factors if f.stress and f.name not in self.not_tested]
        able = [f for f in able if f.name not in search.broken_pins]
        # What the script was never seen to use can't lie dormant in it.
        used = {*search.exercised, *self.provoked_only}
        able = [f for f in able if f.name in used]
        together = [f.name for f in able if f.stress == "dormant"]
        return [together, *([f.name] for f in able if f.stress == "sensitivity")]

    def holdable(self, search: Search) -> dict[str, record.Arm]:
        """What can be held beside the causes of that search without holding what kernels do, or
        doing something else than the script does."""
        able = [f for f in self.asked() if f.pin == "faithful" and f.name not in search.broken_pins]
        able = [f for f in able if f in SOURCES and not kernels.computes(f.name)]
        return {f.name: "pinned" for f in able}
