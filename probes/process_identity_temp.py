# probe: shards in files with temporary names, read in their order | causes: process-identity
import os
import tempfile

import keras
import numpy as np

keras.utils.set_random_seed(1)

folder = tempfile.mkdtemp(prefix="shards-")  # <- process-identity
for shard in np.array_split(np.random.normal(size=(64, 4)), 16):
    handle, path = tempfile.mkstemp(suffix=".npy", dir=folder)  # <- process-identity
    with os.fdopen(handle, "wb") as file:
        np.save(file, shard.astype("float32"))

names = sorted(os.listdir(folder))
x = np.concatenate([np.load(os.path.join(folder, name)) for name in names])
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
