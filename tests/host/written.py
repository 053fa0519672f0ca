"""Trials made of files, which grow as a guest's would."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nondet.guest.steps import StepLog, log_files
from nondet.host.horizon import Horizon
from nondet.host.trials import Trial
from nondet.record import Arm

PATHS = ("dense/kernel", "dense/bias", "dense_1/kernel")


def digest(value: int) -> str:
    return f"{value:016x}" * 2


class Written:
    """A trial; numbers stand for the bits of its tensors."""

    def __init__(
        self,
        rooms: Path,
        name: str = "t01",
        horizon: Horizon | None = None,
        held: Mapping[str, Arm] | None = None,
    ) -> None:
        folder = rooms / name
        folder.mkdir(parents=True)
        self.trial = Trial(name, held or {}, "h", "?", folder, horizon=horizon)
        self.begin()

    def begin(self) -> None:
        """The script starts, or starts itself again."""
        self.layouts = 0
        self.scenes: dict[str, int] = {}
        self.names: dict[int, str] = {}
        self.logs: dict[int, StepLog] = {}
        self.emit("started", trial=self.trial.id, plan="h", pid=1, python="3")

    def emit(self, event: str, **fields: Any) -> None:
        with (self.trial.folder / "events.jsonl").open("a") as file:
            file.write(json.dumps({**fields, "event": event}) + "\n")

    def model(
        self, name: str = "m", index: int = 0, paths: Sequence[str] = PATHS, init: int = 0
    ) -> Written:
        """A model that begins to train, with its first checkpoint."""
        self.layouts += 1
        self.names[index] = name
        for path in log_files(str(self.trial.folder), index):
            Path(path).unlink(missing_ok=True)
        tensors = [[path, "float32", [1]] for path in paths]
        self.emit("layout", id=self.layouts, model=name, index=index, tensors=tensors)
        self.logs[index] = StepLog(str(self.trial.folder), index)
        self.layout, self.tensors = self.layouts, len(paths)
        self.checkpoint("init", index, values=[init] * len(paths))
        return self

    def checkpoint(
        self,
        kind: str,
        index: int = 0,
        step: int = 0,
        epoch: int = 0,
        *,
        values: Sequence[int],
        late: bool = False,
    ) -> None:
        self.emit(
            "checkpoint",
            kind=kind,
            model=self.names.get(index, "mine"),
            index=index,
            layout=self.layout,
            fit=1 if kind == "epoch" else 0,
            epoch=epoch,
            step=step,
            digests=[digest(value) for value in values],
            late=late,
        )

    def log(self, step: int, index: int = 0, *, values: Sequence[int]) -> None:
        digests = [bytes.fromhex(digest(value)) for value in values]
        self.logs[index].append(step, self.layout, digests)

    def train(
        self,
        steps: Iterable[int],
        index: int = 0,
        *,
        apart: int | None = None,
        tensor: int = 1,
        epoch: int = 3,
        interval: int = 1,
    ) -> Written:
        """Take steps, and from the step `apart` on with another value in a tensor. An epoch has
        `epoch` steps; every `interval`-th step is logged."""
        for step in steps:
            values = [step] * self.tensors
            if apart is not None and step >= apart:
                values[tensor] += 1000
            if step % interval == 0:
                self.log(step, index, values=values)
            if step % epoch == 0:
                self.checkpoint("epoch", index, step, step // epoch, values=values)
        return self

    def inside(self, step: int, moments: Mapping[str, int], index: int = 0) -> Written:
        """What was seen in a step: by ``phase layer/tensor``, in order."""
        rows = []
        for name in moments:
            phase, _, path = name.partition(" ")
            layer, _, tensor = path.rpartition("/")
            rows.append([phase, layer, "Dense", "", tensor, "float32", [2]])
        key = json.dumps(rows)
        if key not in self.scenes:
            self.scenes[key] = len(self.scenes) + 1
            self.emit("inside-layout", id=self.scenes[key], mode="graph", moments=rows)
        self.emit(
            "inside",
            model=self.names[index],
            index=index,
            step=step,
            layout=self.scenes[key],
            digests=[digest(value) for value in moments.values()],
        )
        return self

    def heard(self, outcome: str | None = None) -> Trial:
        """The trial as the host knows it now."""
        self.trial.listen()
        self.trial.outcome = outcome  # type: ignore[assignment]
        return self.trial
