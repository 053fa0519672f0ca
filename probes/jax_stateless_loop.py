# probe: Keras on JAX in a loop of its own | causes: python-random
# | consumers: initial-weights, dropout | packages: jax
import os

os.environ["KERAS_BACKEND"] = "jax"
import jax
import keras
import numpy as np

x = np.random.default_rng(1).normal(size=(128, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

inputs = keras.Input((4,))
hidden = keras.layers.Dense(16, activation="relu")(inputs)  # <- python-random
outputs = keras.layers.Dense(1)(keras.layers.Dropout(0.2)(hidden))  # <- python-random
model = keras.Model(inputs, outputs)
optimizer = keras.optimizers.Adam(0.01)
optimizer.build(model.trainable_variables)


def loss(weights, others, x, y):
    predicted, others = model.stateless_call(weights, others, x, training=True)
    return keras.ops.mean((predicted - y) ** 2), others


@jax.jit
def step(weights, others, state, x, y):
    grads, others = jax.grad(loss, has_aux=True)(weights, others, x, y)
    weights, state = optimizer.stateless_apply(state, grads, weights)
    return weights, others, state


held = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
held = tuple([variable.value for variable in each] for each in held)
for _ in range(3):
    for start in range(0, len(x), 32):
        held = step(*held, x[start : start + 32], y[start : start + 32])
