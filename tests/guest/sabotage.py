"""Scripts under which pins don't hold: what applies them is undone before, by the script, or after.

Each undoes the pins of several factors, where these share an import of seconds.
"""

from __future__ import annotations

import dataclasses
import textwrap


@dataclasses.dataclass(frozen=True)
class Sabotage:
    """A script, with what is done to modules after their import, before any pin is applied."""

    factors: tuple[str, ...]
    script: str
    after: dict[str, str] = dataclasses.field(default_factory=dict)
    """By module, code that has it as `module`."""
    needs: tuple[str, ...] = ()
    host: bool = True
    """Whether what the host does is done: the environment."""


FINDER = """
import sys
from importlib.machinery import PathFinder

class Finder:
    def find_spec(self, name, path=None, target=None):
        code = AFTER.pop(name, None)
        if code is None:
            return None
        spec = PathFinder.find_spec(name, path)
        original = spec.loader.exec_module
        def exec_module(module):
            original(module)
            exec(code, {"module": module, "sys": sys})
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""


def site(one: Sabotage) -> str:
    """A `sitecustomize.py` that does it."""
    after = {name: textwrap.dedent(code) for name, code in one.after.items()}
    return f"AFTER = {after!r}\n{FINDER}"


PLAIN = Sabotage(
    (
        "python-random", "os-entropy", "process-identity", "clock", "file-order", "hash-seed",
        "addresses", "cpu-threads", "cpu-isa", "python-workers",
    ),
    """
    import importlib, os, random, time
    from concurrent.futures import ThreadPoolExecutor
    import nondet
    importlib.reload(random)
    os.urandom = lambda count: bytes(count)
    os.getpid = lambda: 1
    os.listdir = lambda folder: ["b", "a"]
    time.time = lambda: 1.0
    ThreadPoolExecutor(4)
    nondet.checkpoint("value", 1)
    """,
    {
        "concurrent.futures.thread": """
            made = module.ThreadPoolExecutor.__init__
            def __init__(pool, max_workers=None):
                made(pool, 3)
            module.ThreadPoolExecutor.__init__ = __init__
            """,
    },
    host=False,
)  # fmt: skip
NUMPY = Sabotage(
    ("numpy-global", "numpy-generator", "cpu-threads"),
    """
    import numpy.random
    import threadpoolctl
    import nondet
    numpy.random.bit_generator.randbits = lambda bits: 3
    threadpoolctl.threadpool_limits(2)
    nondet.checkpoint("value", numpy.ones(3))
    """,
    {"numpy.random": "module.seed = lambda seed=None: None"},
    needs=("numpy", "threadpoolctl"),
)
ON_TORCH = Sabotage(
    (
        "torch-seed", "memory-fill", "op-determinism", "onednn", "precision", "cudnn", "tf32",
        "cpu-threads", "data-threads", "shuffle",
    ),
    """
    import torch
    import nondet
    from torch.utils.data import DataLoader
    torch._C._set_deterministic_algorithms.__wrapped__(False)
    torch.backends.mkldnn.set_flags(True)
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = True
    torch.backends.cuda.matmul.allow_tf32 = True
    torch._C._set_cudnn_benchmark.__wrapped__(True)
    torch.set_num_threads.__wrapped__(2)
    DataLoader(range(4), num_workers=2)
    list(DataLoader(range(4), shuffle=True))
    torch.empty = lambda count: torch.full((count,), 3.0)
    nondet.checkpoint("value", 1)
    """,
    {
        "torch": "module.manual_seed = lambda seed: None",
        "torch.utils.data.dataloader": """
            import functools
            made = module.DataLoader.__init__
            @functools.wraps(made)
            def __init__(loader, *args, **more):
                made(loader, *args, **more)
                if loader.num_workers:
                    loader.num_workers = 2
            module.DataLoader.__init__ = __init__
            """,
        "torch.utils.data.sampler": """
            module.RandomSampler.__iter__ = lambda sampler: iter(range(len(sampler)))
            """,
    },
    needs=("torch",),
)  # fmt: skip
ON_JAX = Sabotage(
    ("jax-seed",),
    """
    import jax
    jax.random.key(1)
    """,
    {
        "jax.random": """
            made = module.key
            module.key = lambda seed: made(5)
            """,
    },
    needs=("jax",),
)
ON_KERAS = Sabotage(
    (
        "tf-seed", "op-determinism", "cpu-threads", "keras-seed", "dropout", "distribution",
        "update-order", "data-threads", "xla",
    ),
    """
    import sys
    import keras
    import numpy as np
    import tensorflow as tf
    from tensorflow.python.eager import context
    from tensorflow.python.keras import backend
    import nondet

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    context.context().intra_op_parallelism_threads = 2
    guest = [name for name in sys.modules if name.startswith("_nondet_guest.")]
    ours = {name.rpartition(".")[2]: sys.modules[name] for name in guest}
    ours["data_threads"].sequential = lambda original, dataset, args, more: ((dataset, *args), more)
    ours["graph_order"].Order.close = lambda order: None

    tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    keras.layers.Dropout(0.5)(np.ones((2, 2), "float32"), training=True)
    tf.data.Dataset.range(4).map(lambda x: x, num_parallel_calls=2)
    # As many as libraries have that run by XLA alone, and more.
    for _ in range(8):
        fused = tf.function(lambda x: x + 1.0, jit_compile=True)
        fused._jit_compile = True
        fused(tf.constant(1.0))
    with tf.Graph().as_default():
        count, weight = backend.variable(0.0), backend.variable(1.0)
        rate = 1.0 / (count + 1.0)
        updates = [backend.update_add(count, 1.0), backend.update_sub(weight, rate / 7.0)]
        backend.function([], [rate], updates=updates)
    nondet.checkpoint("value", 1)
    """,
    {
        "tensorflow": """
            context = sys.modules["tensorflow.python.eager.context"]
            made = context.set_global_seed
            context.set_global_seed = lambda seed: made(5)
            module.config.experimental.enable_op_determinism = lambda: None
            """,
        "tensorflow.python.distribute.mirrored_strategy": """
            made = module.MirroredExtended.__init__
            def __init__(extended, strategy, devices=None, *rest, **more):
                made(extended, strategy, ["CPU:0", "CPU:1"], *rest, **more)
            module.MirroredExtended.__init__ = __init__
            """,
        "keras.src.backend.tensorflow.random": "module.make_default_seed = lambda: 5",
        "keras.src.random.seed_generator": """
            made = module.SeedGenerator.__init__
            def __init__(generator, *args, **more):
                made(generator, *args, **more)
                generator.state.assign([9, 9])
            module.SeedGenerator.__init__ = __init__
            """,
    },
    needs=("tensorflow", "keras"),
)  # fmt: skip
ALL = (PLAIN, NUMPY, ON_TORCH, ON_JAX, ON_KERAS)
