# probe: deterministic mode refuses tf.timestamp | causes: cpu-threads
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(1)


class Stopwatch(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.started = tf.timestamp()  # <- op-determinism

    def on_epoch_end(self, epoch, logs=None):
        print("seconds", float(tf.timestamp() - self.started))


# The update of the embedding races, which deterministic kernels would hold.
x = np.random.randint(0, 20, size=(4096, 64))
y = np.random.normal(size=(4096, 1)).astype("float32")

model = keras.Sequential(
    [
        keras.Input((64,), dtype="int32"),
        keras.layers.Embedding(20, 16),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(1),
    ]
)
model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse", jit_compile=False)
model.fit(x, y, epochs=5, batch_size=1024, verbose=0, callbacks=[Stopwatch()])  # <- cpu-threads
