# probe: numba keeps a NumPy generator of its own | causes: third-party-rng | packages: numba
import keras
import numba
import numpy as np

# Reaches NumPy's generator, and not the copy that compiled functions draw from.
keras.utils.set_random_seed(1)


@numba.njit
def noise(rows, columns):
    values = np.empty((rows, columns))
    for i in range(rows):
        for j in range(columns):
            values[i, j] = np.random.normal()  # <- third-party-rng
    return values


x = noise(64, 4).astype("float32")
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
