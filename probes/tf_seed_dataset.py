# probe: tf.data shuffles without a seed | causes: tf-seed | consumers: shuffle
import random

import keras
import numpy as np
import tensorflow as tf

random.seed(1)
np.random.seed(1)

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)
rows = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(64).batch(16)  # <- tf-seed

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(rows, epochs=3, verbose=0)
