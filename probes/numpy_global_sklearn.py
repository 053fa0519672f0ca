# probe: train_test_split without random_state | causes: numpy-global | packages: scikit-learn
import random

import keras
import numpy as np
import tensorflow as tf
from sklearn.model_selection import train_test_split

random.seed(1)
tf.random.set_seed(1)

x = np.linspace(-1, 1, 80, dtype="float32").reshape(-1, 1)
y = x**2
# Draws from NumPy's global generator when no random_state is given.
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2)  # <- numpy-global

model = keras.Sequential(
    [keras.Input((1,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x_train, y_train, epochs=3, batch_size=16, verbose=0)
print("test mse", model.evaluate(x_test, y_test, verbose=0))
