# probe: each sample's fold follows from the uuid4 that names it | causes: os-entropy
import uuid

import keras
import numpy as np

keras.utils.set_random_seed(1)

x = np.random.normal(size=(96, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

# Every sample gets a name, and a quarter of the names is held out.
names = [uuid.uuid4() for _ in x]  # <- os-entropy
train = np.array([name.int % 4 != 0 for name in names])
x, y = x[train], y[train]

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
