"""How far trials are followed: with a shortened horizon the host ends them there."""

from __future__ import annotations

import dataclasses
from typing import Literal

from nondet.host import events


@dataclasses.dataclass(frozen=True)
class Horizon:
    """The end of the n-th epoch, or the n-th step, of all that a trial trains together.

    Every fit and every model counts on: two fits of three epochs each are six epochs.
    """

    unit: Literal["epoch", "step"]
    count: int

    @property
    def key(self) -> str:
        """Part of a plan's hash: trials of another horizon show something else."""
        return f"{self.unit} {self.count}"


class Course:
    """How far one trial has come on its way to the horizon; without one it only goes on."""

    def __init__(self, horizon: Horizon | None) -> None:
        self.horizon = horizon
        self.epochs = 0
        self.steps: dict[int, int] = {}
        """Steps of each model, by its place in the order of first training."""
        self.reached = False
        """The checkpoint that the trial is followed to has come."""
        self.over = False
        """So has all that belongs to it: whatever comes now lies behind the horizon."""

    def admits(self, event: events.AnyEvent) -> bool:
        """Whether this event, the next one of the trial, lies before the horizon."""
        if self.horizon is None:
            return True
        if self.reached and isinstance(event, events.Recorded):
            self.over = True
        if self.over:
            return False
        match event:
            case events.Started():
                # The script started itself again: what came before is another process's.
                self.epochs, self.steps, self.reached = 0, {}, False
            case events.Recorded():
                self._count(event)
            case events.Metric():
                # An epoch's metrics follow its weights, and belong to it.
                self.over = self.reached
        return True

    def _count(self, event: events.Recorded) -> None:
        if self.horizon is None or event.kind in ("user", "end"):
            return
        self.epochs += event.kind == "epoch"
        self.steps[event.index] = max(event.step, self.steps.get(event.index, 0))
        if self.horizon.unit == "epoch":
            self.reached = self.epochs >= self.horizon.count
        else:
            # Steps are thinned out: the first one kept that is not before the horizon.
            self.reached = self.over = sum(self.steps.values()) >= self.horizon.count
