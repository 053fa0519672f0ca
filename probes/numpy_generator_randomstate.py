# probe: an unseeded RandomState splits the data | causes: numpy-generator
import keras
import numpy as np

keras.utils.set_random_seed(1)

x = np.linspace(-1, 1, 80, dtype="float32").reshape(-1, 1)
y = x**2
train = np.random.RandomState().permutation(len(x))[:64]  # <- numpy-generator

model = keras.Sequential(
    [keras.Input((1,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x[train], y[train], epochs=3, batch_size=16, verbose=0)
