# probe: noise drawn in racing calls | causes: data-threads | alternatives: op-determinism
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(1)

x = np.random.normal(size=(512, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)


def augment(row, target):
    # One seeded stream, drawn by whichever call comes first.
    return row + tf.random.normal((4,), stddev=0.1), target


rows = tf.data.Dataset.from_tensor_slices((x, y))
rows = rows.map(augment, num_parallel_calls=tf.data.AUTOTUNE).batch(64)  # <- data-threads

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(rows, epochs=3, verbose=0)
