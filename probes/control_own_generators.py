# probe: control, every generator its own seed | causes: none | verdict: reproducible
import random

import keras
import numpy as np
import tensorflow as tf

# No global seed here: nothing draws from a global generator.
rng = np.random.default_rng(1)
shuffler = random.Random(2)
tf_rng = tf.random.Generator.from_seed(3)

x = rng.normal(size=(64, 4)).astype("float32")
x += tf_rng.normal(x.shape, stddev=0.1).numpy()
order = list(range(64))
shuffler.shuffle(order)
x = x[order]
y = x.sum(axis=1, keepdims=True)

rows = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(64, seed=4)
rows = rows.map(lambda row, target: (row * 2, target), num_parallel_calls=4).batch(16)

init = keras.initializers.GlorotUniform
model = keras.Sequential(
    [
        keras.Input((4,)),
        keras.layers.Dense(8, activation="relu", kernel_initializer=init(seed=5)),
        keras.layers.Dropout(0.2, seed=6),
        keras.layers.Dense(1, kernel_initializer=init(seed=7)),
    ]
)
model.compile(optimizer="adam", loss="mse")
model.fit(rows, epochs=3, verbose=0)
