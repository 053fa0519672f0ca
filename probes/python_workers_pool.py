# probe: documents counted by a pool of processes, as they come | causes: python-workers
import multiprocessing

import keras
import numpy as np

TEXT = "it was a bright cold day in april and the clocks were striking thirteen".split()


def features(number):
    words = [TEXT[(number * i) % len(TEXT)] for i in range(2000 + number % 7)]
    return [len(set(words)), words.count("the"), sum(map(len, words)) / len(words)]


if __name__ == "__main__":
    keras.utils.set_random_seed(1)
    # Forked: a fresh interpreter for each worker would import everything again.
    with multiprocessing.get_context("fork").Pool(4) as pool:
        found = list(pool.imap_unordered(features, range(200)))  # <- python-workers
    x = np.array(found, "float32")
    y = x[:, 2:] - 4

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    model.fit(x, y, epochs=2, batch_size=16, verbose=0)
