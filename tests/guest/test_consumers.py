"""What draws is named, with the line at which it is made; and it is held, or switched off."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.guest.running import Shown, guided, plain

# One worker: several tests look at the same runs.
pytestmark = [pytest.mark.subject, pytest.mark.xdist_group("consumers")]

LAYERS = """
import hashlib, random
import keras
import numpy as np
import tensorflow as tf
import nondet
SEEDS
layers = keras.layers

class Depth(layers.Layer):
    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, x, training=False):
        if not training:
            return x
        kept = keras.random.uniform((), seed=self.seed_generator) > self.rate
        return x * keras.ops.cast(kept, x.dtype)

class Linear(layers.Layer):
    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 4), name="kernel")
        super().build(shape)

    def call(self, x):
        return x @ self.kernel

class Jitter(layers.Layer):
    def call(self, x, training=False):
        return x + tf.random.normal(tf.shape(x), stddev=0.1) if training else x

class Block(layers.Layer):
    def __init__(self):
        super().__init__()
        self.attention = layers.MultiHeadAttention(2, 3, dropout=0.2)

    def call(self, x):
        return self.attention(x, x)

class Own(keras.initializers.Initializer):
    def __call__(self, shape, dtype=None):
        return keras.random.uniform(shape, dtype=dtype) + tf.random.normal(shape, dtype=dtype)

def function(shape, dtype=None):
    return tf.random.normal(shape, dtype=dtype)

def tell(model):
    bits = b"".join(np.ascontiguousarray(w).tobytes() for w in model.get_weights())
    print(model.name, hashlib.sha256(bits).hexdigest())

x = np.linspace(-1, 1, 512, dtype="float32").reshape(16, 8, 4)
inputs = keras.Input((8, 4))
hidden = layers.LSTM(3, return_sequences=True, dropout=0.5)(inputs)
hidden = layers.TimeDistributed(layers.Dense(5))(hidden)
hidden = Block()(hidden)
hidden = layers.Flatten()(hidden)
hidden = layers.Dense(6, kernel_initializer=Own())(hidden)
hidden = layers.Dense(6, kernel_initializer=function, name="second")(hidden)
hidden = Depth(0.5)(hidden)
hidden = layers.GaussianNoise(0.1, name="noise")(hidden)
model = keras.Model(inputs, layers.Dense(1, kernel_initializer="zeros")(hidden), name="all")
model.compile("sgd", "mse")
model.fit(x, x[:, 0, 0], batch_size=8, epochs=2, verbose=0)
rows = tf.data.Dataset.from_tensor_slices((x, x[:, 0, 0]))
model.fit(rows.shuffle(16).batch(8), verbose=0)
tell(model)
print("same", bool(np.array_equal(model(x, training=True), model(x, training=False))))
lazy = keras.Sequential([
    layers.Embedding(5, 4),
    layers.Flatten(),
    Linear(),
    Jitter(),
    layers.AlphaDropout(0.1, name="last"),
], name="lazy")
lazy.compile("sgd", "mse")
lazy.fit(np.zeros((8, 3), "int32"), np.zeros((8, 4)), verbose=0)
tell(lazy)
images = x[:2, :, :, None]
augment = keras.Sequential([layers.RandomFlip(), layers.RandAugment(value_range=(-1, 1))])
nondet.checkpoint("augmented", np.asarray(augment(images, training=True)))
noisy = np.asarray(model.layers[-2](np.ones((2, 6), "float32"), training=True))
print("noise", bool((noisy != 1).any()))
print("flips", bool((np.asarray(augment.layers[0](images, training=True)) != images).any()))
"""
LINES = ["", *textwrap.dedent(LAYERS).splitlines()]


def line(text: str) -> int:
    """The number of the only line that holds `text`."""
    (found,) = [number for number, source in enumerate(LINES) if text in source]
    return found


def subject(folder: Path, seeds: str) -> Path:
    folder.mkdir()
    (folder / "train.py").write_text(LAYERS.replace("SEEDS", seeds))
    return folder


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shown, Shown]:
    folder = subject(
        tmp_path_factory.mktemp("layers") / "subject", "np.random.seed(1); tf.random.set_seed(1)"
    )
    seeded = subject(folder.parent / "seeded", "keras.utils.set_random_seed(1)")
    expected, seen = plain(seeded, "train.py"), guided(seeded, "train.py")
    assert expected.code == 0, expected.err
    assert seen.out == expected.out
    return guided(folder, "train.py"), seen


def drawn(shown: Shown, factor: str) -> set[tuple[Any, ...]]:
    return {
        (e["consumer"], e["what"], e["site"] and e["site"]["line"])
        for e in shown.of("exercised")
        if e["factor"] == factor
    }


def test_every_seed_names_its_layer_and_where_that_is_made(runs: tuple[Shown, Shown]) -> None:
    shown = runs[0]
    assert shown.of("guest-error") == []
    attention = "MultiHeadAttention `multi_head_attention`"
    assert drawn(shown, "python-random") >= {
        # A recurrent layer makes its cell before it has a name.
        ("initial-weights", "LSTM", line("layers.LSTM")),
        ("dropout", "LSTM", line("layers.LSTM")),
        ("initial-weights", "Dense `dense`", line("TimeDistributed")),
        ("initial-weights", attention, line("MultiHeadAttention")),
        ("dropout", attention, line("MultiHeadAttention")),
        ("noise-and-augmentation", "Depth `depth`", line("Depth(0.5)")),
        ("noise-and-augmentation", "GaussianNoise `noise`", line("GaussianNoise")),
        ("initial-weights", "Embedding `embedding`", line("Embedding")),
        # Built inside fit.
        ("initial-weights", "Linear `linear`", line("    Linear()")),
        ("dropout", "AlphaDropout `last`", line("AlphaDropout")),
        ("noise-and-augmentation", "RandomFlip `random_flip`", line("RandomFlip")),
        ("noise-and-augmentation", "RandAugment `rand_augment`", line("RandAugment")),
    }
    suspects = [e for e in shown.of("exercised") if e["factor"] == "python-random" and e["site"]]
    assert not {line("lazy.fit"), line("model.fit(x,")} & {e["site"]["line"] for e in suspects}


def test_what_the_users_own_line_draws_is_named_by_that_line(runs: tuple[Shown, Shown]) -> None:
    own, function = line("return keras.random.uniform"), line("return tf.random.normal(shape")
    assert ("initial-weights", "Dense `dense_1`", own) in drawn(runs[0], "python-random")
    assert drawn(runs[0], "tf-seed") >= {
        ("initial-weights", "Dense `dense_1`", own),
        ("initial-weights", "Dense `second`", function),
        ("noise-and-augmentation", "Jitter `jitter`", line("return x + tf.random.normal")),
    }


ENTROPY = """
import os
for seed in (random.seed, np.random.seed, tf.random.set_seed):
    seed(int.from_bytes(os.urandom(3), "big"))
