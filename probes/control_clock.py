# probe: control, time, process id and names for the log only | causes: none | verdict: reproducible
import datetime
import os
import socket
import tempfile
import time
import uuid

import keras
import numpy as np

run = f"{datetime.datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
print("run", run, "on", socket.gethostname(), "at", time.ctime())
keras.utils.set_random_seed(1)
started = time.perf_counter()

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
with tempfile.TemporaryDirectory(prefix=run) as folder:
    model.save_weights(os.path.join(folder, "model.weights.h5"))
print("seconds", time.perf_counter() - started, "epochs per second", 3 / (time.time() % 60 + 1))
