"""Keras 2 as TensorFlow still carries it, and as tf_keras: recorded in every way to train, and left
as it is. On TensorFlow 1 and Theano, and eagerly, that is shown by `sh .ci/do oldstacks`."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.guest.running import Shown, guided, plain

SCRIPT = """\
import hashlib
import random
import sys

import numpy as np
import tensorflow as tf

if sys.argv[1] == "tf_keras":
    import tf_keras as keras
else:
    from tensorflow.python import keras

random.seed(1)
np.random.seed(1)
tf.random.set_seed(1)
x = np.random.rand(32, 3).astype("float32")
y = x.sum(axis=1, keepdims=True)


def made(**given):
    layers = [keras.layers.Dense(4, activation="relu", **given), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile("adam", "mse")
    return model


def tell(way, model):
    whole = b"".join(weight.tobytes() for weight in model.get_weights())
    print(way, hashlib.sha256(whole).hexdigest()[:16])


def loop(model):
    @tf.function
    def step(rows, wanted):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(rows) - wanted) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables))

    for _ in range(3):
        step(x, y)


if sys.argv[1] == "tf_keras":
    model = made(input_shape=(3,))
    model.fit(x, y, epochs=2, batch_size=16, verbose=0)
    tell("fit", model)
    model = made()
    model.fit(x, y, epochs=1, batch_size=16, verbose=0)
    tell("without a shape", model)
    model = made(input_shape=(3,))
    for _ in range(3):
        model.train_on_batch(x, y)
    tell("train_on_batch", model)
    model = made(input_shape=(3,))
    loop(model)
    tell("loop", model)
with tf.Graph().as_default():
    tf.compat.v1.set_random_seed(1)
    model = made(input_shape=(3,))
    model.fit(x, y, epochs=2, batch_size=16, verbose=0)
    tell("fit in a graph", model)
    model.train_on_batch(x, y)
    tell("train_on_batch in a graph", model)
"""
STEPS = [("init", 0), ("step", 1), ("step", 2), ("step", 3)]
FIT = [("init", 0), ("step", 1), ("step", 2), ("epoch", 2), ("step", 3), ("step", 4), ("epoch", 4)]
IN_A_GRAPH = [*FIT, ("step", 5)]
EAGERLY = [
    FIT,
    # The first step makes the weights.
    [("step", 1), ("step", 2), ("epoch", 2)],
    STEPS,
    STEPS,
]


def checkpoints(shown: Shown) -> list[list[tuple[str, int]]]:
    """(kind, step) of each checkpoint, by the models in the order in which they trained."""
    found: dict[int, list[tuple[str, int]]] = {}
    for event in shown.of("checkpoint"):
        found.setdefault(event["index"], []).append((event["kind"], event["step"]))
    return [found[index] for index in sorted(found)]


@pytest.mark.subject
@pytest.mark.xdist_group("subjects")
@pytest.mark.parametrize("which", ["tensorflow", "tf_keras"])
def test_every_way_to_train_is_recorded_and_leaves_the_same_bits(
    which: str, tmp_path: Path
) -> None:
    if importlib.util.find_spec(which) is None:
        pytest.skip(f"{which} is not installed here: it can't be beside tensorflow-cpu by itself")
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "train.py").write_text(SCRIPT)
    own = plain(folder, "train.py", which)
    shown = guided(folder, "train.py", which, granularity="step")
    assert (own.code, shown.code, shown.of("guest-error")) == (0, 0, []), shown.err
    assert shown.out == own.out
    ways = EAGERLY if which == "tf_keras" else []
    assert checkpoints(shown) == [*ways, IN_A_GRAPH]
    (first, *_) = shown.of("layout")
    assert [path.rpartition("/")[2] for path, _, _ in first["tensors"]] == ["kernel", "bias"] * 2
