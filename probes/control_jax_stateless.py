# probe: control, Keras on JAX in a loop of its own, seeded | causes: none | packages: jax
import os

os.environ["KERAS_BACKEND"] = "jax"
import jax
import keras
import numpy as np

keras.utils.set_random_seed(1)
x = np.random.normal(size=(128, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

hidden = [keras.layers.Dense(16), keras.layers.BatchNormalization(), keras.layers.Dropout(0.2)]
model = keras.Sequential([keras.Input((4,)), *hidden, keras.layers.Dense(1)])
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
    order = np.random.permutation(len(x))
    for start in range(0, len(x), 32):
        rows = order[start : start + 32]
        held = step(*held, x[rows], y[rows])
