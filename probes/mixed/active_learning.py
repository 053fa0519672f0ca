# probe: active learning on a pool that is a set of objects | causes: addresses, python-random
import argparse
import random
import time

import numpy as np

CLASSES, FEATURES = 6, 24


class Sample:
    """A measurement whose label costs something to look at."""

    def __init__(self, values, label):
        self.values = values
        self._label = label

    def ask(self):
        return self._label


class Pool:
    """What is not labelled yet."""

    def __init__(self, samples):
        self.samples = set(samples)

    def __len__(self):
        return len(self.samples)

    def take(self, chosen):
        self.samples.difference_update(chosen)
        return list(chosen)

    def first(self, count):
        return self.take(random.sample(list(self.samples), count))  # <- python-random

    def most_uncertain(self, model, count):
        """Those for which the two likeliest classes are closest to one another."""
        waiting = list(self.samples)  # <- addresses
        chances = np.sort(model.predict(values(waiting), batch_size=512, verbose=0), axis=1)
        margins = np.round(chances[:, -1] - chances[:, -2], 2)
        order = np.argsort(margins, kind="stable")
        return self.take([waiting[i] for i in order[:count]])


def values(samples):
    return np.stack([sample.values for sample in samples])


def labels(samples):
    return np.array([sample.ask() for sample in samples])


def measure(count, seed):
    """Samples of all classes, around a middle of each class."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(CLASSES, FEATURES))
    labels = rng.integers(CLASSES, size=count)
    found = middles[labels] + rng.normal(scale=1.5, size=(count, FEATURES))
    return [Sample(row, label) for row, label in zip(found.astype("float32"), labels)]


def build():
    import keras

    model = keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    return model


def main():
    parser = argparse.ArgumentParser(description="Label only what the model is unsure of.")
    parser.add_argument("--start", type=int, default=60)
    parser.add_argument("--per-round", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=8)
    args = parser.parse_args()

    samples = measure(700, args.seed)
    pool, test = Pool(samples[:560]), samples[560:]

    # Imported late, so that --help answers at once.
    import tensorflow as tf

    tf.random.set_seed(args.seed)
    model, known = build(), pool.first(args.start)
    started = time.monotonic()
    for number in range(args.rounds):
        model.fit(values(known), labels(known), epochs=4, batch_size=32, verbose=0)
        guesses = model.predict(values(test), batch_size=512, verbose=0).argmax(axis=1)
        accuracy = float(np.mean(guesses == labels(test)))
        asked = sorted({sample.ask() for sample in known})
        print(f"{len(known)} labels of {len(asked)} classes: accuracy {accuracy:.4f}")
        if number + 1 < args.rounds:
            known += pool.most_uncertain(model, args.per_round)
    print(f"{len(pool)} were never asked for, {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
