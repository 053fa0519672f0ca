# probe: a callback draws from unseeded Python random, as layers do | causes: python-random
import random

import keras
import numpy as np
import tensorflow as tf

np.random.seed(1)
tf.random.set_seed(1)

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)


class Jitter(keras.callbacks.Callback):
    """Shakes the learning rate after each epoch."""

    def on_epoch_end(self, epoch, logs=None):
        rate = 0.01 * random.uniform(0.5, 2.0)  # <- python-random
        self.model.optimizer.learning_rate.assign(rate)


init = keras.initializers.GlorotUniform
model = keras.Sequential(
    [
        keras.Input((4,)),
        keras.layers.Dense(8, activation="relu", kernel_initializer=init(seed=1)),
        keras.layers.Dense(1, kernel_initializer=init(seed=2)),
    ]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=4, batch_size=16, verbose=0, callbacks=[Jitter()])
