# probe: polars shuffles by its own generator | causes: third-party-rng | packages: polars
import keras
import numpy as np
import polars as pl

# Reaches Python, NumPy and TensorFlow; only pl.set_random_seed reaches polars.
keras.utils.set_random_seed(1)

x = np.linspace(-1, 1, 80, dtype="float32")
rows = pl.DataFrame({"x": x, "y": x**2}).sample(fraction=1.0, shuffle=True)  # <- third-party-rng
x, y = rows["x"].to_numpy().reshape(-1, 1), rows["y"].to_numpy().reshape(-1, 1)

model = keras.Sequential(
    [keras.Input((1,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x[:64], y[:64], epochs=3, batch_size=16, verbose=0)