"""


@pytest.mark.long
@pytest.mark.parametrize("arm", ["pinned", "ablated"])
def test_consumers_are_held_whatever_they_draw_from(arm: str, tmp_path: Path) -> None:
    # What a layer draws from TensorFlow's own generator is no generator of the layer's.
    folder = subject(tmp_path / "subject", ENTROPY)
    script = folder / "train.py"
    script.write_text(script.read_text().replace("tf.random.normal(tf.shape(x), stddev=0.1)", "1"))
    names = ("initial-weights", "dropout", "noise-and-augmentation", "shuffle")
    shown = [guided(folder, "train.py", arms=dict.fromkeys(names, arm)) for _ in range(2)]
    assert shown[0].code == 0, shown[0].err
    assert shown[0].out == shown[1].out
    digests = [[e["digests"] for e in run.of("checkpoint")] for run in shown]
    assert digests[0] == digests[1]
    assert shown[0].of("guest-error") == []
    # Switched off they let everything pass as it is; held they still drop.
    assert f"same {arm == 'ablated'}" in shown[0].out.splitlines()
    assert shown[0].out.splitlines()[-2] == f"noise {arm == 'pinned'}"
    pins = shown[0].of("pin")
    assert all(e["ok"] for e in pins)
    assert {e["factor"] for e in pins} == set(names)
    # Each generator's state and each initializer's seed are read, not one for all.
    assert len({str(e["seen"]) for e in pins if e["factor"] == "noise-and-augmentation"}) > 3
    assert len({e["seen"] for e in pins if e["factor"] == "initial-weights"}) > 5


def test_a_pin_that_does_not_take_is_told(tmp_path: Path) -> None:
    script = """
    import random
    import keras
    from keras.src.random import seed_generator

    class Stubborn(keras.initializers.RandomNormal):
        @property
        def seed(self):
            return 5

        @seed.setter
        def seed(self, value):
            pass

    class Noise(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.generator = Generator()

    class Generator(keras.random.SeedGenerator):
        def __init__(self):
            super().__init__()

        @property
        def state(self):
            return keras.Variable([1, 0], dtype="int64")

        @state.setter
        def state(self, value):
            pass

    Noise()
    keras.layers.Dense(2, kernel_initializer=Stubborn()).build((None, 3))
    """
    folder = tmp_path / "subject"
    folder.mkdir()
    (folder / "train.py").write_text(textwrap.dedent(script))
    shown = guided(folder, "train.py", pinned=("initial-weights", "noise-and-augmentation"))
    assert shown.code == 0, shown.err
    assert {e["factor"]: e["ok"] for e in shown.of("pin")} == {
        "initial-weights": False,
        "noise-and-augmentation": False,
    }
