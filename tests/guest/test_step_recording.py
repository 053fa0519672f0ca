"""Steps are logged as they come, each with the weights that it has left."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nondet.guest import device_values, step_recording
from nondet.guest.device_digests import finish, numpy_lanes
from nondet.guest.keras_recorder import Recorder
from nondet.guest.step_recording import StepRecorder
from nondet.guest.steps import DENSE_STEPS, ON_DEVICE, ON_HOST, Pace, StepLog
from nondet.host.steps import StepTrace
from tests.guest.device_lanes import kind
from tests.guest.looking import BACKENDS, look, need
from tests.guest.running import guided

INTERVAL = 8


class Optimizer:
    """Tells how often its counter was read."""

    def __init__(self) -> None:
        self.updates = self.reads = 0

    @property
    def iterations(self) -> int:
        self.reads += 1
        return self.updates


class Model:
    """Its one weight is the number of its updates."""

    name = "fake"
    path = "weight"

    def __init__(self) -> None:
        self.optimizer = Optimizer()
        self.weights = [self]

    @property
    def value(self) -> NDArray[np.int64]:
        return np.array(self.optimizer.updates)


@pytest.fixture(autouse=True)
def given_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first eleven steps are recorded, and then every eighth, whatever it costs."""
    monkeypatch.setattr(step_recording, "Pace", lambda interval: Pace(interval=INTERVAL))


class Training:
    """Trains a fake model under a recorder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.events: list[dict[str, Any]] = []
        plan = {
            "digest": "sha256",
            "values": str(folder),
            "values_limit": 0,
            "granularity": "auto",
            "events": str(folder / "events.jsonl"),
        }
        emit = lambda event, **fields: self.events.append({"event": event, **fields})  # noqa: E731
        session = SimpleNamespace(
            plan=plan,
            events=SimpleNamespace(emit=emit),
            first_checkpoint=[],
            each_checkpoint=[],
            failed=None,
        )
        self.recorder = Recorder(session)
        self.model = Model()

    def fit(self, *epochs: Sequence[int]) -> Training:
        """Each number is the updates of a batch."""
        self.recorder.fit_begins(self.model)
        for number, batches in enumerate(epochs):
            for updates in batches:
                self.model.optimizer.updates += updates
                self.recorder.fit_step_ends(self.model)
            self.recorder.epoch_ends(self.model, number, {})
        return self

    @property
    def logged(self) -> list[int]:
        """The steps of the log, each shown to hold the weights of that very step."""
        trace = StepTrace(self.folder, 0)
        found = [int(step) for step in trace.steps]
        for i, step in enumerate(found):
            (digest,) = trace.row(i) or ()
            expected = self.recorder.digester.digest(np.array(step))
            assert digest.hex() == expected[: 2 * len(digest)]
        return found

    @property
    def ends(self) -> list[int]:
        """The steps at which epochs ended."""
        return [event["step"] for event in self.events if event.get("kind") == "epoch"]


def test_an_even_fit_reads_the_counter_when_a_step_is_recorded(tmp_path: Path) -> None:
    training = Training(tmp_path).fit([1] * 60, [1] * 40)
    dense = list(range(1, Pace.FEWEST + 1))
    assert training.logged == dense + list(range(16, 101, INTERVAL))
    assert training.ends == [60, 100]
    # And at the ends of the epochs.
    assert training.model.optimizer.reads == len(training.logged) + 2


@pytest.mark.parametrize("updates", [[4], [0, 1], [0, 0, 3], [2, 1, 0]])
def test_no_update_is_missed_where_a_batch_is_not_one(updates: list[int], tmp_path: Path) -> None:
    batches = updates * 60
    training = Training(tmp_path).fit(batches[:90], batches[90:])
    sums = np.cumsum(batches)
    assert training.ends == [sum(batches[:90]), sum(batches)]
    later = [step for step in training.logged if step > 44]
    assert later == [
        int(step)
        for before, step in zip(sums, sums[1:], strict=False)
        if step > 44 and step // INTERVAL > before // INTERVAL
    ]


def test_an_update_left_out_is_noticed(tmp_path: Path) -> None:
    training = Training(tmp_path).fit([1] * 45 + [0, 0, 0] + [1] * 60, [1] * 50)
    assert training.ends == [105, 155]
    assert set(range(56, 155, INTERVAL)) <= set(training.logged)
    training = Training(tmp_path / "other").fit([1] * 45 + [0, 0], [1] * 60)
    assert training.ends == [45, 105]


def test_another_fit_may_be_another(tmp_path: Path) -> None:
    training = Training(tmp_path).fit([1] * 60).fit([4] * 30).fit([1] * 60)
    assert training.ends == [60, 180, 240]
    assert set(range(64, 241, INTERVAL)) <= set(training.logged)


JAX = """
import os
os.environ["KERAS_BACKEND"] = "jax"
import keras
import numpy as np

