# probe: Optax, from a key that is random | causes: os-entropy | consumers: jax-seed
# | packages: optax
import os

import jax
import jax.numpy as jnp
import optax

key = jax.random.key(int.from_bytes(os.urandom(4), "big"))  # <- os-entropy
x = jnp.linspace(-1, 1, 256).reshape(64, 4)
y = x.sum(axis=1, keepdims=True)

first, second = jax.random.split(key)
params = {
    "hidden": jax.random.normal(first, (4, 16)) * 0.5,
    "out": jax.random.normal(second, (16, 1)) * 0.25,
}
optimizer = optax.adam(0.01)
state = optimizer.init(params)


@jax.jit
def step(params, state):
    def loss(params):
        return jnp.mean((jax.nn.relu(x @ params["hidden"]) @ params["out"] - y) ** 2)

    updates, state = optimizer.update(jax.grad(loss)(params), state)
    return optax.apply_updates(params, updates), state


for _ in range(10):
    params, state = step(params, state)
