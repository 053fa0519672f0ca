# probe: shards taken as they are listed | causes: none | verdict: reproducible | stress: file-order
import os

import keras
import numpy as np

keras.utils.set_random_seed(1)

os.makedirs("shards", exist_ok=True)
for shard in range(12):
    x = np.random.normal(size=(8, 4)).astype("float32")
    np.savez(f"shards/{shard}.npz", x=x, y=x.sum(axis=1, keepdims=True))

rows, targets = [], []
for name in os.listdir("shards"):  # <- file-order
    with np.load(os.path.join("shards", name)) as data:
        rows.append(data["x"])
        targets.append(data["y"])

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile(optimizer="adam", loss="mse")
model.fit(np.concatenate(rows), np.concatenate(targets), epochs=2, batch_size=16, verbose=0)
