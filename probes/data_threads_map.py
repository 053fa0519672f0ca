# probe: rows handed on as they come | causes: data-threads | alternatives: op-determinism
import time

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(1)

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)


def read(index):
    # As long as reading a file takes; which of several is ready first is a race.
    time.sleep(0.001)
    return x[index], y[index]


def load(index):
    row, target = tf.numpy_function(read, [index], (tf.float32, tf.float32))
    return tf.ensure_shape(row, (4,)), tf.ensure_shape(target, (1,))


rows = tf.data.Dataset.range(64)
rows = rows.map(load, num_parallel_calls=4, deterministic=False)  # <- data-threads
# Without the cache TensorFlow would fuse map and batch, and the fused stage keeps the order.
rows = rows.cache().batch(16)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(rows, epochs=3, verbose=0)
