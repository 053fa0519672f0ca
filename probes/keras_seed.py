# probe: keras.random draws noise, Python unseeded | causes: python-random | consumers: keras-seed
import keras
import numpy as np
import tensorflow as tf

np.random.seed(1)
tf.random.set_seed(1)

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)
# Keras' own generator takes its first seed from Python's random.
x = x + keras.ops.convert_to_numpy(keras.random.normal(x.shape, stddev=0.1))  # <- python-random

init = keras.initializers.GlorotUniform
model = keras.Sequential(
    [
        keras.Input((4,)),
        keras.layers.Dense(8, activation="relu", kernel_initializer=init(seed=1)),
        keras.layers.Dense(1, kernel_initializer=init(seed=2)),
    ]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
