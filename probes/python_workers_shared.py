# probe: threads of a pool draw from one seeded generator | causes: python-workers
import time
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

keras.utils.set_random_seed(1)
rng = np.random.default_rng(1)


def augment(part):
    time.sleep(0.001 * (part * 7 % 3))  # parts take uneven time
    return part + rng.normal(size=(8, 4))


with ThreadPoolExecutor(max_workers=4) as pool:  # <- python-workers
    # The results come in order; the draws that made them did not.
    x = np.concatenate(list(pool.map(augment, range(48)))).astype("float32")
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=2, batch_size=16, verbose=0)
