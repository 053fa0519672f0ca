# probe: a forked process seeds Python's random anew | causes: python-random
import multiprocessing
import random

random.seed(1)


def noisy(value):
    return value + random.gauss(0, 0.1)


# Before TensorFlow is there, which does not bear a fork.
with multiprocessing.get_context("fork").Pool(1) as pool:  # <- python-random
    values = pool.map(noisy, [i / 64 for i in range(64)])

import keras
import numpy as np

keras.utils.set_random_seed(1)

x = np.array(values, dtype="float32").reshape(-1, 1)
model = keras.Sequential(
    [keras.Input((1,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, x**2, epochs=3, batch_size=16, verbose=0)
