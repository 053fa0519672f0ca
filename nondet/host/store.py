"""The trials of a diagnosis, kept: a later question about the same plan starts from them."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nondet.host import comparing, evidence, own_code, planning, trials
from nondet.host.trials import Trial
from nondet.record import Arm

MOST_LAYERS = 100
"""Trials of which each starts from what the one before it left, in a row; later ones start from the
last of these. Each is a layer of an overlay mount, whose options must fit in a page of memory, and
keeps its files on disk."""


@dataclasses.dataclass
class OfPlan:
    """The trials of one plan, and what those that came to their end have left."""

    trials: list[Trial] = dataclasses.field(default_factory=list)
    whole: int = 0
    latest: Trial | None = None
    """The last one started of those that left files for others to start from."""
    wrote: set[str] = dataclasses.field(default_factory=set)


class Store:
    """Every trial that was run or taken over, in the order of their start.

    What is asked again and again is kept up as trials start and end: their number can be large.
    """

    def __init__(self, settings: planning.Settings) -> None:
        self.settings = settings
        self.trials = ()

    @property
    def trials(self) -> Sequence[Trial]:
        return self._trials

    @trials.setter
    def trials(self, found: Iterable[Trial]) -> None:
        self._trials: list[Trial] = []
        self._places: dict[str, int] = {}
        self._plans: dict[tuple[tuple[str, Arm], ...], OfPlan] = {}
        self._whole: list[Trial] = []
        self._seconds: tuple[list[float], list[float]] = [], []
        """Of whole trials that started by themselves, and of forked ones; sorted."""
        self.running: list[Trial] = []
        self.varying: set[str] = set()
        """Factors that trials which have ended were seen to use in a way that varies."""
        self.wrote = False
        """Whether a trial has changed files."""
        self.longest = 0
        """Checkpoints of a whole trial, at most."""
        self._importing_seconds = 0.0
        self._importer: Trial | None = None
        for trial in found:
            self.add(trial)

    def add(self, trial: Trial) -> None:
        """Keep one more trial."""
        self._places[trial.id] = len(self._trials)
        self._trials.append(trial)
        self._plan(trial.held).trials.append(trial)
        if trial.outcome is None:
            self.running.append(trial)
        else:
            self._take_in(trial)

    def has_ended(self, trial: Trial) -> None:
        """Take in what a trial that ran has shown."""
        self.running.remove(trial)
        self._take_in(trial)

    def _take_in(self, trial: Trial) -> None:
        plan = self._plan(trial.held)
        self.varying |= evidence.varying(trial)
        self.wrote = self.wrote or bool(trial.wrote)
        if not trial.parent:
            self._importing_seconds = max(self._importing_seconds, trial.importing_seconds)
            self._importer = max(filter(None, (self._importer, trial)), key=self._imports)
        if trial.outcome == "completed":
            plan.wrote.update(trial.wrote)
            latest = plan.latest
            if trial.leftovers is not None and (
                latest is None or self._places[trial.id] > self._places[latest.id]
            ):
                plan.latest = trial
        if trial.whole:
            plan.whole += 1
            self.longest = max(self.longest, len(trial.checkpoints))
            bisect.insort(self._whole, trial, key=lambda t: self._places[t.id])
            bisect.insort(self._seconds[bool(trial.parent)], trial.seconds)

    def _imports(self, trial: Trial) -> tuple[int, int]:
        return len(trial.frameworks), -self._places[trial.id]

    def _plan(self, held: Mapping[str, Arm]) -> OfPlan:
        return self._plans.setdefault(planning.plan_key(held), OfPlan())

    def restore(self, folder: Path) -> int:
        """Take over the finished trials of an earlier session; the number of them."""
        plans: dict[tuple[object, ...], list[Trial]] = {}
        for trial in own_code.of_now(trials.restore_all(folder, self.settings.horizon)):
            if trial.counts and trial.plan == planning.plan_hash(self.settings, trial.held):
                plans.setdefault((trial.key, trial.parent), []).append(trial)
        found = [trial for group in plans.values() for trial in comparing.telling(group)]
        self.trials = sorted(found, key=lambda trial: trials.number(trial.id))
        return len(self.trials)

    def named(self, name: str) -> Trial:
        """The trial of that id. Raises KeyError."""
        return self._trials[self._places[name]]

    def of_plan(self, held: Mapping[str, Arm]) -> list[Trial]:
        return list(self._plan(held).trials)

    def counting(self, held: Mapping[str, Arm]) -> list[Trial]:
        """Trials of a plan that are evidence; the first is the reference of the others."""
        return [trial for trial in self._plan(held).trials if trial.counts]

    def completed(self) -> Sequence[Trial]:
        """Trials that ran to their end, or to the horizon."""
        return self._whole

    def whole(self, held: Mapping[str, Arm]) -> int:
        """The number of these of one plan."""
        return self._plan(held).whole

    def importer(self) -> Trial | None:
        """Of the trials that started by themselves, the first with the most frameworks."""
        alone = [trial for trial in self.running if not trial.parent]
        return max(filter(None, (self._importer, *alone)), key=self._imports, default=None)

    def importing_seconds(self) -> float:
        """Time to the last framework's import, at most, of trials that started by themselves."""
        seconds = [trial.importing_seconds for trial in self.running if not trial.parent]
        return max([self._importing_seconds, *seconds])

    def single_run_seconds(self) -> float:
        """Duration of one whole trial: the median, imports included."""
        alone, forked = self._seconds
        seconds = alone or forked
        return seconds[len(seconds) // 2] if seconds else 0.0

    def latest(self, held: Mapping[str, Arm]) -> Trial | None:
        """The trial of a plan whose `leftovers` the next one can start from."""
        return self._plan(held).latest

    def written(self, held: Mapping[str, Arm]) -> tuple[str, ...]:
        """All that the whole trials of a plan wrote, relative to the folders they wrote in."""
        return tuple(sorted(self._plan(held).wrote))
