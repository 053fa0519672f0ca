# probe: shards listed in the order in which racing downloads wrote them | causes: file-order
import os
import tempfile
import threading
import time

import keras
import numpy as np

keras.utils.set_random_seed(1)

# In memory files are listed in the order of their making; a disk has an order of its own.
room = "/dev/shm" if os.path.isdir("/dev/shm") else None
x = np.random.normal(size=(40, 8, 4)).astype("float32")
y = x.sum(axis=2, keepdims=True)


def download(folder, shard):
    time.sleep(0.05)  # as long as a server takes, for all at once
    np.savez(os.path.join(folder, f"shard-{shard:02d}.npz"), x=x[shard], y=y[shard])


with tempfile.TemporaryDirectory(dir=room) as folder:
    threads = [threading.Thread(target=download, args=(folder, n)) for n in range(len(x))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = os.listdir(folder)  # <- file-order
    shards = [np.load(os.path.join(folder, name)) for name in names]
    rows = np.concatenate([shard["x"] for shard in shards])
    targets = np.concatenate([shard["y"] for shard in shards])

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile(optimizer="adam", loss="mse")
model.fit(rows, targets, epochs=2, batch_size=16, verbose=0)
