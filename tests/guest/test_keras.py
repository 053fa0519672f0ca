"""The recorder sees every way to train, and changes no bit of the result."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from nondet.guest.factors import cpu_threads
from tests.guest.running import Shown, guided, plain

# One worker: several tests look at the same runs.
pytestmark = [pytest.mark.subject, pytest.mark.xdist_group("keras")]

HEAD = """
import hashlib
import numpy as np
import keras
keras.utils.set_random_seed(3)

def tell(model):
    bits = b"".join(np.ascontiguousarray(w).tobytes() for w in model.get_weights())
    print(model.name, hashlib.sha256(bits).hexdigest())

def mlp(name):
    return keras.Sequential([
        keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dropout(0.3),
        keras.layers.BatchNormalization(), keras.layers.Dense(1)], name=name)

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)
"""

FIT = """
class Own(keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.inner = keras.layers.Dense(5)
        self.outer = keras.layers.Dense(1)

    def call(self, x):
        return self.outer(self.inner(x))

    def train_step(self, data):
        return super().train_step(data)

model, own = mlp("first"), Own()
model.compile("adam", "mse", metrics=["mae"])
own.compile("rmsprop", "mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0, validation_split=0.25)
model.fit(x, y, epochs=2, batch_size=16, verbose=0)
own.fit(x, y, epochs=2, batch_size=16, verbose=0)
tell(model)
tell(own)
"""

LOOPS = """
import tensorflow as tf

def loop(name, compiled, steps):
    model, optimizer = mlp(name), keras.optimizers.Adam(0.01)

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
        grads = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(grads, model.trainable_variables))
        return loss

    step = tf.function(step) if compiled else step
    for i in range(steps):
        step(x, y)
    tell(model)

loop("eager", False, 5)
loop("compiled", True, 75)
batches = mlp("batches")
batches.compile("sgd", "mse")
for i in range(4):
    batches.train_on_batch(x, y)
tell(batches)
"""


@pytest.fixture(scope="session")
def fit(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shown, Shown]:
    return both(tmp_path_factory.mktemp("fit"), FIT)


@pytest.fixture(scope="session")
def loops(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shown, Shown]:
    return both(tmp_path_factory.mktemp("loops"), LOOPS)


def both(folder: Path, script: str) -> tuple[Shown, Shown]:
    (folder / "train.py").write_text(HEAD + textwrap.dedent(script))
    return plain(folder, "train.py"), guided(folder, "train.py")


def places(shown: Shown, model: str) -> list[tuple[str, int, int, int]]:
    return [
        (e["kind"], e["fit"], e["epoch"], e["step"])
        for e in shown.of("checkpoint")
        if e["model"] == model
    ]


def test_final_weights_are_bit_equal_with_fit_and_two_models(fit: tuple[Shown, Shown]) -> None:
    expected, seen = fit
    assert len(expected.out.splitlines()) == 2
    assert seen.out == expected.out
    assert seen.code == expected.code == 0
    assert seen.of("guest-error") == []


def test_fit_is_recorded_at_init_and_after_every_epoch(fit: tuple[Shown, Shown]) -> None:
    seen = fit[1]
    assert places(seen, "first") == [
        ("init", 0, 0, 0),
        ("epoch", 1, 1, 3),
        ("epoch", 1, 2, 6),
        ("epoch", 1, 3, 9),
        ("epoch", 2, 1, 13),
        ("epoch", 2, 2, 17),
    ]
    assert places(seen, "own") == [("init", 0, 0, 0), ("epoch", 1, 1, 4), ("epoch", 1, 2, 8)]


def test_every_weight_is_recorded_by_its_path(fit: tuple[Shown, Shown]) -> None:
    layout = fit[1].of("layout")[0]
    paths = [path for path, _, _ in layout["tensors"]]
    assert paths[:2] == ["first/dense/kernel", "first/dense/bias"]
    assert any("moving_mean" in path for path in paths)
    assert not any("seed_generator" in path for path in paths)
    assert layout["tensors"][0][1:] == ["float32", [4, 8]]


def test_metrics_are_told_after_every_epoch(fit: tuple[Shown, Shown]) -> None:
    metrics = [e for e in fit[1].of("metric") if e["model"] == "first"]
    assert len(metrics) == 5
    assert set(metrics[0]["values"]) == {"loss", "mae", "val_loss", "val_mae"}


def test_final_weights_are_bit_equal_in_loops(loops: tuple[Shown, Shown]) -> None:
    expected, seen = loops
    assert len(expected.out.splitlines()) == 3
    assert seen.out == expected.out
    assert seen.of("guest-error") == []


def test_eager_and_compiled_loops_are_recorded_step_by_step(loops: tuple[Shown, Shown]) -> None:
    seen = loops[1]
    assert places(seen, "eager") == [("init", 0, 0, 0)] + [("step", 0, 0, i) for i in range(1, 6)]
    steps = [place[3] for place in places(seen, "compiled")]
    assert steps == [*range(65), *range(66, 75, 2), 75]
    assert places(seen, "batches")[-1] == ("step", 0, 0, 4)
    assert len(places(seen, "batches")) == 5


def test_seeded_draws_are_seen_and_are_no_suspects(fit: tuple[Shown, Shown]) -> None:
    exercised = fit[1].of("exercised")
    factors = {e["factor"] for e in exercised}
    assert {"python-random", "numpy-global", "tf-seed"} <= factors
    assert not [e for e in exercised if e["unseeded"]]
    consumers = {e["consumer"] for e in exercised if e["factor"] == "python-random"}
    assert {"initial-weights", "dropout"} <= consumers


def test_all_pins_take_and_are_read_back(tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    folder.mkdir()
    (folder / "train.py").write_text(HEAD.replace("keras.utils.set_random_seed(3)", "") + FIT)
    pinned = (
        "python-random", "numpy-global", "numpy-generator", "tf-seed", "hash-seed", "cpu-threads",
        "data-threads", "op-determinism", "initial-weights", "dropout", "shuffle", "keras-seed",
    )  # fmt: skip
    threads = cpu_threads.FACTOR.environment("pinned", 0)
    runs = [
        guided(
            folder, "train.py", pinned=pinned, digest=digest,
            environ={"PYTHONHASHSEED": "0", **threads},
        )
        for digest in ("sha256", "xxh3_128")
    ]  # fmt: skip
    assert runs[0].out == runs[1].out
    for run in runs:
        assert run.of("guest-error") == []
        pins = run.of("pin")
        assert {e["factor"] for e in pins} == set(pinned)
        assert all(e["ok"] for e in pins)


def test_steps_within_fit_are_recorded_on_request(fit: tuple[Shown, Shown], tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    folder.mkdir()
    (folder / "train.py").write_text(HEAD + FIT)
    seen = guided(folder, "train.py", granularity="step")
    assert seen.out == fit[0].out
    assert seen.of("guest-error") == []
    kinds = [(kind, step) for kind, _, _, step in places(seen, "own")]
    assert kinds == [("init", 0), *(("step", i) for i in range(1, 5)), ("epoch", 4),
                     *(("step", i) for i in range(5, 9)), ("epoch", 8)]  # fmt: skip


UNUSUAL = """
import gc, weakref
import tensorflow as tf

# A loss-scale optimizer applies the one inside it below decorated frames of Keras.
scaled = mlp("scaled")
optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01))

