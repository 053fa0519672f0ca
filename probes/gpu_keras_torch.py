# probe: the gradient of an Embedding, by Keras on PyTorch | causes: op-determinism
# | alternatives: device | needs: gpu | packages: torch
import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np

keras.utils.set_random_seed(1)

x = np.random.randint(0, 20, size=(2048, 64))
y = np.random.normal(size=(2048, 1)).astype("float32")
model = keras.Sequential(
    [
        keras.Input((64,), dtype="int32"),
        keras.layers.Embedding(20, 16),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(1),
    ]
)
model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
model.fit(x, y, epochs=3, batch_size=512, verbose=0)  # <- op-determinism
