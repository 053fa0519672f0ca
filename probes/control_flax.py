# probe: control, Flax NNX from fixed keys | causes: none | packages: flax, optax
import jax
import numpy as np
import optax
from flax import nnx

rng = np.random.default_rng(1)
x = rng.normal(size=(128, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)


class Net(nnx.Module):
    def __init__(self, rngs):
        self.hidden = nnx.Linear(4, 16, rngs=rngs)
        self.drop = nnx.Dropout(0.2, rngs=rngs)
        self.out = nnx.Linear(16, 1, rngs=rngs)

    def __call__(self, x):
        return self.out(self.drop(jax.nn.relu(self.hidden(x))))


model = Net(nnx.Rngs(1))
optimizer = nnx.Optimizer(model, optax.adam(0.01), wrt=nnx.Param)


@nnx.jit
def step(model, optimizer, x, y):
    grads = nnx.grad(lambda model: ((model(x) - y) ** 2).mean())(model)
    optimizer.update(model, grads)


for epoch in range(3):
    order = rng.permutation(len(x))
    for start in range(0, len(x), 32):
        step(model, optimizer, x[order[start : start + 32]], y[order[start : start + 32]])
