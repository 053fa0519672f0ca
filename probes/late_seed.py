# probe: the model is built before the seed | causes: python-random | consumers: initial-weights
import keras
import numpy as np

LAYERS = [16, 8]

model = keras.Sequential([keras.Input((4,))])
for units in LAYERS:
    model.add(keras.layers.Dense(units, activation="relu"))  # <- python-random
model.add(keras.layers.Dense(1, kernel_initializer="zeros"))
model.compile(optimizer="adam", loss="mse")

# All that is drawn from here on repeats. The weights were drawn above.
keras.utils.set_random_seed(1)
x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
