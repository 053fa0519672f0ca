# probe: depthwise and grouped convolutions by Keras on PyTorch | causes: cudnn
# | alternatives: op-determinism, device | needs: gpu | packages: torch
import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np

keras.utils.set_random_seed(1)

x = np.random.normal(size=(64, 32, 32, 8)).astype("float32")
y = x.mean(axis=(1, 2, 3)).reshape(-1, 1)
model = keras.Sequential(
    [
        keras.Input((32, 32, 8)),
        keras.layers.DepthwiseConv2D(5, depth_multiplier=4, activation="relu"),
        keras.layers.Conv2D(32, 3, groups=8, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(1),
    ]
)
model.compile(optimizer="sgd", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)  # <- cudnn
