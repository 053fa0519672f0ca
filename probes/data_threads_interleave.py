# probe: shards read side by side | causes: data-threads | alternatives: op-determinism
import time

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(1)

x = np.random.normal(size=(8, 16, 4)).astype("float32")
y = x.sum(axis=2, keepdims=True)


def read(shard, row):
    time.sleep(0.001)  # as long as a disk takes
    return x[shard, row], y[shard, row]


def load(shard, row):
    features, target = tf.numpy_function(read, [shard, row], (tf.float32, tf.float32))
    return tf.ensure_shape(features, (4,)), tf.ensure_shape(target, (1,))


def rows_of(shard):
    return tf.data.Dataset.range(16).map(lambda row: load(shard, row))


shards = tf.data.Dataset.range(8)
freely = {"num_parallel_calls": 4, "deterministic": False}
rows = shards.interleave(rows_of, cycle_length=4, **freely)  # <- data-threads

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(rows.batch(16), epochs=2, verbose=0)
