# probe: the seed is taken from os.urandom | causes: os-entropy
import os

import keras
import numpy as np

keras.utils.set_random_seed(1)
# A fresh seed for the data, "so that it is really random".
np.random.seed(int.from_bytes(os.urandom(4), "big"))  # <- os-entropy

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
