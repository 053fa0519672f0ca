"""Digests of tensors in one framework, and what they leave behind there.

``python -m tests.guest.device_lanes FRAMEWORK`` writes a Told as JSON. In a process of its own:
the threads of a framework stay, and tests that fork must not follow them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import math
import random
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nondet.guest import device_digests

Way = Callable[[Any], Any]

SMALL = 64
"""Words of a block here, so that small tensors have several."""

X64 = {"int64", "uint64", "float64", "complex128"}
"""What JAX has in its mode of that name alone."""


def kind(dtype: str) -> np.dtype[Any]:
    """The dtype of that name, NumPy's or a small one for machine learning."""
    return np.dtype(getattr(importlib.import_module("ml_dtypes"), dtype, dtype))


@dataclasses.dataclass(frozen=True)
class Told:
    lanes: dict[str, dict[str, list[int]]]
    """The pair of lanes by way of computing it, then by case."""
    effects: dict[str, Any]
    """What was measured besides: for each the tests know what it should be."""


@dataclasses.dataclass(frozen=True)
class Case:
    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype}{list(self.shape)}"

    def array(self) -> NDArray[Any]:
        """Random bits, and first all ones, which makes a NaN; the same in every process."""
        of = kind(self.dtype)
        generator = np.random.default_rng(list(str(self).encode()))
        bits = generator.integers(0, 256, math.prod(self.shape) * of.itemsize, np.uint8)
        bits[: of.itemsize] = 255
        if of == np.bool_:
            return (bits > 127).reshape(self.shape)
        return bits.view(of).reshape(self.shape)


EACH_DTYPE = [Case(dtype, (3, 5)) for dtype in device_digests.PIECES]
EACH_SHAPE = [
    Case(dtype, shape)
    for dtype in ("float32", "int64", "bool")
    # Nothing, one block, and several with and without a rest.
    for shape in ((), (0,), (2, 0), (128,), (7, 31))
]
CASES = EACH_DTYPE + EACH_SHAPE


def integers(lanes: Iterable[Any]) -> list[int]:
    return [int(lane) for lane in lanes]


# -- TensorFlow