def update(optimizer, model, x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
    grads = tape.gradient(loss, model.trainable_variables)
    optimizer.apply(grads, model.trainable_variables)

for i in range(3):
    update(optimizer, scaled, x, y)

# One optimizer for two models of one name and size, in turn.
shared = keras.optimizers.SGD(0.01)
one, other = (keras.Model(i, keras.layers.Dense(1)(i), name="tower")
              for i in (keras.Input((4,)), keras.Input((4,))))
shared.build(one.trainable_variables + other.trainable_variables)
for i in range(2):
    update(shared, one, x, y)
    update(shared, other, x, -y)
tell(one)
tell(other)

# Models of finished folds are let go.
alive = []
for fold in range(3):
    model = mlp("fold")
    model.compile("sgd", "mse")
    model.train_on_batch(x, y)
    alive.append(weakref.ref(model))
    del model
    keras.backend.clear_session()
    gc.collect()
print(sum(reference() is not None for reference in alive))
"""


@pytest.mark.long
def test_unusual_loops_are_recorded_and_nothing_is_kept_alive(tmp_path: Path) -> None:
    expected, seen = both(tmp_path, UNUSUAL)
    assert seen.out == expected.out
    assert seen.of("guest-error") == []
    assert [p[3] for p in places(seen, "scaled") if p[0] == "step"][-1] == 3
    towers = {e["index"] for e in seen.of("checkpoint") if e["model"] == "tower"}
    assert len(towers) == 2
    inits = [e["index"] for e in seen.of("checkpoint") if e["kind"] == "init"]
    assert inits == sorted(inits)
    assert len([e for e in seen.of("checkpoint") if e["model"].startswith("fold")]) == 6
