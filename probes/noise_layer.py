# probe: noise and flips unseeded | causes: python-random | consumers: noise-and-augmentation
import keras
import numpy as np
import tensorflow as tf

np.random.seed(1)
tf.random.set_seed(1)

images = np.random.uniform(size=(32, 8, 8, 1)).astype("float32")
y = images[:, :4].mean(axis=(1, 2))

# Seeded initializers leave these two layers as the only ones that draw.
init = keras.initializers.GlorotUniform
model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        keras.layers.RandomFlip(),  # <- python-random
        keras.layers.GaussianNoise(0.1),  # <- python-random
        keras.layers.Conv2D(4, 3, activation="relu", kernel_initializer=init(seed=1)),
        keras.layers.Flatten(),
        keras.layers.Dense(1, kernel_initializer=init(seed=2)),
    ]
)
model.compile(optimizer="adam", loss="mse")
model.fit(images, y, epochs=2, batch_size=8, verbose=0)
