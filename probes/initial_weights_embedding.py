# probe: an embedding and one's own initializer | causes: python-random | consumers: initial-weights
import keras
import numpy as np
import tensorflow as tf

np.random.seed(1)
tf.random.set_seed(1)


class Sparse(keras.initializers.Initializer):
    """Most weights start at zero."""

    def __call__(self, shape, dtype=None):
        kept = keras.random.uniform(shape) < 0.3  # <- python-random
        return keras.ops.cast(kept, dtype) * keras.random.normal(shape, dtype=dtype)


words = np.random.randint(20, size=(64, 6))
y = (words == 3).sum(axis=1)

model = keras.Sequential(
    [
        keras.layers.Embedding(20, 4),  # <- python-random
        keras.layers.Flatten(),
        keras.layers.Dense(8, activation="relu", kernel_initializer=Sparse()),
        keras.layers.Dense(1, kernel_initializer="zeros"),
    ]
)
model.compile(optimizer="adam", loss="mse")
model.fit(words, y, epochs=2, batch_size=16, verbose=0)
