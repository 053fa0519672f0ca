# probe: unseeded initializers | causes: python-random | consumers: initial-weights
import keras
import numpy as np
import tensorflow as tf

np.random.seed(1)
tf.random.set_seed(1)

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)]  # <- python-random
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0)
