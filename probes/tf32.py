# probe: matrix products in TensorFloat-32 | causes: none | stress: tf32 | needs: gpu
import keras
import numpy as np

keras.utils.set_random_seed(1)

# On a GPU from Ampere on, TensorFlow rounds the factors of a product to 10 bits of mantissa.
x = np.random.normal(size=(256, 64)).astype("float32")
y = np.tanh(x).sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((64,)), keras.layers.Dense(128, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=64, verbose=0)
