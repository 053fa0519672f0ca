# probe: noise of the training data drawn from unseeded Python random | causes: python-random
import random

import keras
import numpy as np
import tensorflow as tf

np.random.seed(1)
tf.random.set_seed(1)

x = np.linspace(0, 1, 64, dtype="float32").reshape(-1, 1)
y = 2 * x + np.array([[random.gauss(0, 0.1)] for _ in x], dtype="float32")  # <- python-random

# Unseeded initializers would draw from the same generator: keep them out of it.
init = keras.initializers.GlorotUniform
model = keras.Sequential(
    [
        keras.Input((1,)),
        keras.layers.Dense(8, activation="relu", kernel_initializer=init(seed=1)),
        keras.layers.Dense(1, kernel_initializer=init(seed=2)),
    ]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
