# probe: threads share a seeded generator, in no fixed order | causes: none | verdict: unresolved
import threading
import time

import keras
import numpy as np

keras.utils.set_random_seed(1)
rng = np.random.default_rng(1)
x = np.zeros((64, 4), "float32")


def fill(rows):
    for row in rows:
        x[row] = rng.normal(size=4)
        # Some rows take longer to load than others.
        time.sleep(0.0005 * (row % 3))


workers = [threading.Thread(target=fill, args=(range(first, 64, 4),)) for first in range(4)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
