# probe: the data is shuffled by SystemRandom, and noise is picked with secrets | causes: os-entropy
import random
import secrets

import keras
import numpy as np

keras.utils.set_random_seed(1)

x = np.linspace(-1, 1, 256, dtype="float32").reshape(64, 4)
y = x.sum(axis=1, keepdims=True)
order = list(range(len(x)))
random.SystemRandom().shuffle(order)  # <- os-entropy
x, y = x[order], y[order]
y += np.array([[secrets.randbelow(1000) / 1e4] for _ in y], dtype="float32")  # <- os-entropy

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
