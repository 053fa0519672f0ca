# probe: a sampler that is a random.Random itself, made without a seed | causes: python-random
import random

import keras
import numpy as np

keras.utils.set_random_seed(1)


class Reservoir(random.Random):
    """Keeps a fair sample of a stream of unknown length."""

    def keep(self, stream, size):
        kept = []
        for count, item in enumerate(stream):
            if len(kept) < size:
                kept.append(item)
            elif (place := self.randrange(count + 1)) < size:
                kept[place] = item
        return kept


sampler = Reservoir()  # <- python-random
x = np.array(sampler.keep((i / 256 for i in range(256)), 64), dtype="float32").reshape(-1, 1)

model = keras.Sequential(
    [keras.Input((1,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, x**2, epochs=3, batch_size=16, verbose=0)
