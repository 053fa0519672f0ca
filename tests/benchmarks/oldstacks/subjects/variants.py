"""The classic script on TensorFlow 1 with one thing changed: `variants.py OPTIMIZER [CHANGE...]`.

Changes: `one-thread`, `by-resource` (variables that are read as a whole). Prints a digest of the
weights that it ends with.
"""

import hashlib
import sys

from numpy.random import seed

seed(1)

import keras
import numpy as np
import tensorflow as tf
from keras.layers import Dense
from keras.models import Sequential

tf.set_random_seed(2)

optimizer, changes = sys.argv[1], sys.argv[2:]
if "by-resource" in changes:
    tf.enable_resource_variables()
if "one-thread" in changes:
    one = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    keras.backend.set_session(tf.Session(config=one))
if optimizer == "tensorflow":
    optimizer = keras.optimizers.TFOptimizer(tf.train.AdamOptimizer(0.001))

x = np.arange(10, dtype="float32").reshape(-1, 1) / 10
y = x + 0.1

model = Sequential()
model.add(Dense(10, input_dim=1))
model.add(Dense(1))
model.compile(loss="mean_squared_error", optimizer=optimizer)
model.fit(x, y, epochs=200, batch_size=len(x), verbose=0)

whole = b"".join(weight.tobytes() for weight in model.get_weights())
print("weights", hashlib.sha256(whole).hexdigest()[:16])
