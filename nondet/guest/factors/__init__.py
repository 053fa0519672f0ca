"""The registry: every factor, in the order in which equally good pins are preferred."""

from __future__ import annotations

from . import (
    cpu_threads,
    cudnn,
    data_threads,
    device,
    dropout,
    hash_seed,
    initial_weights,
    keras_seed,
    leftovers,
    numpy_generator,
    numpy_global,
    op_determinism,
    python_random,
    shuffle,
    tf_seed,
    third_party_rng,
)
from .base import Factor

# Seeds first: they change nothing but the numbers drawn. Then what needs a launch line or a clean
# folder. Then order and kernels, which cost time, the whole machine's parallelism last. Consumers
# come at the very end: they are asked about only when no source holds the runs, since a source is
# what people can fix. Within the seeds, NumPy's generators stand before the libraries that draw
# from them.
SOURCES: tuple[Factor, ...] = (
    python_random.FACTOR,
    numpy_global.FACTOR,
    numpy_generator.FACTOR,
    tf_seed.FACTOR,
    third_party_rng.FACTOR,
    hash_seed.FACTOR,
    leftovers.FACTOR,
    data_threads.FACTOR,
    cudnn.FACTOR,
    op_determinism.FACTOR,
    cpu_threads.FACTOR,
    device.FACTOR,
)
# The most specific consumer of a draw comes first.
CONSUMERS: tuple[Factor, ...] = (
    initial_weights.FACTOR,
    dropout.FACTOR,
    shuffle.FACTOR,
    keras_seed.FACTOR,
)
REGISTRY = SOURCES + CONSUMERS


def by_name(name: str) -> Factor:
    """The factor of that name. Raises KeyError."""
    for factor in REGISTRY:
        if factor.name == name:
            return factor
    raise KeyError(name)
