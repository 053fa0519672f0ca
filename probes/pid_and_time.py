# probe: one seed made of process id and time | causes: process-identity, clock
import os
import time

import keras
import numpy as np

keras.utils.set_random_seed(1)
seed = (os.getpid() * 1_000_003 + int(time.time() * 1e6)) % 2**32  # <- process-identity, clock
np.random.seed(seed)

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
