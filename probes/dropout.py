# probe: Dropout seeded by Python's random | causes: python-random | consumers: dropout
import keras
import numpy as np
import tensorflow as tf

np.random.seed(1)
tf.random.set_seed(1)

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

# Seeded initializers leave Dropout as the only layer that draws.
init = keras.initializers.GlorotUniform
model = keras.Sequential(
    [
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu", kernel_initializer=init(seed=1)),
        keras.layers.Dropout(0.5),  # <- python-random
        keras.layers.Dense(1, kernel_initializer=init(seed=2)),
    ]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
