# probe: contrastive pairs of misspelt names, picked by Python's random
# | causes: python-random, third-party-rng | packages: faker
import argparse
import random
import string
import zlib

import keras
import numpy as np
import tensorflow as tf
from faker import Faker

BUCKETS, LENGTH = 256, 32


def people(count):
    fake = Faker(["en_GB"])
    return [f"{fake.name()}, {fake.city()}" for _ in range(count)]  # <- third-party-rng


def misspell(text, errors):
    """The same with letters dropped, doubled, swapped or mistyped."""
    letters = list(text)
    for _ in range(errors):
        place = random.randrange(len(letters) - 1)
        kind = random.choice(["drop", "double", "swap", "mistype"])
        if kind == "drop":
            del letters[place]
        elif kind == "double":
            letters.insert(place, letters[place])
        elif kind == "swap":
            letters[place : place + 2] = reversed(letters[place : place + 2])
        else:
            letters[place] = random.choice(string.ascii_lowercase)
    return "".join(letters)


def pairs(names):
    """Each name with a misspelt copy of it, and with another one."""
    rows = []
    for name in names:
        rows.append((name, misspell(name, errors=2), 1.0))
        rows.append((name, random.choice(names), 0.0))  # <- python-random
    return rows


def encode(text):
    """Numbers of the text's trigrams. Not by hash(), which is another in every process."""
    text = f"  {text.lower()} "
    grams = [text[i : i + 3] for i in range(len(text) - 2)][:LENGTH]
    numbers = [1 + zlib.crc32(gram.encode()) % (BUCKETS - 1) for gram in grams]
    return numbers + [0] * (LENGTH - len(numbers))


def arrays(rows):
    left = np.array([encode(a) for a, _, _ in rows], dtype="int32")
    right = np.array([encode(b) for _, b, _ in rows], dtype="int32")
    return [left, right], np.array([same for _, _, same in rows], dtype="float32")


def contrastive(margin):
    def loss(same, distance):
        same = tf.reshape(same, tf.shape(distance))
        far = tf.maximum(margin - distance, 0.0)
        return tf.reduce_mean(same * distance**2 + (1 - same) * far**2)

    return loss


def build(width):
    tower = keras.Sequential(
        [
            keras.Input((LENGTH,), dtype="int32"),
            keras.layers.Embedding(BUCKETS, width),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(width),
        ],
        name="tower",
    )
    left, right = keras.Input((LENGTH,), dtype="int32"), keras.Input((LENGTH,), dtype="int32")
    apart = keras.layers.Subtract()([tower(left), tower(right)])
    distance = keras.layers.Lambda(lambda d: keras.ops.norm(d + 1e-6, axis=1, keepdims=True))
    return keras.Model([left, right], distance(apart), name="siamese")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--width", type=int, default=16)
    args = parser.parse_args()
    np.random.seed(3)
    tf.random.set_seed(3)

    rows = pairs(people(args.people))
    border = int(0.8 * len(rows))
    model = build(args.width)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=contrastive(margin=1.0))
    model.fit(*arrays(rows[:border]), epochs=args.epochs, batch_size=32, verbose=2)

    inputs, same = arrays(rows[border:])
    distances = model.predict(inputs, verbose=0).ravel()
    print("accuracy", float(np.mean((distances < 0.5) == same)), "on", len(same), "pairs")


if __name__ == "__main__":
    main()