keras.mixed_precision.set_global_policy("mixed_float16")
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
optimizer = keras.optimizers.SGD(0.01, gradient_accumulation_steps=ACCUMULATED)
model.compile(keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=1.0), "mse")
model.fit(np.ones((48, 4)), np.zeros((48, 1)), batch_size=8, verbose=0)
print(int(model.optimizer.iterations))
"""


@pytest.mark.subject
@pytest.mark.parametrize(("accumulated", "steps"), [(None, 6), (2, 3)])
def test_updates_are_counted_in_the_state_of_jax(
    accumulated: int | None, steps: int, tmp_path: Path
) -> None:
    folder = tmp_path / "subject"
    folder.mkdir()
    (folder / "train.py").write_text(JAX.replace("ACCUMULATED", str(accumulated)))
    shown = guided(folder, "train.py")
    assert shown.of("guest-error") == []
    assert shown.out == f"{steps}\n"
    assert [e["step"] for e in shown.of("checkpoint") if e["kind"] == "epoch"] == [steps]
    trace = StepTrace(tmp_path / "subject-room", 0)
    assert trace.steps.tolist() == list(range(1, steps + 1))


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += seconds


class Logging:
    """A StepRecorder of arrays that a test gives, with a clock of its own."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, every: bool, pace: Any = Pace
    ) -> None:
        self.clock = Clock()
        monkeypatch.setattr(step_recording, "perf_counter", self.clock)
        monkeypatch.setattr(step_recording, "Pace", pace)
        self.computing = 0.0
        wait = lambda values: self.clock.passes(self.computing)  # noqa: E731
        monkeypatch.setattr(device_values, "wait", wait)
        self.folder = folder
        self.arrays = [np.zeros(2, "float32"), np.zeros(1, "int64")]
        self.asked = 0
        self.layouts: list[list[tuple[Any, ...]]] = []
        self.recorder = StepRecorder(str(folder), 0, None, every, self.describe, self.digest)

    def describe(self, variables: Any, kinds: list[tuple[str, tuple[int, ...]]]) -> int:
        self.layouts.append([shape for _, shape in kinds])
        return 10 * len(self.layouts)

    def digest(self, array: NDArray[Any]) -> str:
        return f"{array.size:02x}" * 16

    def weights(self) -> range:
        self.asked += 1
        return range(len(self.arrays))

    def step(self, number: int, computing: float = 0.0, recording: float = 0.0) -> None:
        def values(variables: range) -> list[NDArray[Any]]:
            self.clock.passes(recording)
            return [self.arrays[i] for i in variables]

        self.computing = computing
        self.recorder.step_ended(number, self.weights, values)

    @property
    def trace(self) -> StepTrace:
        return StepTrace(self.folder, 0)


def test_a_step_has_its_layout_and_the_start_of_each_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logging = Logging(tmp_path, monkeypatch, every=True)
    for step in (1, 2, 4):
        logging.step(step)
    assert logging.trace.steps.tolist() == [1, 2, 4]
    assert [logging.trace.record(i).layout for i in range(3)] == [10, 10, 10]
    assert logging.trace.row(2) == (b"\x02" * 8, b"\x01" * 8)
    assert logging.layouts == [[(2,), (1,)]]


def test_a_step_that_was_logged_is_not_logged_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logging = Logging(tmp_path, monkeypatch, every=True)
    for step in (3, 3, 2, 4):
        logging.step(step)
    assert logging.trace.steps.tolist() == [3, 4]


def test_a_model_that_has_grown_gets_another_layout_once_it_is_looked_at_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logging = Logging(tmp_path, monkeypatch, every=True)
    logging.step(1)
    logging.arrays.append(np.zeros((2, 3)))
    logging.step(2)
    logging.recorder.forget()
    logging.step(3)
    logging.recorder.forget()
    logging.step(4)
    assert logging.asked == 3
    assert logging.layouts == [[(2,), (1,)], [(2,), (1,), (2, 3)]]
    records = [logging.trace.record(i) for i in range(4)]
    assert [(r.layout, r.tensors) for r in records] == [(10, 2), (10, 2), (20, 3), (20, 3)]


def test_the_wait_for_a_step_is_no_part_of_what_recording_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logging = Logging(tmp_path, monkeypatch, every=False)
    for step in range(1, 101):
        logging.step(step, computing=99.0, recording=1.0)
    gaps = range(DENSE_STEPS + 1, DENSE_STEPS + Pace.GAP * Pace.GAPS + 1)
    expected = [s for s in range(1, 101) if s not in gaps or s % Pace.GAP == 0]
    assert logging.trace.steps.tolist() == expected
    assert logging.recorder.summary()["interval"] == 1
    assert logging.recorder.summary()["share"] == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize(("every", "logged"), [(True, 100), (False, DENSE_STEPS + 14)])
