# probe: other kernels round otherwise | causes: none | stress: cpu-threads, onednn, xla, cpu-isa
import keras
import numpy as np

keras.utils.set_random_seed(1)

x = np.random.normal(size=(64, 16, 16, 3)).astype("float32")
y = x.mean(axis=(1, 2, 3)).reshape(-1, 1)

model = keras.Sequential(
    [
        keras.Input((16, 16, 3)),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(1),
    ]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=32, verbose=0)
