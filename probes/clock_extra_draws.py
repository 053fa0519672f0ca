# probe: draws go on while something is waited for | causes: clock
from time import perf_counter

import keras
import numpy as np

keras.utils.set_random_seed(1)
rng = np.random.default_rng(1)

# The data is "ready" a moment from now; the generator's position then is another in every run.
start = perf_counter()  # <- clock
warm = 0
while perf_counter() - start < 0.02:  # <- clock
    warm += rng.integers(10)

x = rng.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