def test_dear_recordings_are_thinned_unless_every_step_is_asked_for(
    every: bool, logged: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logging = Logging(tmp_path, monkeypatch, every=every)
    for step in range(1, 101):
        # Every fourth keeps to a twentieth of the time.
        logging.step(step, computing=6.0, recording=1.0)
    assert len(logging.trace) == logged
    assert logging.recorder.summary()["interval"] == (1 if every else 4)


def test_what_the_script_has_logged_before_it_started_itself_again_is_gone(
    tmp_path: Path,
) -> None:
    log = StepLog(str(tmp_path), 0)
    log.append(1, 1, [b"12345678"])
    log.close()
    training = Training(tmp_path)
    left: list[int] = []
    training.model.optimizer.updates = 0
    training.events = Watched(lambda: left.append(len(StepTrace(tmp_path, 0))))
    training.fit([1, 1])
    # From the first event on that tells of the model.
    assert left[0] == 0
    assert training.logged == [1, 2]


class Watched(list[dict[str, Any]]):
    """Calls before it takes in an event."""

    def __init__(self, call: Any) -> None:
        super().__init__()
        self.call = call

    def append(self, event: dict[str, Any]) -> None:
        self.call()
        super().append(event)


TWICE = """
import keras
import numpy as np

keras.utils.set_random_seed(1)
x = np.random.normal(size=(24, 4)).astype("float32")
layers = [keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
model = keras.Sequential(layers, name="twice")
for optimizer in ("sgd", "adam"):
    model.compile(optimizer, "mse")
    model.fit(x, x.sum(axis=1), batch_size=8, epochs=2, verbose=0)
"""


def in_each(*long: str) -> pytest.MarkDecorator:
    marks = {name: [pytest.mark.long] if name in long else [] for name in BACKENDS}
    return pytest.mark.parametrize(
        "backend", [pytest.param(name, marks=marks[name]) for name in BACKENDS]
    )


@pytest.mark.subject
@in_each("jax", "torch")
def test_rows_are_those_of_the_checkpoints(backend: str, tmp_path: Path) -> None:
    """Of a model that its first batch builds, compiled and fitted twice."""
    need(backend)
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(TWICE))
    shown, trial = look(tmp_path / "subject", script, backend=backend)
    assert shown.code == 0, shown.err
    assert [e.error for e in trial.errors] == []
    assert trial.models == {0: "twice"}
    trace = trial.traces[0]
    assert trace.steps.tolist()[: Pace.FEWEST] == list(range(1, Pace.FEWEST + 1))
    init, *epochs = trial.checkpoints
    assert init.kind == "init"
    # Only there a fit begins before it has built the model.
    assert (len(init.tensors) == 0) == (backend == "tensorflow")
    assert [epoch.step for epoch in epochs] == [3, 6, 9, 12]
    for epoch in epochs[:3]:
        place = trace.steps.tolist().index(epoch.step)
        record, row = trace.record(place), trace.row(place) or ()
        paths = [path for path, _, _ in trial.layouts[record.layout].tensors]
        rows = [(path, digest.hex()) for path, digest in zip(paths, row, strict=True)]
        assert rows == [(path, digest[:16]) for path, digest in epoch.tensors]
    # Each step has left other weights.
    assert len({trace.record(i).root for i in range(len(trace))}) == len(trace)


AWAY = """
import sys

import keras
import numpy as np

# The memory of the host stands for a device's.
(ours,) = [module for name, module in sys.modules.items() if name.endswith(".device_values")]
ours.away = lambda values: True
keras.utils.set_random_seed(1)
x = np.random.normal(size=(24, 4)).astype("float32")
inner = keras.layers.Dense(4, dtype="bfloat16")
model = keras.Sequential([inner, keras.layers.BatchNormalization(), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(x, x.sum(axis=1), batch_size=8, verbose=0)
np.savez("weights.npz", *[keras.ops.convert_to_numpy(w).astype("float32") for w in model.weights])
"""


@pytest.mark.subject
@in_each("jax")
def test_what_lies_on_a_device_is_digested_there(backend: str, tmp_path: Path) -> None:
    need(backend)
    script = tmp_path / "train.py"
    script.write_text(AWAY)
    shown, trial = look(tmp_path / "subject", script, backend=backend)
    assert shown.code == 0, shown.err
    assert [e.error for e in trial.errors] == []
    trace = trial.traces[0]
    assert (trace.method, trace.last) == (ON_DEVICE, 3)
    tensors = trial.layouts[trace.record(2).layout].tensors
    with np.load(tmp_path / "subject" / "weights.npz") as saved:
        weights = [saved[name] for name in saved.files]
    expected = [
        finish(numpy_lanes(weight.astype(kind(dtype))), dtype, shape)
        for weight, (_, dtype, shape) in zip(weights, tensors, strict=True)
    ]
    assert [dtype for _, dtype, _ in tensors] == ["bfloat16"] * 2 + ["float32"] * 6
    assert trace.row(2) == tuple(expected)
    # The layout is the same one where weights are copied, as at the ends of epochs.
    assert len(trial.layouts) == 1 + (backend == "tensorflow")


def test_a_device_that_we_know_too_little_of_has_its_values_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(values: Any) -> list[bytes]:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(device_values, "away", lambda values: True)
    monkeypatch.setattr(device_values, "digests", fails)
    logging = Logging(tmp_path, monkeypatch, every=True)
    logging.step(1)
    logging.step(2)
    assert logging.trace.method == ON_HOST
    assert logging.trace.row(1) == (b"\x02" * 8, b"\x01" * 8)
