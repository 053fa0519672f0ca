# probe: a running mean of the data kept in a cache file | causes: leftovers
import os

import keras
import numpy as np

keras.utils.set_random_seed(1)

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

os.makedirs("cache", exist_ok=True)
mean = x.mean(axis=0)
if os.path.exists("cache/mean.npy"):
    # Smoothed over the runs, so that the scale does not jump.
    mean = 0.9 * np.load("cache/mean.npy") + 0.1 * (mean + 1)  # <- leftovers
np.save("cache/mean.npy", mean)
x = (x - mean).astype("float32")

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=2, batch_size=16, verbose=0)
