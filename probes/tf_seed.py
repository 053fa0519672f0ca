# probe: training data drawn by TensorFlow without a seed | causes: tf-seed
import random

import keras
import numpy as np
import tensorflow as tf

random.seed(1)
np.random.seed(1)

x = tf.random.normal((64, 4))  # <- tf-seed
y = tf.reduce_sum(x, axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
# fit's own shuffle draws from TensorFlow too: keep it out of this probe.
model.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0)