def tensorflow() -> Told:
    tf = importlib.import_module("tensorflow")
    kernels = importlib.import_module("tensorflow.python.framework.kernels")
    definitions = importlib.import_module("tensorflow.python.framework.op_def_registry")
    lanes = device_digests.tensorflow_lanes

    def bare(tensor: Any) -> Any:
        return device_digests.tensorflow_sum(tf, tensor)

    def unknown(tensor: Any) -> Any:
        """In a graph for any number of elements."""
        spec = tf.TensorSpec([None] * len(tensor.shape), tensor.dtype)
        return tf.function(lanes).get_concrete_function(spec)

    def xla_unknown(tensor: Any) -> Any:
        spec = tf.TensorSpec([None] * len(tensor.shape), tensor.dtype)
        return tf.function(lanes, jit_compile=True, input_signature=[spec])(tensor)

    def xla_around(tensor: Any) -> Any:
        """Compiled, though traced where nothing showed that it would be."""
        traced = tf.function(lanes).get_concrete_function(tensor)
        return tf.function(traced, jit_compile=True)(tensor)

    ways: dict[str, Way] = {
        "eager": lanes,
        "eager kernels": bare,
        "variable": lambda tensor: lanes(tf.Variable(tensor)),
        "graph": tf.function(lanes),
        "XLA": tf.function(lanes, jit_compile=True),
    }
    of_any_shape: dict[str, Way] = {
        "graph of unknown shape": lambda tensor: unknown(tensor)(tensor),
        "XLA of unknown shape": xla_unknown,
        "XLA around a graph": xla_around,
    }
    found = computed(ways, CASES, tf.constant)
    found |= computed(of_any_shape, EACH_SHAPE, tf.constant)
    tensor = tf.constant(Case("float32", (7, 31)).array())

    def draws(digest: Way | None, **options: bool) -> list[Any]:
        """What eager code draws around digests; the seeds that a graph gives around them."""

        def draw() -> list[Any]:
            drawn = [tf.random.normal([2])]
            for _ in range(2):
                if digest:
                    drawn[-1] += 0 * tf.cast(digest(tensor), tf.float32)
                drawn.append(tf.random.normal([2]))
            return drawn

        tf.random.set_seed(1)
        if options:
            nodes = nodes_of(tf.function(draw, **options))
            seeds = [(n.attr["seed"].i, n.attr["seed2"].i) for n in nodes if "seed" in n.attr]
        else:
            seeds = [one.numpy().tolist() for one in draw()]
        return [*seeds, tf.random.normal([2]).numpy().tolist()]

    def gradient(digesting: bool, **options: bool) -> Any:
        variable = tf.Variable([1.0, 2.0])

        def differentiated() -> Any:
            with tf.GradientTape(persistent=True) as tape:
                loss = tf.reduce_sum(variable**2)
                digest = lanes(loss) if digesting else tf.constant(0)
            assert tape.gradient(digest, variable) is None
            return tape.gradient(loss, variable)

        return tf.function(differentiated, **options)().numpy().tolist()

    callers: list[str] = []

    def summed(tf: Any, tensor: Any) -> Any:
        callers.append(sys._getframe(1).f_code.co_filename)
        return tf.zeros(2, tf.int64)

    original, device_digests.tensorflow_sum = device_digests.tensorflow_sum, summed
    tf.function(lambda tensor: lanes(tensor))(tensor)
    device_digests.tensorflow_sum = original

    specs = [tf.TensorSpec([None], dtype) for dtype in device_digests.PIECES]
    nodes = [node for spec in specs for node in nodes_of(tf.function(lanes), spec)]
    compiled = nodes_of(tf.function(lanes, jit_compile=True), specs[-1])
    on_gpu = {op: gpu_kernels(kernels, op) for op in {node.op for node in nodes}}
    effects = {
        "drawn with digests": [
            draws(lanes),
            draws(bare),
            draws(lanes, jit_compile=False),
            draws(lanes, jit_compile=True),
        ],
        "drawn without": [draws(None), draws(None, jit_compile=False)],
        "gradients": [gradient(True), gradient(True, jit_compile=True), gradient(False)],
        "callers": callers,
        "stateful": sorted(
            node.op for node in nodes + compiled if definitions.get(node.op).is_stateful
        ),
        "refused": [
            refused(lanes, bad)
            for bad in (
                tf.constant("text"),
                tf.constant(np.ones(2, kind("int4"))),
                tf.IndexedSlices(tf.ones([1, 2]), tf.constant([0]), tf.constant([3, 2])),
            )
        ],
        "has kernels for GPUs": any(kernel.device_type == "GPU" for kernel in on_gpu["Mul"]),
        "without a kernel for GPUs": sorted(
            {node.op for node in nodes if not any(fits(k, node) for k in on_gpu[node.op])}
        ),
    }
    # There is no way back from it.
    tf.config.experimental.enable_op_determinism()
    tf.random.set_seed(1)
    deterministic = {f"deterministic {name}": way for name, way in ways.items()}
    found |= computed(deterministic, [Case("float32", (7, 31))], tf.constant)
    return Told(found, effects)


def nodes_of(function: Any, *specs: Any) -> list[Any]:
    """All nodes of a function's graph, in the bodies of its loops too."""
    graph = function.get_concrete_function(*specs).graph.as_graph_def()
    inner = [node for one in graph.library.function for node in one.node_def]
    return [node for node in [*graph.node, *inner] if node.op != "Placeholder"]


def gpu_kernels(kernels: Any, op: str) -> list[Any]:
    found = kernels.get_registered_kernels_for_op(op).kernel
    return [kernel for kernel in found if kernel.device_type in ("GPU", "DEFAULT")]


def fits(kernel: Any, node: Any) -> bool:
    return all(
        node.attr[one.name].type in one.allowed_values.list.type for one in kernel.constraint
    )


# -- JAX


