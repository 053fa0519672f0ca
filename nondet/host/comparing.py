"""Compares two trials: their checkpoints, and the logs of the steps in between."""

from __future__ import annotations

import bisect
import dataclasses

from nondet.host.steps import Comparison
from nondet.host.trials import Trial
from nondet.verdict import Checkpoint, Witness, compare


def parting(one: Trial, other: Trial, *, ended: bool) -> Witness | None:
    """The first difference of two trials, in the order of execution.

    With `ended` both are over, so that one with more checkpoints differs at the first of these;
    without, only the common part is compared.
    """
    return Following(one, other).parting(ended=ended)


class Following:
    """Compares a trial with its reference while both may still run."""

    def __init__(self, reference: Trial, trial: Trial) -> None:
        self.reference = reference
        self.trial = trial
        self.starts = (0, 0)
        self.checkpoints = 0
        """So many have been compared, and agree."""
        self.comparisons: dict[int, Comparison] = {}

    def parting(self, *, ended: bool) -> Witness | None:
        """The first difference as far as both have come (see `parting`)."""
        one, other = self.reference, self.trial
        if one.starts != other.starts and not ended:
            # One has started itself again, and the other will.
            return None
        if (one.starts, other.starts) != self.starts:
            self.starts = one.starts, other.starts
            self.checkpoints, self.comparisons = 0, {}
        common = min(len(one.checkpoints), len(other.checkpoints))
        found = []
        if self.checkpoints < common or ended:
            witness = compare(
                one.checkpoints, other.checkpoints, start=self.checkpoints, ended=ended
            )
            found.append(witness)
            self._share(common if witness is None else witness.index)
            self.checkpoints = common
        found += map(self._step, sorted(one.traces.keys() & other.traces.keys()))
        return self._after_training(earliest(found))

    def _after_training(self, witness: Witness | None) -> Witness | None:
        """The witness, as one of the end where a last step was recorded late and the logs show no
        difference up to there: whatever changed the weights came after the last logged step."""
        one, other = self.reference, self.trial
        if witness is None or witness.other is None or witness.index not in one.late & other.late:
            return witness
        index = one.owners[witness.index]
        if witness.checkpoint is not one.checkpoints[witness.index]:
            return witness
        # The logs were looked at before the event that tells of the checkpoint.
        one.look(index)
        other.look(index)
        logs = one.traces.get(index), other.traces.get(index)
        # One without a step is as good as none.
        if not logs[0] or not logs[1] or logs[0].method != logs[1].method:
            return witness
        step = self._step(index)
        if step is not None or one.damaged or other.damaged:
            return step or witness
        return dataclasses.replace(
            witness,
            checkpoint=dataclasses.replace(witness.checkpoint, kind="end"),
            other=dataclasses.replace(witness.other, kind="end"),
        )

    def _step(self, index: int) -> Witness | None:
        """The first logged step of a model after which its weights differ."""
        one, other = self.reference, self.trial
        if index not in self.comparisons:
            self.comparisons[index] = Comparison(one.traces[index], other.traces[index])
        try:
            return first_step(self.comparisons[index], one, other, index)
        except ValueError as error:
            ours = str(error).startswith(str(one.traces[index].path.parent))
            (one if ours else other).damaged = str(error)
            return None

    def _share(self, stop: int) -> None:
        """Keep checkpoints that are equal once: trials that agree take the memory of one."""
        one, other = self.reference.checkpoints, self.trial.checkpoints
        other[self.checkpoints : stop] = one[self.checkpoints : stop]

    def covers(self) -> bool:
        """Whether the trial has come as far as its reference."""
        one, other = self.reference, self.trial
        if len(other.checkpoints) < len(one.checkpoints):
            return False
        # At its end the last steps may be left out of the log, by a longer interval.
        return other.whole or all(
            index in other.traces and other.traces[index].last >= trace.last
            for index, trace in one.traces.items()
        )


def earliest(found: list[Witness | None]) -> Witness | None:
    """The first of them in execution; of a step and the checkpoint after it, the step."""
    witnesses = [witness for witness in found if witness is not None]
    return min(witnesses, key=order, default=None)


def order(witness: Witness) -> tuple[int, bool, int]:
    """A key that sorts the witnesses of comparisons with one trial by execution."""
    step = witness.checkpoint.kind == "step"
    return witness.index, not step, witness.checkpoint.step


def first_step(comparison: Comparison, one: Trial, other: Trial, index: int) -> Witness | None:
    """The first logged step of a model after which its weights differ, as a witness."""
    part = comparison.parting()
    if part is None or part.step > min(one.last_step(index), other.last_step(index)):
        return None
    model = one.models[index]
    rows = _row(one, index, part.step), _row(other, index, part.step)
    differing: list[str] = []
    if [path for path, _ in rows[0]] == [path for path, _ in rows[1]]:
        pairs = zip(rows[0], rows[1], strict=True)
        differing = [path for (path, a), (_, b) in pairs if a != b]
    fit, epoch = max(one.epoch_of(index, part.step), other.epoch_of(index, part.step))
    first, second = (Checkpoint("step", model, fit, epoch, part.step, row) for row in rows)
    tensor = differing[0] if differing else ""
    return Witness(_place(one, index, part.step), first, second, tensor, len(differing))


def _place(trial: Trial, index: int, step: int) -> int:
    """The place of the model's first checkpoint that is not before this step."""
    for place, owner in enumerate(trial.owners):
        if owner == index and trial.checkpoints[place].step >= step:
            return place
    return len(trial.checkpoints)


def _row(trial: Trial, index: int, step: int) -> tuple[tuple[str, str], ...]:
    """(path, start of the digest) of every tensor after that step; empty where it is not kept."""
    trace = trial.traces[index]
    place = bisect.bisect_left(range(len(trace)), step, key=lambda i: trace.record(i).step)
    row, layout = trace.row(place), trial.layouts.get(trace.record(place).layout)
    if row is None or layout is None:
        return ()
    paths = [path for path, _, _ in layout.tensors]
    return tuple((path, digest.hex()) for path, digest in zip(paths, row, strict=True))


def telling(group: list[Trial]) -> list[Trial]:
    """Those ended trials of one plan that are evidence: whole, or stopped because two parted.

    One that was stopped for another reason, such as an interruption, says nothing.
    """
    while group and not group[0].whole and not _apart(group):
        group = group[1:]
    apart = _apart(group)
    return [t for t in group if t.whole or t is group[0] or t in apart]


def _apart(group: list[Trial]) -> list[Trial]:
    """Those that differ from the first as far as both go."""
    return [t for t in group[1:] if parting(group[0], t, ended=False)]
