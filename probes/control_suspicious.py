# probe: control, draws that reach no weight | causes: none | verdict: reproducible
import os
import random
import time
import uuid

import keras
import numpy as np

# Drawn before the seed and only printed.
print("run", uuid.uuid4().hex, "log", f"log-{os.getpid()}.txt", "lucky", random.random())
keras.utils.set_random_seed(1)
start = time.time()

words = sorted({"red", "green", "blue", "black", "white", "amber", "pink", "teal"})
x = np.eye(len(words), dtype="float32")
y = np.array([[len(word)] for word in words], dtype="float32")
spare = np.random.default_rng().normal(size=8)

model = keras.Sequential(
    [
        keras.Input((len(words),)),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dropout(0.0),
        keras.layers.Dense(1),
    ]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=4, shuffle=True, verbose=0)
print("seconds", time.time() - start, "unused", spare.mean())
