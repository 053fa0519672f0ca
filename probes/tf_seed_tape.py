# probe: a GradientTape loop in a tf.function draws unseeded noise | causes: tf-seed
import random

import keras
import numpy as np
import tensorflow as tf

random.seed(1)
np.random.seed(1)

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
optimizer = keras.optimizers.Adam(0.01)


@tf.function
def train_step(rows, targets):
    rows = rows + tf.random.normal(tf.shape(rows), stddev=0.1)  # <- tf-seed
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(rows, training=True) - targets) ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    return loss


for epoch in range(3):
    for start in range(0, len(x), 16):
        loss = train_step(tf.constant(x[start : start + 16]), tf.constant(y[start : start + 16]))
    print("epoch", epoch + 1, "loss", float(loss))
