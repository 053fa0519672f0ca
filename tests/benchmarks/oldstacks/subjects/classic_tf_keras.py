from numpy.random import seed

seed(1)
import tensorflow as tf

tf.random.set_seed(2)

import numpy as np
import tf_keras as keras

x = np.arange(40, dtype="float32").reshape(-1, 1) / 40
y = x + 0.1

model = keras.Sequential()
model.add(keras.layers.Dense(10, input_dim=1))
model.add(keras.layers.Dropout(0.2))
model.add(keras.layers.Dense(1))
model.compile(loss="mean_squared_error", optimizer="adam")
model.fit(x, y, epochs=5, batch_size=10, verbose=0)
