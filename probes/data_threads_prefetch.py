# probe: a generator draws ahead of its loop | causes: data-threads | alternatives: op-determinism
import time

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(1)

x = np.random.normal(size=(64, 4)).astype("float32")


def batches():
    for number in range(150):
        time.sleep(0.001 * (number * 7 % 5))  # reads take uneven time
        chosen = x[np.random.randint(0, 64, size=8)]
        yield chosen, chosen.sum(axis=1, keepdims=True)


kinds = (tf.TensorSpec((8, 4), tf.float32), tf.TensorSpec((8, 1), tf.float32))
rows = tf.data.Dataset.from_generator(batches, output_signature=kinds)
rows = rows.prefetch(4)  # <- data-threads

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile(optimizer="adam", loss="mse")
for features, target in rows:
    noise = np.random.normal(scale=0.1, size=(8, 4)).astype("float32")
    model.train_on_batch(features + noise, target)
