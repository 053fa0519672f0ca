# probe: of two models only the second sees unseeded noise | causes: numpy-global
import random

import keras
import numpy as np
import tensorflow as tf

random.seed(1)
tf.random.set_seed(1)

x = np.linspace(-1, 1, 64, dtype="float32").reshape(-1, 1)


def build(name):
    layers = [keras.Input((1,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
    model = keras.Sequential(layers, name=name)
    model.compile(optimizer="adam", loss="mse")
    return model


teacher, student = build("teacher"), build("student")
teacher.fit(x, x**2, epochs=3, batch_size=16, verbose=0)

noisy = x + np.random.normal(scale=0.1, size=x.shape).astype("float32")  # <- numpy-global
student.fit(noisy, teacher.predict(x, verbose=0), epochs=3, batch_size=16, verbose=0)
