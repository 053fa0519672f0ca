# probe: an initializer draws other weights in each run | causes: os-entropy
# | place: initial-weights sequential/hidden/kernel
# | backends: tensorflow, jax, torch
import os

import keras
import numpy as np

keras.utils.set_random_seed(1)
x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)


def drawn(shape, dtype=None):
    bits = np.frombuffer(os.urandom(int(np.prod(shape))), "uint8")  # <- os-entropy
    return keras.ops.convert_to_tensor((bits.reshape(shape) / 255.0 - 0.5), dtype=dtype)


hidden = keras.layers.Dense(8, kernel_initializer=drawn, name="hidden")
model = keras.Sequential([keras.Input((4,)), hidden, keras.layers.Dense(1)])
model.compile(optimizer="sgd", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
