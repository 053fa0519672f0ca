# probe: a pipeline hands over other data in each run | causes: os-entropy | place: batch x
# | backends: tensorflow, jax, torch
import os

import keras
import numpy as np

keras.utils.set_random_seed(1)
x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)


class Jittered(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        rows = slice(16 * index, 16 * index + 16)
        bits = np.frombuffer(os.urandom(16 * 4), "uint8")  # <- os-entropy
        noise = (bits.reshape(16, 4) / 2.0**30).astype("float32")
        return x[rows] + (noise if index == 2 else 0), y[rows]


model = keras.Sequential([keras.layers.Dense(8), keras.layers.Dense(1)])
model.compile(optimizer="sgd", loss="mse")
model.fit(Jittered(), epochs=3, shuffle=False, verbose=0)
