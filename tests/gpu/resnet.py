"""Trains Keras' ResNet-50 on noise, and prints the median time of a step in seconds.

``KERAS_BACKEND=torch python resnet.py STEPS``. A script like a user's: nothing of nondet in it.
"""

import statistics
import sys
import time

import keras
import numpy as np

STEPS = int(sys.argv[1])
UNMEASURED = 10


class Times(keras.callbacks.Callback):  # type: ignore[misc]
    """What a step takes, the device's work included: its loss is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        float((logs or {})["loss"])
        self.ends.append(time.perf_counter())


keras.utils.set_random_seed(1)
x = np.random.normal(size=(32, 224, 224, 3)).astype("float32")
y = np.random.randint(0, 1000, size=32)
model = keras.applications.ResNet50(weights=None)
model.compile(optimizer=keras.optimizers.SGD(0.01), loss="sparse_categorical_crossentropy")
times = Times()
batches = ((x, y) for _ in range(STEPS))
model.fit(batches, steps_per_epoch=STEPS, epochs=1, verbose=0, callbacks=[times])
steps = [after - before for before, after in zip(times.ends, times.ends[1:], strict=False)]
print("step", statistics.median(steps[UNMEASURED:]))
