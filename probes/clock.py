# probe: the seed is taken from the time | causes: clock
import time

import keras
import numpy as np

keras.utils.set_random_seed(1)
np.random.seed(time.time_ns() % 2**32)  # <- clock

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
