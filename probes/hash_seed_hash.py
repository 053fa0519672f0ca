# probe: a split into train and test by the hash of a name | causes: hash-seed
import keras
import numpy as np

keras.utils.set_random_seed(1)

names = [f"patient-{number:03d}" for number in range(80)]
x = np.random.normal(size=(80, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

# The same patient is always on the same side: so it was meant.
held_out = np.array([hash(name) % 5 == 0 for name in names])  # <- hash-seed

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile(optimizer="adam", loss="mse")
model.fit(
    x[~held_out], y[~held_out], validation_data=(x[held_out], y[held_out]), epochs=2, verbose=0
)
