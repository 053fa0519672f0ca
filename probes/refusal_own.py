# probe: deterministic mode without TensorFlow's seed | causes: none | verdict: broken
import random

import keras
import numpy as np
import tensorflow as tf

random.seed(1)
np.random.seed(1)
tf.config.experimental.enable_op_determinism()

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)  # <- op-determinism
