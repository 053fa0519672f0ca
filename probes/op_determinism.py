# probe: SGD's scatter-add races | causes: op-determinism | alternatives: cpu-threads
import keras
import numpy as np

keras.utils.set_random_seed(1)

# An Embedding's update of above 10,000 indices is shared out over threads, unlocked.
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
model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse", jit_compile=False)
model.fit(x, y, epochs=5, batch_size=512, verbose=0)  # <- op-determinism
