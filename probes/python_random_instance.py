# probe: an own random.Random() without a seed, which no global seed reaches | causes: python-random
import random

import keras
import numpy as np

keras.utils.set_random_seed(1)

rng = random.Random()  # <- python-random
rows = [(i / 64, i / 32) for i in range(64)]
rng.shuffle(rows)
x, y = (np.array(column, dtype="float32").reshape(-1, 1) for column in zip(*rows, strict=True))

model = keras.Sequential(
    [keras.Input((1,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
