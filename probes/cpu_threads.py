# probe: weighted bincount adds up per thread, op determinism or not | causes: cpu-threads
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(1)

# Which thread takes which block decides how each bin's partial sums are grouped.
values = np.random.randint(0, 16, size=(32, 200_000))
weights = np.random.normal(size=values.shape).astype("float32")
rows = zip(values, weights)
x = np.stack([tf.math.bincount(v, weights=w, minlength=16) for v, w in rows])  # <- cpu-threads
x /= 100
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((16,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=8, verbose=0)
