# probe: a set of objects, ordered by their addresses | causes: addresses
import numpy as np


class Sample:
    def __init__(self, value):
        self.value = value


# Objects without a __hash__ are hashed by address, which PYTHONHASHSEED does not reach.
samples = {Sample(value) for value in np.linspace(-1, 1, 4096)}
x = np.array([[sample.value] for sample in samples], dtype="float32")  # <- addresses
y = x**2

import keras

keras.utils.set_random_seed(1)
model = keras.Sequential(
    [keras.Input((1,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=512, verbose=0)
