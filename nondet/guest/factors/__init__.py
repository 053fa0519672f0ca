"""The registry: every factor, in the order in which equally good pins are preferred."""

from __future__ import annotations

from . import (
    addresses,
    clock,
    cpu_isa,
    cpu_threads,
    cuda_streams,
    cudnn,
    data_threads,
    device,
    distribution,
    dropout,
    file_order,
    gpu_count,
    hash_seed,
    initial_weights,
    jax_seed,
    keras_seed,
    leftovers,
    machine,
    memory_fill,
    nccl,
    noise_and_augmentation,
    numpy_generator,
    numpy_global,
    onednn,
    op_determinism,
    os_entropy,
    precision,
    process_identity,
    python_random,
    python_workers,
    shuffle,
    tf32,
    tf_seed,
    third_party_rng,
    torch_seed,
    update_order,
    xla,
)
from .base import Factor

# Seeds first: they change nothing but the numbers drawn. Within them, NumPy's generators stand
# before the libraries that draw from them. Then what else the script can take in: entropy, names,
# time. Then order, which sorting mends, before what needs a launch line or a clean folder. Then
# what is done side by side, and kernels, which cost time, the whole machine's parallelism and the
# choice of device last. Consumers come at the very end: they are asked about only when no source
# holds the runs, since a source is what people can fix.
SOURCES: tuple[Factor, ...] = (
    python_random.FACTOR,
    numpy_global.FACTOR,
    numpy_generator.FACTOR,
    tf_seed.FACTOR,
    torch_seed.FACTOR,
    third_party_rng.FACTOR,
    os_entropy.FACTOR,
    process_identity.FACTOR,
    clock.FACTOR,
    file_order.FACTOR,
    hash_seed.FACTOR,
    leftovers.FACTOR,
    memory_fill.FACTOR,
    addresses.FACTOR,
    data_threads.FACTOR,
    python_workers.FACTOR,
    update_order.FACTOR,
    cudnn.FACTOR,
    tf32.FACTOR,
    precision.FACTOR,
    op_determinism.FACTOR,
    xla.FACTOR,
    onednn.FACTOR,
    nccl.FACTOR,
    gpu_count.FACTOR,
    cuda_streams.FACTOR,
    cpu_threads.FACTOR,
    distribution.FACTOR,
    cpu_isa.FACTOR,
    device.FACTOR,
)
# The most specific consumer of a draw comes first.
CONSUMERS: tuple[Factor, ...] = (
    initial_weights.FACTOR,
    dropout.FACTOR,
    noise_and_augmentation.FACTOR,
    shuffle.FACTOR,
    jax_seed.FACTOR,
    keras_seed.FACTOR,
)
REGISTRY = SOURCES + CONSUMERS
# Where a diagnosis runs on one machine, there is no other to try: nothing is said of it there.
CLUSTER: tuple[Factor, ...] = (machine.FACTOR,)


def by_name(name: str) -> Factor:
    """The factor of that name. Raises KeyError."""
    for factor in REGISTRY + CLUSTER:
        if factor.name == name:
            return factor
    raise KeyError(name)
