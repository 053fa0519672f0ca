# probe: stochastic depth of one's own | causes: python-random | consumers: noise-and-augmentation
import keras
import numpy as np
import tensorflow as tf

np.random.seed(1)
tf.random.set_seed(1)


class StochasticDepth(keras.layers.Layer):
    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, x, training=False):
        if not training:
            return x
        shape = (keras.ops.shape(x)[0], 1)
        kept = keras.random.uniform(shape, seed=self.seed_generator) > self.rate
        return x * keras.ops.cast(kept, x.dtype) / (1 - self.rate)


x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

init = keras.initializers.GlorotUniform
inputs = keras.Input((4,))
branch = keras.layers.Dense(4, activation="relu", kernel_initializer=init(seed=1))(inputs)
branch = StochasticDepth(0.5)(branch)  # <- python-random
outputs = keras.layers.Dense(1, kernel_initializer=init(seed=2))(inputs + branch)
model = keras.Model(inputs, outputs)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=2, batch_size=16, verbose=0)
