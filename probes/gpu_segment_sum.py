# probe: JAX's segment_sum and its scatter on a GPU | causes: op-determinism
# | alternatives: device | needs: gpu | packages: jax
import jax
import jax.numpy as jnp

import nondet

nodes, edges = 200, 200_000
keys = jax.random.split(jax.random.key(1), 4)
sources = jax.random.randint(keys[0], (edges,), 0, nodes)
targets = jax.random.randint(keys[1], (edges,), 0, nodes)
features = jax.random.normal(keys[2], (nodes, 16))
weights = jax.random.normal(keys[3], (16, 16)) / 4


@jax.jit
def step(weights):
    def loss(weights):
        messages = (features @ weights)[sources]
        sums = jax.ops.segment_sum(messages, targets, num_segments=nodes)
        return jnp.tanh(sums).mean()

    return weights - 0.1 * jax.grad(loss)(weights)


for epoch in range(8):
    weights = step(weights)  # <- op-determinism
    nondet.checkpoint("epoch", weights)
