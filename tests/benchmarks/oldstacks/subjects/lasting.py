"""What a training leaves, in each way to train that Keras 2 has. Prints a digest of all weights.

`lasting.py WAY OPTIMIZER`: the optimizer's name in Keras, or TensorFlow's own. Where nothing is
left open the result must be the same whether or not it is recorded.
"""

import hashlib
import random
import sys

from numpy.random import seed

seed(1)
# On TensorFlow 2, Keras draws from it as well.
random.seed(3)

import numpy as np

try:
    import tf_keras as keras
except ImportError:
    import keras

layers = keras.layers
way, optimizer = sys.argv[1:]
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    tf.compat.v1.set_random_seed(2)
    if optimizer == "tensorflow":
        optimizer = keras.optimizers.TFOptimizer(tf.compat.v1.train.AdamOptimizer(0.01))

x = np.random.rand(64, 3).astype("float32")
y = x.sum(axis=1, keepdims=True)

model = keras.models.Sequential()
model.add(layers.Dense(8, activation="relu", input_dim=3))
model.add(layers.BatchNormalization())
model.add(layers.Dropout(0.3))
model.add(layers.Dense(1))
model.compile(loss="mean_squared_error", optimizer=optimizer)


def batches():
    while True:
        yield x[:16], y[:16]


if way == "fit":
    model.fit(x, y, epochs=3, batch_size=16, verbose=0)
elif way == "fit_generator":
    model.fit_generator(batches(), steps_per_epoch=4, epochs=3, verbose=0)
elif way == "tape":
    optimizer = keras.optimizers.Adam(0.01)
    for _ in range(10):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x[:16], training=True) - y[:16]) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        # Python 3.7 knows of no `strict`.
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))  # noqa: B905
else:
    for _ in range(10):
        model.train_on_batch(x[:16], y[:16])

whole = b"".join(weight.tobytes() for weight in model.get_weights())
print("weights", hashlib.sha256(whole).hexdigest()[:16])
