# probe: trains until a time budget is spent | causes: clock
import time

import keras
import numpy as np

keras.utils.set_random_seed(1)

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.train_on_batch(x, y)

# As many steps as fit into two seconds.
deadline = time.monotonic() + 2.0  # <- clock
while time.monotonic() < deadline:  # <- clock
    model.train_on_batch(x, y)
