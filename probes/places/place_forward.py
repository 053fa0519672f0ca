# probe: a layer computes otherwise in each run | causes: os-entropy
# | place: forward jitter/output
# | backends: tensorflow, jax, torch
import os

import keras
import numpy as np

keras.utils.set_random_seed(1)


def noise(like):
    """As when sums are taken in another order in every run."""
    bits = np.frombuffer(os.urandom(like.size), "uint8")  # <- os-entropy
    return (bits.reshape(like.shape) / 2.0**30).astype("float32")


def noise_like(tensor):
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.ensure_shape(tf.numpy_function(noise, [tensor], tf.float32), tensor.shape)
    if keras.backend.backend() == "jax":
        import jax

        return jax.pure_callback(noise, jax.ShapeDtypeStruct(tensor.shape, "float32"), tensor)
    return keras.ops.convert_to_tensor(noise(tensor.detach().cpu().numpy()))


class Jitter(keras.layers.Layer):
    def call(self, inputs):
        return inputs + noise_like(keras.ops.stop_gradient(inputs))


x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

jit = "auto" if keras.backend.backend() == "jax" else False
hidden = keras.layers.Dense(8, activation="relu")
model = keras.Sequential([hidden, Jitter(name="jitter"), keras.layers.Dense(1)])
model.compile(optimizer="sgd", loss="mse", jit_compile=jit)
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
