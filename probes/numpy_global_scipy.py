# probe: SciPy's distributions draw from NumPy | causes: numpy-global | packages: scikit-learn
import random

import keras
import tensorflow as tf
from scipy import stats

random.seed(1)
tf.random.set_seed(1)

x = stats.truncnorm.rvs(-2, 2, size=(64, 4)).astype("float32")  # <- numpy-global
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
