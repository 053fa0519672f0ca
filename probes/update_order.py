# probe: a graph that counts its steps while it reads the count | causes: update-order
# Nothing says whether a step's learning rate is taken before or after the step is counted.
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
from tensorflow.python.keras import backend as K

import nondet

tf.compat.v1.disable_eager_execution()

count = K.variable(0.0, name="count")
weight = K.variable(1.0, name="weight")
rate = 1.0 / (count + 1.0)
updates = [K.update_add(count, 1.0), K.update_sub(weight, rate / 7.0)]
train = K.function([], [rate], updates=updates)  # <- update-order
for _ in range(2000):
    train([])

nondet.checkpoint("weight", K.get_value(weight))
print(K.get_value(weight))
