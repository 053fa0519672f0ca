# probe: streams for noise and split, spawned from no seed | causes: numpy-generator
import keras
import numpy as np

keras.utils.set_random_seed(1)

root = np.random.SeedSequence()  # <- numpy-generator
noise_rng, split_rng = (np.random.default_rng(child) for child in root.spawn(2))

x = np.linspace(-1, 1, 80, dtype="float32").reshape(-1, 1)
y = x**2 + noise_rng.normal(scale=0.1, size=x.shape).astype("float32")
train = split_rng.permutation(len(x))[:64]

model = keras.Sequential(
    [keras.Input((1,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x[train], y[train], epochs=3, batch_size=16, verbose=0)
