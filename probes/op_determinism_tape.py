# probe: RMSprop in a loop of one's own | causes: op-determinism | alternatives: cpu-threads
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(1)

tokens = np.random.randint(0, 20, size=(4096, 64))
scores = np.random.normal(size=(4096, 1)).astype("float32")

model = keras.Sequential(
    [
        keras.Input((64,), dtype="int32"),
        keras.layers.Embedding(20, 16),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(1),
    ]
)
optimizer = keras.optimizers.RMSprop(0.01)


@tf.function
def step(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply(gradients, model.trainable_variables)  # <- op-determinism
    return loss


for epoch in range(3):
    for first in range(0, 4096, 1024):
        step(tokens[first : first + 1024], scores[first : first + 1024])
