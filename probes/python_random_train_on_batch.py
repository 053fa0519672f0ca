# probe: a train_on_batch loop picks its batches by Python's random | causes: python-random
import random

import keras
import numpy as np
import tensorflow as tf

np.random.seed(1)
tf.random.set_seed(1)

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

init = keras.initializers.HeNormal
model = keras.Sequential(
    [
        keras.Input((4,)),
        keras.layers.Dense(8, activation="relu", kernel_initializer=init(seed=1)),
        keras.layers.Dense(1, kernel_initializer=init(seed=2)),
    ]
)
model.compile(optimizer="adam", loss="mse")
for step in range(12):
    picked = random.sample(range(len(x)), 16)  # <- python-random
    loss = model.train_on_batch(x[picked], y[picked])
print("loss", float(loss))
