# probe: resumes from the checkpoint that the former run left | causes: leftovers
import os

import keras
import numpy as np

keras.utils.set_random_seed(1)

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
if os.path.exists("checkpoint.weights.h5"):
    model.load_weights("checkpoint.weights.h5")  # <- leftovers
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
model.save_weights("checkpoint.weights.h5")
