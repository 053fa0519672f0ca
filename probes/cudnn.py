# probe: cuDNN times algorithms | causes: cudnn | alternatives: op-determinism,device | needs: gpu
import keras
import numpy as np

keras.utils.set_random_seed(1)

x = np.random.normal(size=(64, 32, 32, 8)).astype("float32")
y = x.mean(axis=(1, 2, 3)).reshape(-1, 1)

model = keras.Sequential(
    [
        keras.Input((32, 32, 8)),
        keras.layers.Conv2D(32, 5, activation="relu"),
        keras.layers.Conv2D(16, 3, strides=2, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(1),
    ]
)
# XLA would choose the algorithm in its own way.
model.compile(optimizer="adam", loss="mse", jit_compile=False)
model.fit(x, y, epochs=3, batch_size=32, verbose=0)  # <- cudnn
