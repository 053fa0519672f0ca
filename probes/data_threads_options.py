# probe: options that give up the order | causes: data-threads | alternatives: op-determinism
import time

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(1)

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)


def read(index):
    time.sleep(0.001)  # as long as a disk takes
    return x[index], y[index]


def load(index):
    row, target = tf.numpy_function(read, [index], (tf.float32, tf.float32))
    return tf.ensure_shape(row, (4,)), tf.ensure_shape(target, (1,))


# Copied from a guide to fast input pipelines.
options = tf.data.Options()
options.deterministic = False
rows = tf.data.Dataset.range(64).map(load, num_parallel_calls=4).cache()
rows = rows.with_options(options).batch(16)  # <- data-threads

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile(optimizer="adam", loss="mse")
model.fit(rows, epochs=3, verbose=0)
