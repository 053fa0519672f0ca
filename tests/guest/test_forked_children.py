"""Forked children of a script: what they inherit from the recorder is not theirs to tell."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nondet.guest import keras_recorder, session
from nondet.guest.events import Events
from tests.guest.children import in_child

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Trial:
    """A recorder that has seen so many steps of a loop by hand, of a model without weights."""

    def __init__(self, folder: Path, steps: int) -> None:
        self.path = folder / "events.jsonl"
        (folder / "values").mkdir()
        self.failures: list[BaseException] = []
        plan = {
            "events": str(self.path),
            "values": str(folder / "values"),
            "values_limit": 0,
            "digest": "sha256",
            "granularity": "auto",
        }
        self.recorder = keras_recorder.Recorder(
            SimpleNamespace(
                plan=plan,
                events=Events(str(self.path)),
                first_checkpoint=[],
                each_checkpoint=[],
                failed=lambda where, error, lost=False: self.failures.append(error),
            )
        )
        self.tracked = keras_recorder.Tracked(0, "net", list)
        self.recorder.tracked.append(self.tracked)
        for _ in range(steps):
            self.recorder.step_ends(self.tracked, [], 1)

    def told(self, event: str) -> list[dict[str, Any]]:
        assert self.failures == []
        lines = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [one for one in lines if one["event"] == event]


def test_one_that_only_ends_has_not_trained(tmp_path: Path) -> None:
    trial = Trial(tmp_path, 101)
    before = [one["step"] for one in trial.told("checkpoint")]
    assert 101 not in before
    for act in (trial.recorder.close, trial.recorder.record_pending):
        assert in_child(act) == 0
    assert trial.told("elsewhere") == []
    trial.recorder.close()
    assert [one["step"] for one in trial.told("checkpoint")] == [*before, 101]


def test_one_that_goes_on_training_says_so_once(tmp_path: Path) -> None:
    trial = Trial(tmp_path, 101)

    def train() -> None:
        # The steps after the 101st are logged at most.
        trial.recorder.log(trial.tracked, None)
        trial.recorder.log(trial.tracked, None)

    assert in_child(train) == 0
    assert [one["what"] for one in trial.told("elsewhere")] == ["training of net"]


@pytest.mark.parametrize("call", ["close", "record_pending", "log", "checkpoint"])
def test_none_waits_for_a_thread_of_its_parent(call: str, tmp_path: Path) -> None:
    trial = Trial(tmp_path, 101)
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with trial.recorder.lock:
            held.set()
            over.wait()

    holding = threading.Thread(target=hold)
    holding.start()
    held.wait()
    arguments: dict[str, tuple[object, ...]] = {
        "log": (trial.tracked, None),
        "checkpoint": ("step", trial.tracked),
    }
    try:
        code = in_child(lambda: getattr(trial.recorder, call)(*arguments.get(call, ())))
    finally:
        over.set()
        holding.join()
    assert code == 0


def test_none_looks_at_what_the_trial_looks_at_in_the_end(tmp_path: Path) -> None:
    told = Events(str(tmp_path / "events.jsonl"))
    asked: list[int] = []
    trial: Any = SimpleNamespace(
        events=told,
        at_end=[lambda: asked.append(1)],
        attempt=lambda where, call: call(),
        summary=lambda: asked.append(2),
    )

    def end() -> None:
        session.Session.finish(trial)
        assert asked == []

    assert in_child(end) == 0
    session.Session.finish(trial)
    assert asked == [1, 2]
