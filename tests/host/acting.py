"""A laboratory whose trials are acts: what each one shows and how it ends is written down."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nondet.guest.factors.op_determinism import RELEASED
from nondet.host.executors.interface import Ended, Launch, OnePlace, Start
from nondet.host.horizon import Horizon
from nondet.host.laboratory import Laboratory
from nondet.host.planning import Settings
from nondet.host.releasing import HOLDER
from nondet.host.subject import Description, Subject
from nondet.host.watching import Silent

FACTORS = ("python-random", "hash-seed", "leftovers")


@dataclasses.dataclass(frozen=True)
class Act:
    """One trial: the values it shows at its checkpoints, then its end."""

    shows: str = "ab"
    """A letter for each checkpoint, in place of a digest."""
    exit_code: int | None = 0
    message: str = "oh"
    """Of the exception, where the code is 1."""
    hangs: bool = False
    """It ends only when it is stopped."""
    pins: tuple[bool, ...] = ()
    """Pins read back before the first checkpoint, and whether they took."""
    due: tuple[str, ...] = ()
    """Factors whose pins must have been read back by then."""
    plan: str | None = None
    """The plan it says it ran, when that is not the one it was given."""
    begins: bool = True
    wrote: tuple[str, ...] = ()
    late: int = 0
    """Polls until its first event."""
    waits: bool = False
    """Until then nobody has begun with it."""
    imports: tuple[str, ...] = ()
    """Frameworks that it imports."""
    modules: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Files of the user's own that it imports, and the digests of what it finds in them."""
    draws: tuple[str, ...] = ()
    """Factors that it is seen to use, in a way that varies."""
    released: tuple[str, ...] = ()
    """Operations that it lets go."""
    lost: str = ""
    """How its machine is lost in the end."""
    kind: str = "user"
    """Of its checkpoints."""

    def events(self, plan: str) -> Iterator[dict[str, Any]]:
        if not self.begins:
            return
        yield {
            "event": "started",
            "trial": "?",
            "plan": self.plan if self.plan is not None else plan,
            "pid": 1,
            "python": "3",
        }
        for factor in self.due:
            yield {"event": "due", "factor": factor}
        for ok in self.pins:
            yield {"event": "pin", "factor": "hash-seed", "expected": 0, "seen": 1, "ok": ok}
        for name in self.imports:
            yield {"event": "framework", "name": name, "version": "1", "environ": {}}
        if self.modules:
            yield {"event": "modules", "files": dict(self.modules)}
        sightings = [(factor, "a draw", True) for factor in self.draws]
        sightings += [(HOLDER, op + RELEASED, False) for op in self.released]
        for factor, detail, unseeded in sightings:
            sighting = {"factor": factor, "detail": detail, "unseeded": unseeded}
            place = {"file": "/train.py", "line": 1, "function": "<module>"}
            yield {"event": "exercised", **sighting, "consumer": None, "site": place}
        tensors = [["value", "uint8", [1]]]
        yield {"event": "layout", "id": 1, "model": "value", "index": 0, "tensors": tensors}
        for step, letter in enumerate(self.shows, 1):
            yield {
                "event": "checkpoint",
                **{"kind": self.kind, "model": "value", "index": 0, "layout": 1},
                **{"fit": 0, "epoch": 0, "step": step, "digests": [letter]},
            }
        if self.exit_code == 1:
            told = {"kind": "ValueError", "message": self.message, "traceback": "..."}
            yield {"event": "crashed", **told}


class ActingTrial:
    """Shows one event each time it is asked how it does."""

    def __init__(self, act: Act, launch: Launch, left: Path) -> None:
        self.act, self.launch, self.left = act, launch, left
        plan = json.loads((launch.log_folder / "plan.json").read_bytes())["hash"]
        self.coming = itertools.chain([None] * act.late, act.events(plan))
        self.stopped = ""
        self.waiting = act.waits
        self.end: Ended | None = None

    def poll(self) -> Ended | None:
        event = None if self.stopped else next(self.coming, "over")
        if isinstance(event, dict):
            self.waiting = False
            with (self.launch.log_folder / "events.jsonl").open("a") as file:
                file.write(json.dumps(event) + "\n")
        elif self.stopped or (event == "over" and not self.act.hangs):
            self.end = self.end or Ended(
                exit_code=None if self.stopped or self.act.lost else self.act.exit_code,
                seconds=1.0,
                peak_memory=None,
                wrote=self.act.wrote,
                leftovers=self.left if self.launch.keep_leftovers else None,
                stopped=self.stopped,
                lost="" if self.stopped else self.act.lost,
            )
        return self.end

    def stop(self, reason: str, grace: float = 0.3) -> None:
        self.stopped = self.stopped or reason


class Ready:
    """A process that has imported everything at once."""

    unfit = ""
    seconds = 1.0
    importing = False
    ready = True


class ActingExecutor(OnePlace):
    """Gives the acts to the trials in turn; the last act for all that follow."""

    isolation = "overlay"
    warning = ""

    def __init__(self, runtime: Path, acts: tuple[Act, ...]) -> None:
        self.runtime = runtime
        self.acts = acts
        self.launches: list[Launch] = []
        self.trials: list[ActingTrial] = []
        self.parents: list[str] = []

    def map_path(self, trial: str, path: Path) -> Path:
        return path

    def start(self, launch: Launch) -> ActingTrial:
        act = self.acts[min(len(self.launches), len(self.acts) - 1)]
        self.launches.append(launch)
        self.trials.append(ActingTrial(act, launch, self.runtime / f"left-by-{launch.trial}"))
        return self.trials[-1]

    def parent(self, name: str, start: Start) -> Ready:
        self.parents.append(name)
        return Ready()

    def end_parent(self, name: str) -> None:
        self.parents.remove(name)

    def close(self) -> None:
        """Nothing of these trials can outlive them."""


def settings(
    folder: Path, *args: str, granularity: str = "auto", horizon: Horizon | None = None
) -> Settings:
    described = Description("3.11", "python", {"numpy": "2.0"}, {}, None)
    script = folder / "train.py"
    folder.mkdir(parents=True, exist_ok=True)
    script.touch()
    sha256 = hashlib.sha256(script.read_bytes()).hexdigest()
    subject = Subject("train.py", args, "python", folder, sha256, described)
    output = folder / "out"
    (output / "trials").mkdir(parents=True, exist_ok=True)
    return Settings(subject, output, {}, 7, "sha256", granularity, horizon=horizon)


def laboratory(
    folder: Path,
    *acts: Act,
    jobs: int = 2,
    max_trials: int = 50,
    timeout: float | None = None,
    deadline: float | None = None,
    check: Callable[[], None] = lambda: None,
    same: Settings | None = None,
) -> tuple[Laboratory, ActingExecutor]:
    same = same or settings(folder)
    executor = ActingExecutor(same.output, acts)
    made = Laboratory(
        same,
        executor,
        Silent(),
        jobs=jobs,
        factors=FACTORS,
        timeout=timeout,
        deadline=deadline,
        max_trials=max_trials,
        check=check,
    )
    return made, executor
