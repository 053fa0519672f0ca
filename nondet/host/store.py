"""The trials of a diagnosis, kept: a later question about the same plan starts from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nondet.host import comparing, planning, trials
from nondet.host.trials import Trial
from nondet.record import Arm


class Store:
    """Every trial that was run or taken over, in the order of their start."""

    def __init__(self, settings: planning.Settings) -> None:
        self.settings = settings
        self.trials: list[Trial] = []

    def restore(self, folder: Path) -> int:
        """Take over the finished trials of an earlier session; the number of them."""
        plans: dict[tuple[object, ...], list[Trial]] = {}
        for trial in trials.restore_all(folder, self.settings.horizon):
            if trial.counts and trial.plan == planning.plan_hash(self.settings, trial.held):
                plans.setdefault((trial.key, trial.parent), []).append(trial)
        found = [trial for group in plans.values() for trial in comparing.telling(group)]
        self.trials = sorted(found, key=lambda trial: trials.number(trial.id))
        return len(self.trials)

    def of_plan(self, held: Mapping[str, Arm]) -> list[Trial]:
        key = planning.plan_key(held)
        return [trial for trial in self.trials if trial.key == key]

    def counting(self, held: Mapping[str, Arm]) -> list[Trial]:
        """Trials of a plan that are evidence; the first is the reference of the others."""
        return [trial for trial in self.of_plan(held) if trial.counts]

    def completed(self) -> list[Trial]:
        """Trials that ran to their end, or to the horizon."""
        return [trial for trial in self.trials if trial.whole]

    def single_run_seconds(self) -> float:
        """Duration of one whole trial: the median, imports included."""
        alone = [trial for trial in self.completed() if not trial.parent]
        seconds = sorted(trial.seconds for trial in alone or self.completed())
        return seconds[len(seconds) // 2] if seconds else 0.0

    def left(self, held: Mapping[str, Arm]) -> Path | None:
        """What the latest whole trial of a plan left."""
        whole = [t for t in self.of_plan(held) if t.outcome == "completed"]
        found = [t.leftovers for t in whole if t.leftovers is not None]
        return found[-1] if found else None

    def written(self, held: Mapping[str, Arm]) -> tuple[str, ...]:
        """All that the whole trials of a plan wrote, relative to the folders they wrote in."""
        whole = [t for t in self.of_plan(held) if t.outcome == "completed"]
        return tuple(sorted({name for trial in whole for name in trial.wrote}))