def jax() -> Told:
    jax = importlib.import_module("jax")
    lanes = device_digests.jax_lanes
    compiled = jax.jit(lambda array: lanes(array))
    narrow = [case for case in CASES if case.dtype not in X64]
    found = computed({"eager": lanes, "compiled": compiled}, narrow, jax.numpy.asarray)
    x64_after = bool(jax.config.jax_enable_x64)
    with jax.enable_x64(True):
        wide = [case for case in CASES if case.dtype in X64]
        ways: dict[str, Way] = {"eager with x64": lanes, "compiled with x64": compiled}
        found |= computed(ways, [*wide, Case("float32", (7, 31))], jax.numpy.asarray)

    def loss(weights: Any, digesting: bool) -> tuple[Any, Any]:
        total = (weights**2).sum()
        return total, lanes(total) if digesting else 0

    weights = jax.numpy.asarray([1.0, 2.0])
    large = jax.ShapeDtypeStruct((16 << 20,), "float32")
    effects = {
        "x64": x64_after,
        "gradients": [
            integers(jax.grad(loss, has_aux=True)(weights, digesting)[0])
            for digesting in (True, False)
        ],
        "temporary bytes": jax.jit(lanes)
        .lower(large)
        .compile()
        .memory_analysis()
        .temp_size_in_bytes,
        "refused": [
            refused(lanes, bad)
            for bad in (jax.numpy.ones(2, "int4"), jax.random.key(0), jax.numpy.ones(2, "int2"))
        ],
    }
    return Told(found, effects)


# -- PyTorch


def torch() -> Told:
    torch = importlib.import_module("torch")
    lanes = device_digests.torch_lanes

    def tensor(array: NDArray[Any]) -> Any:
        # Not all of NumPy's dtypes are PyTorch's by way of `from_numpy`.
        bits = torch.tensor(list(array.tobytes()), dtype=torch.uint8)
        return bits.view(getattr(torch, str(array.dtype))).reshape(array.shape)

    def kernels(tensor: Any) -> Any:
        return device_digests.torch_sum(torch, device_digests.torch_words(torch, tensor))

    ways: dict[str, Way] = {
        "eager": lanes,
        "eager kernels": kernels,
        "expanded and cut": lambda one: kernels(one.expand(3, *one.shape)[1::3][0]),
        "transposed": lambda one: kernels(one.mT.contiguous().mT if one.ndim == 2 else one),
        "conjugated": lambda one: kernels(one.conj().resolve_conj().conj()),
        "parameter": lambda one: lanes(torch.nn.Parameter(one, requires_grad=False)),
    }
    before = torch.get_rng_state()
    found = computed(ways, CASES, tensor)
    compiled: dict[str, Way] = {
        "compiled": torch.compile(lanes, backend="aot_eager", fullgraph=True)
    }
    found |= computed(compiled, [Case("float32", (7, 31)), Case("bfloat16", (3, 5))], tensor)

    def gradient(digesting: bool) -> Any:
        weights = torch.tensor([1.0, 2.0], requires_grad=True)
        loss = (weights**2).sum()
        if digesting:
            assert not lanes(loss).requires_grad
        loss.backward()
        return weights.grad.tolist()

    effects = {
        "generator kept": torch.equal(before, torch.get_rng_state()),
        "gradients": [gradient(True), gradient(False)],
        "refused": [refused(lanes, torch.zeros(2, dtype=torch.float8_e5m2fnuz))],
    }
    torch.use_deterministic_algorithms(True)
    found |= computed({"deterministic kernels": kernels}, [Case("float32", (7, 31))], tensor)
    return Told(found, effects)


# -- all


def computed(
    ways: dict[str, Way], cases: list[Case], made: Callable[[NDArray[Any]], Any]
) -> dict[str, dict[str, list[int]]]:
    return {
        name: {str(case): integers(way(made(case.array()))) for case in cases}
        for name, way in ways.items()
    }


def refused(lanes: Way, bad: Any) -> str:
    try:
        return f"{lanes(bad)}"
    except TypeError as error:
        return str(error)


def main() -> None:
    warnings.simplefilter("error")
    device_digests.BLOCK = device_digests.DEVICE_BLOCK = SMALL
    importlib.import_module(sys.argv[1])
    random.seed(5)
    np.random.seed(5)
    # What frameworks print belongs to nobody; the result goes by itself.
    with contextlib.redirect_stdout(sys.stderr):
        told = {"tensorflow": tensorflow, "jax": jax, "torch": torch}[sys.argv[1]]()
    told.effects["drawn after"] = [random.random(), float(np.random.random())]
    print(json.dumps(dataclasses.asdict(told)))


if __name__ == "__main__":
    main()
