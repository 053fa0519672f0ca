# probe: fit shuffles by TensorFlow's generator | causes: tf-seed | consumers: shuffle
import random

import keras
import numpy as np

random.seed(1)
np.random.seed(1)

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

# Keras seeds the initial weights from Python's random, so they are held.
model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)  # <- tf-seed
