# probe: a JAX key made from the time | causes: clock | consumers: jax-seed | packages: jax
import time

import jax
import jax.numpy as jnp
import numpy as np

import nondet

seed = time.time_ns() % 2**32  # <- clock
key = jax.random.key(seed)

x = jax.random.normal(key, (64, 3))
y = x @ jnp.array([1.0, -2.0, 0.5])


@jax.jit
def step(weights):
    return weights - 0.1 * jax.grad(lambda w: ((x @ w - y) ** 2).mean())(weights)


weights = jnp.zeros(3)
for _ in range(10):
    weights = step(weights)
nondet.checkpoint("weights", np.asarray(weights))
