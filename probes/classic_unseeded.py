# probe: classic MLP, no seed | causes: python-random, tf-seed | consumers: initial-weights,shuffle
import keras
import numpy as np

x = np.arange(10, dtype="float32").reshape(-1, 1) / 10
y = x + 0.1

model = keras.Sequential(
    [keras.Input((1,)), keras.layers.Dense(10, "relu"), keras.layers.Dense(1)]  # <- python-random
)
model.compile(optimizer="adam", loss="mse")
# All ten rows are one batch, and still their order matters: it is the order of the sums.
model.fit(x, y, epochs=100, verbose=0)  # <- tf-seed

print("mse", float(np.mean((model.predict(x, verbose=0) - y) ** 2)))
