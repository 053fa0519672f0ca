# probe: an optimizer of one's own is not exact | causes: os-entropy | place: update hidden/kernel
# | backends: tensorflow, jax, torch
import os

import keras
import numpy as np

keras.utils.set_random_seed(1)


def noise(like):
    """As when sums are taken in another order in every run."""
    bits = np.frombuffer(os.urandom(like.size), "uint8")  # <- os-entropy
    return (bits.reshape(like.shape) / 2.0**20).astype("float32")


def noise_like(tensor):
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.ensure_shape(tf.numpy_function(noise, [tensor], tf.float32), tensor.shape)
    if keras.backend.backend() == "jax":
        import jax

        return jax.pure_callback(noise, jax.ShapeDtypeStruct(tensor.shape, "float32"), tensor)
    return keras.ops.convert_to_tensor(noise(tensor.detach().cpu().numpy()))


class Jittery(keras.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate):
        if tuple(variable.shape) == (4, 8):
            gradient = gradient + noise_like(gradient)
        super().update_step(gradient, variable, learning_rate)


x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

jit = "auto" if keras.backend.backend() == "jax" else False
model = keras.Sequential([keras.layers.Dense(8, name="hidden"), keras.layers.Dense(1)])
model.compile(optimizer=Jittery(0.01), loss="mse", jit_compile=jit)
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
