# probe: Keras on torch | causes: python-random | consumers: initial-weights | packages: torch
import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np
import torch

torch.manual_seed(1)
np.random.seed(1)

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [
        keras.Input((4,)),
        keras.layers.Dense(8, activation="relu"),  # <- python-random
        keras.layers.Dropout(0.3),
        keras.layers.Dense(1),  # <- python-random
    ]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=2, batch_size=16, verbose=0)
