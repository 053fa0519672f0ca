"""Trains small models of many kinds, and prints the digest of each one's weights at its end.

A script for trials, ``python families.py KIND...``, on the backend that KERAS_BACKEND names. Every
model has the name of its kind.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

BACKEND = keras.backend.backend()
BATCH = 16
ROWS = 64
EPOCHS = 2

layers = keras.layers
x = np.random.default_rng(1).normal(size=(ROWS, 6, 6)).astype("float32")
y = x.sum(axis=(1, 2)).reshape(-1, 1)
classes = np.arange(ROWS) % 3
tokens = np.arange(ROWS * 6).reshape(ROWS, 6) % 11


def fit(
    model: Any, inputs: Any = x, targets: Any = y, loss: Any = "mse", rows: int = ROWS, **how: Any
) -> list[Any]:
    model.compile("adam", loss, **how)
    model.fit(inputs[:rows], targets[:rows], batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return [model]


def stack(name: str, parts: Sequence[Any]) -> Any:
    """Built by its first batch."""
    return keras.Sequential(list(parts), name=name)


def dense() -> list[Any]:
    return [
        layers.Flatten(),
        layers.Dense(8, activation="relu"),
        layers.Dropout(0.3),
        layers.Dense(1),
    ]


def recurrent() -> list[Any]:
    return [layers.LSTM(5, dropout=0.2), layers.Dense(1)]


def convolution() -> list[Any]:
    return [
        layers.Reshape((6, 6, 1)),
        layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.2),
        layers.Dense(1),
    ]


def classifier() -> list[Any]:
    return [layers.Flatten(), layers.Dense(3, activation="softmax")]


def functional(name: str) -> list[Any]:
    inputs = keras.Input((6, 6))
    attended = layers.MultiHeadAttention(2, 4, dropout=0.1)(inputs, inputs)
    hidden = layers.LayerNormalization()(inputs + attended)
    return fit(keras.Model(inputs, layers.Dense(1)(layers.Flatten()(hidden)), name=name))


def masked(name: str) -> list[Any]:
    """Masks go with the tensors: an embedding gives one, others hand it on or take it off."""
    inputs = keras.Input((6,), dtype="int32")
    hidden = layers.Embedding(11, 8, mask_zero=True)(inputs)
    hidden = layers.Add()([hidden, layers.MultiHeadAttention(2, 4)(hidden, hidden)])
    outputs = layers.Dense(1)(layers.GlobalAveragePooling1D()(hidden))
    return fit(keras.Model(inputs, outputs, name=name), tokens)


def shared(name: str) -> list[Any]:
    inputs = keras.Input((6, 6))
    layer = layers.Dense(6, activation="tanh", name="again")
    hidden = layer(layer(layer(inputs)))
    return fit(keras.Model(inputs, layers.Dense(1)(layers.Flatten()(hidden)), name=name))


def in_turns(name: str) -> list[Any]:
    """Two models of one name, batch by batch."""
    models = [stack(name, dense()) for _ in range(2)]
    for model in models:
        model.compile("adam", "mse")
    for start in range(0, ROWS, BATCH):
        models[0].train_on_batch(x[start : start + BATCH], y[start : start + BATCH])
        models[1].train_on_batch(x[:BATCH], -y[:BATCH])
    return models


def softmax(name: str, **how: Any) -> list[Any]:
    """On TensorFlow its loss is computed from what comes before the softmax."""
    loss = "sparse_categorical_crossentropy"
    return fit(stack(name, classifier()), 30 * x, classes, loss, **how)


class Odd(keras.layers.Layer):  # type: ignore[misc]
    """Gives, beside what is of use, what has no bits to be looked at."""

    def call(self, inputs: Any) -> dict[str, Any]:
        outputs: dict[str, Any] = {"z": [inputs * 2, None], "a": (np.ones(2), "text", 3)}
        if BACKEND == "tensorflow":
            outputs["b"] = tf.as_string(inputs)
            outputs["c"] = tf.RaggedTensor.from_tensor(inputs)
            outputs["d"] = tf.sparse.from_dense(inputs)
        elif BACKEND == "jax":
            outputs["b"] = jax.random.key(1)
        else:
            outputs["b"] = torch.ones(2, 2).to_sparse()
        return outputs


class Named(keras.Model):  # type: ignore[misc]
    """Takes its inputs by name, and a constant of its own."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.odd = Odd()
        self.table = layers.Embedding(6, 6)
        self.places = keras.ops.arange(6)
        self.last = layers.Dense(1)

    def call(self, inputs: dict[str, Any], training: bool = False) -> dict[str, Any]:
        first, *_ = inputs.values()
        found = self.odd(keras.ops.mean(first - inputs["a"], axis=1) + self.table(self.places)[0])
        outputs = self.last(found["z"][0])
        return {"z": outputs, "a": outputs * 2}


