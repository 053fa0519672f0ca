"""JAX' operations again and again on equal input, on a GPU, with their results' digests.

``python -m tests.gpu.jax_kernels REPEATS`` prints JSON (see `tests.gpu.repeating`). Whether XLA is
held deterministic is set before it starts, by its flags.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.gpu import repeating
from tests.gpu.repeating import Kernel

MANY, FEW = 200_000, 200
UNKNOWN = "deterministic by --xla_gpu_deterministic_ops"


def forward(function: Callable[..., Any], *given: Any) -> Callable[[], Any]:
    """All input is handed over: what is a constant to XLA, it computes while it compiles."""
    compiled = jax.jit(function)
    return lambda: compiled(*given)


def backward(
    function: Callable[..., Any], *given: Any, fixed: tuple[Any, ...] = ()
) -> Callable[[], Any]:
    """The gradients by the `given` inputs, for a gradient of the result that is always the same.
    `fixed` inputs come after those."""
    made = jax.eval_shape(function, *given, *fixed)
    flowing = jax.random.normal(jax.random.key(9), made.shape).astype(made.dtype)

    def gradients(flowing: Any, given: Any, fixed: Any) -> Any:
        return jax.vjp(lambda *values: function(*values, *fixed), *given)[1](flowing)

    return forward(gradients, flowing, given, fixed)


def kernels() -> Iterator[Kernel]:
    keys = iter(jax.random.split(jax.random.key(1), 16))
    index = jax.random.randint(next(keys), (MANY,), 0, FEW)
    rows = jax.random.normal(next(keys), (MANY, 16))
    table = jax.random.normal(next(keys), (FEW, 16))
    yield Kernel("x.at[index].add", UNKNOWN, forward(added, rows, index))
    yield Kernel("segment_sum", UNKNOWN, forward(summed, rows, index))
    taken = backward(lambda t, index: t[index], table, fixed=(index,))
    yield Kernel("x[index] backward", UNKNOWN, taken)
    yield Kernel("bincount of weights", UNKNOWN, forward(counted, index, rows[:, 0]))
    images = jax.random.normal(next(keys), (8, 32, 32, 16))
    for method in ("nearest", "bilinear"):
        yield Kernel(
            f"resize {method} backward",
            UNKNOWN,
            backward(lambda x, method=method: jax.image.resize(x, (8, 64, 64, 16), method), images),
        )
    for name, shape, groups in (
        ("conv", (3, 3, 16, 32), 1),
        ("conv depthwise", (5, 5, 1, 32), 16),
        ("conv grouped", (3, 3, 4, 32), 4),
    ):
        weights = jax.random.normal(next(keys), shape)
        yield Kernel(
            f"{name} backward",
            UNKNOWN,
            backward(lambda x, w, groups=groups: convolved(x, w, groups), images, weights),
        )
    line = jax.random.normal(next(keys), (4, 500_000))
    yield Kernel("cumsum", UNKNOWN, forward(lambda line: jnp.cumsum(line, axis=1), line))
    left = jax.random.normal(next(keys), (16, MANY))
    yield Kernel("matmul, a long sum", UNKNOWN, forward(jnp.matmul, left, rows))
    half = left.astype(jnp.bfloat16), rows.astype(jnp.bfloat16)
    yield Kernel("matmul bfloat16, a long sum", UNKNOWN, forward(jnp.matmul, *half))
    yield Kernel("dropout, seeded", UNKNOWN, forward(dropped, images, next(keys)))


def added(rows: Any, index: Any) -> Any:
    return jnp.zeros((FEW, 16)).at[index].add(rows)


def summed(rows: Any, index: Any) -> Any:
    return jax.ops.segment_sum(rows, index, num_segments=FEW)


def counted(index: Any, weights: Any) -> Any:
    return jnp.bincount(index, weights, length=FEW)


def dropped(images: Any, key: Any) -> Any:
    return images * jax.random.bernoulli(key, 0.5, images.shape)


def convolved(images: Any, weights: Any, groups: int) -> Any:
    return jax.lax.conv_general_dilated(
        images,
        weights,
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def bits(value: Any) -> bytes:
    values = value if isinstance(value, tuple) else (value,)
    return b"".join(np.asarray(each).tobytes() for each in values)


def main(repeats: int) -> None:
    told = repeating.told(kernels(), bits, None, repeats)
    repeating.write("jax", jax.__version__, jax.default_backend(), told)


if __name__ == "__main__":
    main(int(sys.argv[1]))
