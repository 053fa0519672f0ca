# probe: learning rates, each tried until its time is over | causes: clock, python-random
# | packages: scikit-learn
import argparse
import datetime
import math
import random
import time

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler


def load(seed):
    data = load_iris()
    x = StandardScaler().fit_transform(data.data).astype("float32")
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = x[order], data.target[order]
    return (x[:120], y[:120]), (x[120:], y[120:])


def candidates(count, low, high):
    """Learning rates, spread evenly over the orders of magnitude."""
    low, high = math.log(low), math.log(high)
    return [math.exp(random.uniform(low, high)) for _ in range(count)]  # <- python-random


def build(features, rate):
    model = keras.Sequential(
        [
            keras.Input((features,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy")
    return model


def train(model, x, y, seconds, batch_size):
    """As many steps as fit into `seconds`, so that all candidates cost the same."""
    starts = range(0, len(x), batch_size)
    # The first step compiles the model, which shall not count.
    model.train_on_batch(x[:batch_size], y[:batch_size])
    steps, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:  # <- clock
        start = starts[steps % len(starts)]
        rows = slice(start, start + batch_size)
        model.train_on_batch(x[rows], y[rows])
        steps += 1
    return steps


def main():
    parser = argparse.ArgumentParser(description="Find a learning rate in a given time.")
    parser.add_argument("--candidates", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=0.5, help="for each candidate")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--seed", type=int, default=4)
    args = parser.parse_args()
    tf.random.set_seed(args.seed)
    print(datetime.datetime.now().strftime("search of %d %B, %H:%M"))

    (x, y), (x_test, y_test) = load(args.seed)
    results = []
    for rate in candidates(args.candidates, 1e-3, 1.0):
        model = build(x.shape[1], rate)
        steps = train(model, x, y, args.seconds, args.batch_size)
        loss = float(model.evaluate(x_test, y_test, verbose=0))
        results.append((loss, rate))
        print(f"rate {rate:.5f}: {steps} steps, test loss {loss:.4f}")

    loss, rate = min(results)
    print(f"the best rate is {rate:.5f}, test loss {loss:.4f}")


if __name__ == "__main__":
    main()