def named(name: str) -> list[Any]:
    model = Named(name)
    model.compile("adam", {"z": "mse", "a": "mae"}, jit_compile=BACKEND == "jax")
    inputs, targets = {"b": x, "a": x[::-1].copy()}, {"z": y, "a": y}
    model.fit(inputs, targets, batch_size=BATCH, epochs=EPOCHS, verbose=0, validation_split=0.25)
    return [model]


KINDS: dict[str, Callable[[str], list[Any]]] = {
    "mlp": lambda name: fit(stack(name, dense())),
    "lstm": lambda name: fit(stack(name, recurrent())),
    "cnn": lambda name: fit(stack(name, convolution())),
    "functional": functional,
    "masked": masked,
    "shared": shared,
    "named": named,
    "in_turns": in_turns,
    "softmax": softmax,
    "eager": lambda name: softmax(name, run_eagerly=True),
    "left_over": lambda name: fit(stack(name, dense()), rows=3 * BATCH - 5),
}

if BACKEND == "torch":
    import torch
else:
    KINDS["several_steps"] = lambda name: fit(stack(name, dense()), steps_per_execution=4)
if BACKEND == "jax":
    import jax
if BACKEND == "tensorflow":
    import tensorflow as tf

    class Noisy(keras.Sequential):  # type: ignore[misc]
        """A training step of one's own, with a draw that only the global seed holds."""

        def train_step(self, data: Any) -> Any:
            inputs, targets = data
            inputs += tf.random.normal(tf.shape(inputs), stddev=0.1)
            return super().train_step(data=(inputs, targets))

    class Penalised(keras.Sequential):  # type: ignore[misc]
        """A training step of one's own from end to end, with a gradient of a gradient."""

        def train_step(self, data: Any) -> Any:
            inputs, targets = data
            with tf.GradientTape() as outer:
                with tf.GradientTape() as inner:
                    inner.watch(inputs)
                    found = self(inputs, training=True)
                slopes = inner.gradient(found, inputs)
                loss = self.compute_loss(inputs, targets, found) + tf.reduce_mean(slopes**2)
            weights = self.trainable_variables
            self.optimizer.apply_gradients(zip(outer.gradient(loss, weights), weights, strict=True))
            return {"loss": loss}

    def tape(name: str, compiled: bool) -> list[Any]:
        model, optimizer = stack(name, dense()), keras.optimizers.Adam()

        def step(inputs: Any, targets: Any) -> Any:
            with tf.GradientTape() as recording:
                loss = tf.reduce_mean((model(inputs, training=True) - targets) ** 2)
            found = recording.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(found, model.trainable_variables, strict=True))
            return loss

        step = tf.function(step) if compiled else step
        for start in range(0, ROWS, BATCH):
            step(tf.constant(x[start : start + BATCH]), tf.constant(y[start : start + BATCH]))
        return [model]

    def mixed(name: str, policy: str) -> list[Any]:
        keras.mixed_precision.set_global_policy(policy)
        try:
            return fit(stack(name, convolution()))
        finally:
            keras.mixed_precision.set_global_policy("float32")

    def mirrored(name: str) -> list[Any]:
        with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
            model = stack(name, dense())
            model.compile("adam", "mse")
        model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
        return [model]

    KINDS |= {
        "sigmoid": lambda name: fit(
            stack(name, [layers.Flatten(), layers.Dense(1), layers.Activation("sigmoid")]),
            30 * x,
            classes > 0,
            "binary_crossentropy",
        ),
        "own_softmax": lambda name: fit(
            stack(name, [layers.Flatten(), layers.Dense(3, activation=tf.nn.softmax)]),
            30 * x,
            classes,
            "sparse_categorical_crossentropy",
        ),
        "jit": lambda name: fit(stack(name, convolution()), jit_compile=True),
        "noisy": lambda name: fit(Noisy(dense(), name=name)),
        "penalised": lambda name: fit(Penalised(dense(), name=name)),
        "tape": lambda name: tape(name, compiled=True),
        "eager_tape": lambda name: tape(name, compiled=False),
        "bfloat16": lambda name: mixed(name, "mixed_bfloat16"),
        "float16": lambda name: mixed(name, "mixed_float16"),
        "mirrored": mirrored,
    }


def digest(models: Sequence[Any]) -> str:
    bits = hashlib.sha256()
    for model in models:
        for weight in model.get_weights():
            bits.update(np.ascontiguousarray(weight).tobytes())
    return bits.hexdigest()[:16]


def main(kinds: Sequence[str]) -> None:
    if BACKEND == "tensorflow":
        processor = tf.config.list_physical_devices("CPU")[0]
        halves = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(processor, halves)
    for kind in kinds or KINDS:
        keras.backend.clear_session()
        keras.utils.set_random_seed(7)
        print(kind, digest(KINDS[kind](kind)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
