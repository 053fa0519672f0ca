# probe: classic MLP, seeded as for Keras 2 | causes: python-random | consumers: initial-weights
# Keras 3 seeds its initializers from Python's random, which the old recipe leaves alone.
import keras
import numpy as np
import tensorflow as tf

np.random.seed(1)
tf.random.set_seed(1)

x = np.arange(10, dtype="float32").reshape(-1, 1) / 10
y = x + 0.1

model = keras.Sequential(
    [keras.Input((1,)), keras.layers.Dense(10, "relu"), keras.layers.Dense(1)]  # <- python-random
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=100, verbose=0)

print("mse", float(np.mean((model.predict(x, verbose=0) - y) ** 2)))
