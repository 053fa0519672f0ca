# probe: a tf.random.Generator from nondeterministic state, no seed reaches it | causes: tf-seed
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(1)

rng = tf.random.Generator.from_non_deterministic_state()  # <- tf-seed
x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)
x += rng.normal(x.shape, stddev=0.1).numpy()

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
