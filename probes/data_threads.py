# probe: four dataset workers draw from one seeded generator | causes: data-threads
import time

import keras
import numpy as np

keras.utils.set_random_seed(1)


class Noisy(keras.utils.PyDataset):
    def __len__(self):
        return 16

    def __getitem__(self, index):
        # Reading takes uneven time, so the order in which workers draw is a race.
        time.sleep(0.002 * (index * 7 % 5))
        x = np.random.normal(size=(8, 4)).astype("float32")
        return x, x.sum(axis=1, keepdims=True)


model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(Noisy(workers=4), epochs=3, shuffle=False, verbose=0)  # <- data-threads
