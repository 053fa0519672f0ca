# probe: a training set in the order in which its parts were ready | causes: python-workers
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

import keras
import numpy as np

keras.utils.set_random_seed(1)

x = np.random.normal(size=(32, 8, 4)).astype("float32")


def prepare(part):
    time.sleep(0.002)  # as long as reading it takes
    return x[part] - x[part].mean(), x[part].sum(axis=1, keepdims=True)


with ThreadPoolExecutor(max_workers=8) as pool:
    futures = [pool.submit(prepare, part) for part in range(len(x))]
    parts = [future.result() for future in as_completed(futures)]  # <- python-workers
rows = np.concatenate([part[0] for part in parts])
targets = np.concatenate([part[1] for part in parts])

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile(optimizer="adam", loss="mse")
model.fit(rows, targets, epochs=2, batch_size=16, verbose=0)
