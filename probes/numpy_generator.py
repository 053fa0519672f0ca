# probe: an unseeded default_rng, which no global seed reaches | causes: numpy-generator
import keras
import numpy as np

keras.utils.set_random_seed(1)

rng = np.random.default_rng()  # <- numpy-generator
x = rng.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
