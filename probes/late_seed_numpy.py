# probe: the data are drawn before NumPy is seeded | causes: numpy-global
import random

import keras
import numpy as np
import tensorflow as tf

x = np.random.normal(size=(64, 4)).astype("float32")  # <- numpy-global
y = x.sum(axis=1, keepdims=True)

SEED = 1
random.seed(SEED)
np.random.seed(SEED)
tf.random.set_seed(SEED)

x += np.random.normal(scale=0.1, size=x.shape).astype("float32")
model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
