# probe: Flax, batches in an unseeded order | causes: numpy-global | packages: flax, optax
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flax.training.train_state import TrainState

x = np.linspace(-1, 1, 512, dtype="float32").reshape(128, 4)
y = x.sum(axis=1, keepdims=True)


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(nn.relu(nn.Dense(16)(x)))


@functools.partial(jax.jit, donate_argnums=0)
def step(state, x, y):
    def loss(params):
        return jnp.mean((state.apply_fn(params, x) - y) ** 2)

    return state.apply_gradients(grads=jax.grad(loss)(state.params))


net = Net()
params = net.init(jax.random.key(1), x[:1])
state = TrainState.create(apply_fn=net.apply, params=params, tx=optax.sgd(0.05))
for epoch in range(3):
    order = np.random.permutation(len(x))  # <- numpy-global
    for start in range(0, len(x), 32):
        rows = order[start : start + 32]
        state = step(state, x[rows], y[rows])
