"""Throughput of the exact digests, beside a copy and two hashes of the same bytes on the host.

``python -m tests.benchmarks.device_digests`` prints a Markdown table; names of frameworks as
arguments measure those alone. Rounds go through all that is measured in turn, so that a machine
that grows slower or faster meanwhile does so for each; the best round counts.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from nondet.guest import device_digests

digests: Any = device_digests
"""The guest, which is not annotated."""

Work = Callable[[], object]

SIZES = (4, 64)
"""Of the arrays of float32, in units of 2 ** 20 bytes."""

PEERS = ("copy", "sha256", "xxh3_128")


def host(array: NDArray[Any]) -> dict[str, Work]:
    return {
        "copy": array.copy,
        "sha256": lambda: hashlib.sha256(array.data).digest(),
        "xxh3_128": lambda: xxhash.xxh3_128(array.data).digest(),
        "NumPy": lambda: digests.numpy_lanes(array),
    }


def tensorflow(array: NDArray[Any]) -> dict[str, Work]:
    tf = importlib.import_module("tensorflow")
    tensor = tf.constant(array)
    lanes = digests.tensorflow_lanes
    graph, compiled = tf.function(lanes), tf.function(lanes, jit_compile=True)
    return {
        "TensorFlow, eager": lambda: lanes(tensor).numpy(),
        "TensorFlow, eager kernels": lambda: digests.tensorflow_sum(tf, tensor).numpy(),
        "TensorFlow, `tf.function`": lambda: graph(tensor).numpy(),
        "TensorFlow, XLA": lambda: compiled(tensor).numpy(),
    }


def jax(array: NDArray[Any]) -> dict[str, Work]:
    tensor = importlib.import_module("jax").numpy.asarray(array)
    return {"JAX": lambda: digests.jax_lanes(tensor).block_until_ready()}


def torch(array: NDArray[Any]) -> dict[str, Work]:
    torch = importlib.import_module("torch")
    tensor = torch.from_numpy(array)
    words = digests.torch_words(torch, tensor)
    return {
        "PyTorch, eager": lambda: digests.torch_lanes(tensor).tolist(),
        "PyTorch, eager kernels": lambda: digests.torch_sum(torch, words).tolist(),
    }


FRAMEWORKS = {"tensorflow": tensorflow, "jax": jax, "torch": torch}


def seconds(work: Work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(size: int, frameworks: Iterable[str], rounds: int) -> dict[str, tuple[float, float]]:
    """For each by its name: seconds of the first run, which compiles, and of the best later one."""
    array = np.random.default_rng(0).standard_normal(size << 18).astype(np.float32)
    works = host(array)
    for name in frameworks:
        works |= FRAMEWORKS[name](array)
    first = {name: seconds(work) for name, work in works.items()}
    later = [{name: seconds(work) for name, work in works.items()} for _ in range(rounds)]
    return {name: (first[name], min(row[name] for row in later)) for name in works}


def table(measured: dict[int, dict[str, tuple[float, float]]]) -> str:
    head, line = ["computed by"], ["---"]
    for size in measured:
        head += [f"{size} MB: GB/s", *(f"of {peer}" for peer in PEERS), "first run, s"]
        line += ["---:"] * (len(PEERS) + 2)
    rows = [head, line]
    for name in next(iter(measured.values())):
        row = [name]
        for size, found in measured.items():
            first, best = found[name]
            row += [f"{(size << 20) / best / 1e9:.2f}"]
            row += [f"{found[peer][1] / best:.2f}" for peer in PEERS]
            row += [f"{first:.2f}"]
        rows.append(row)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frameworks", nargs="*", help="to measure; all that are here by default")
    parser.add_argument("--rounds", type=int, default=7, help="timed runs of each")
    chosen = parser.parse_args()
    if unknown := set(chosen.frameworks) - set(FRAMEWORKS):
        parser.error(f"no such framework: {', '.join(sorted(unknown))}")
    here = [name for name in FRAMEWORKS if importlib.util.find_spec(name)]
    frameworks = chosen.frameworks or here
    print(table({size: measure(size, frameworks, chosen.rounds) for size in SIZES}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
