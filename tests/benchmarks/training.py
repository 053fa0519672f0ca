"""A training to be measured: ``training.py MODEL STEPS EPOCHS``, from random numbers.

It trains for one step, for WARM_UP more, then for that many epochs of that many steps. Before each
of these epochs, the first two among them, it waits for a line; after it, it prints the times at
which the epoch began, its steps had ended, and what comes with an epoch's end had been done. The
last line is the number of parameters and a digest of the final weights.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

WARM_UP = 64
"""Steps by which nondet has settled how often it records: the last time is the 64th."""
WORDS = 10_000
Layer = Any


def mlp() -> Layer:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((256,)),
            layers.Dense(512, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(256, activation="relu"),
            layers.Dense(10),
        ]
    )


def cnn() -> Layer:
    layers = keras.layers
    model = keras.Sequential([keras.Input((32, 32, 3))])
    for filters in (24, 48, 96, 192):
        model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    for _ in range(2):
        model.add(layers.Dense(2700, activation="relu"))
    model.add(layers.Dense(10))
    return model


def lstm() -> Layer:
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((64,)), layers.Embedding(WORDS, 64), layers.LSTM(64), layers.Dense(10)]
    )


def transformer() -> Layer:
    layers = keras.layers
    words = keras.Input((32,))
    x = layers.Embedding(WORDS, 64)(words)
    for _ in range(2):
        attended = layers.MultiHeadAttention(4, 16, dropout=0.1)(x, x)
        x = layers.LayerNormalization()(layers.add([x, attended]))
        wide = layers.Dense(256, activation="gelu")(x)
        x = layers.LayerNormalization()(layers.add([x, layers.Dense(64)(wide)]))
    return keras.Model(words, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


def deep() -> Layer:
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((16,)), *(layers.Dense(16, activation="tanh") for _ in range(500))]
    )


MODELS: dict[str, tuple[Callable[[], Layer], int]] = {
    "mlp": (mlp, 32),
    "cnn": (cnn, 32),
    "lstm": (lstm, 32),
    "transformer": (transformer, 32),
    "deep": (deep, 32),
}
"""How each is made, and the examples in a batch."""


class Turns:
    """Waits for the word before an epoch, and tells of each when it is wholly over."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def begins(self) -> None:
        self.tell()
        sys.stdin.readline()
        self.times = [time.perf_counter()]

    def trained(self) -> None:
        self.times.append(time.perf_counter())

    def tell(self) -> None:
        """After what others do at an epoch's end: that comes after our own `trained`."""
        if self.times:
            self.times.append(time.perf_counter())
            say(self.times)
            self.times = []


def say(told: object) -> None:
    print(json.dumps(told), flush=True)


def digest(model: Layer) -> str:
    found = hashlib.sha256()
    for weights in model.get_weights():
        found.update(f"{weights.dtype} {weights.shape}".encode() + weights.tobytes())
    return found.hexdigest()


def main(name: str, steps: int, epochs: int) -> None:
    keras.utils.set_random_seed(20261)
    make, batch = MODELS[name]
    model = make()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng(20262)
    count, shape = max(steps, WARM_UP) * batch, model.input_shape[1:]
    if name in ("lstm", "transformer"):
        x = rng.integers(0, WORDS, (count, *shape)).astype("int32")
    else:
        x = rng.standard_normal((count, *shape)).astype("float32")
    y = rng.integers(0, 10, count)
    say("ready")
    turns = Turns()
    listener = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: turns.begins(),
        on_epoch_end=lambda epoch, logs: turns.trained(),
        on_train_end=lambda logs: turns.tell(),
    )
    for length, times in ((1, 1), (WARM_UP, 1), (steps, epochs)):
        examples = slice(length * batch)
        model.fit(
            x[examples],
            y[examples],
            batch_size=batch,
            epochs=times,
            verbose=0,
            callbacks=[listener],
        )
    say([model.count_params(), digest(model)])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
