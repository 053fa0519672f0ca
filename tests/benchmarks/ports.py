"""What each probe is on another backend of Keras: the same program, another promise, or nothing.

A probe that names nothing of TensorFlow's but its seed is the same program on another backend, with
that backend's seed in the place of TensorFlow's. Where the source that is planted is another one
there, `CHANGES` says what becomes of the probe's text, its promise and its marks included; where
there is no such program, `ELSEWHERE` and `ALONE` say why.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from nondet.host import shipped

OTHERS = ("jax", "torch")
BACKENDS = ("tensorflow", *OTHERS)
TITLES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}

SEEDING = re.compile(r"^( *)tf\.random\.set_seed\((.+)\)$", re.MULTILINE)
IMPORT = re.compile(r"^( *)import tensorflow as tf$", re.MULTILINE)
NO_SEED = r"\1# JAX has no generator to seed."

KERNEL = "a kernel of TensorFlow's"
LOOP = "a loop over TensorFlow's GradientTape"
STRATEGY = "a strategy of TensorFlow's"
OPERATIONS = "a loss of TensorFlow's operations"
REFUSAL = "refused by TensorFlow"
SET_THERE = "sets its backend itself"
GRAPH = "a graph of TensorFlow 1's"
FIRST = "needs TensorFlow 1: see [Old stacks](old-stacks.md)"
WITHOUT = "without Keras"
IMPORTED = re.compile(r"^\s*(?:import|from) (\w+)", re.MULTILINE)
KERAS = frozenset({"keras", "tensorflow"})

ELSEWHERE = {
    "control_mirrored": STRATEGY,
    "cpu_threads": KERNEL,
    "denoising_autoencoder": LOOP,
    "device": KERNEL,
    "distribution": STRATEGY,
    "gan_loop": LOOP,
    "gpu_nearest": KERNEL,
    "op_determinism_crop": KERNEL,
    "op_determinism_refused": REFUSAL,
    "op_determinism_tape": LOOP,
    "record_linkage": OPERATIONS,
    "refusal_own": REFUSAL,
    "reinforce": LOOP,
    "tf32": "TensorFlow's matrix products",
    "tf_seed_tape": LOOP,
    "update_order": GRAPH,
}
"""What is a program for TensorFlow alone."""
ALONE = {
    "control_jax_stateless": "jax",
    "gpu_depthwise": "torch",
    "gpu_keras_jax": "jax",
    "gpu_keras_torch": "torch",
    "jax_backend": "jax",
    "jax_stateless_loop": "jax",
    "torch_backend": "torch",
}
"""What sets its backend itself, to this one."""
WITHOUT_KERAS = {
    "flax": ("jax", "Flax, which is JAX"),
    "optax": ("jax", "Optax, which is JAX"),
    "lightning": ("torch", "Lightning, which is PyTorch"),
    "jax": ("jax", "plain JAX"),
    "torch": ("torch", "plain PyTorch"),
}
"""Modules by which a program without Keras belongs to a backend, the most telling first, and why it
is none for the others."""


@dataclasses.dataclass(frozen=True)
class Port:
    """A probe on a backend."""

    text: str = ""
    """The program with its promise; empty where there is none."""
    absent: str = ""
    """Why there is none."""


SHUFFLE_OF = {"jax": "numpy-global", "torch": "torch-seed"}
"""What `fit` draws the order of arrays from."""

SHUFFLED = ("classic_unseeded", "shards", "tabular_kfold", "three_causes")
"""Probes in which `fit` draws from an unseeded generator: TensorFlow's there, another one here."""

REPEATS = "causes: none | verdict: reproducible"
UNSEEDED = ("torch.manual_seed(1)", "# PyTorch's own generator draws the masks, and has no seed.")

CHANGES: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
    # Masks come from PyTorch's generator, whatever seed the layer has taken from Python's.
    ("dropout", "torch"): (UNSEEDED, ("python-random", "torch-seed")),
    # `fit` permutes by NumPy's generator there, which has no seed here.
    ("active_learning", "jax"): (
        ("causes: addresses, python-random", "causes: addresses, python-random, numpy-global"),
        (
            "epochs=4, batch_size=32, verbose=0)",
            "epochs=4, batch_size=32, verbose=0)  # <- numpy-global",
        ),
    ),
    # No race in these backends' embeddings.
    **{
        ("op_determinism", backend): (
            ("causes: op-determinism | alternatives: cpu-threads", REPEATS),
            ("  # <- op-determinism", ""),
        )
        for backend in OTHERS
    },
    **{
        ("recommender", backend): (
            ("numpy-generator, op-determinism | alternatives: cpu-threads", "numpy-generator"),
            ("  # <- op-determinism", ""),
            ("model(inputs).numpy()", "keras.ops.convert_to_numpy(model(inputs))"),
        )
        for backend in OTHERS
    },
    # Keras on JAX refuses to draw without a seed where it traces, as it does to build in fit.
    ("initial_weights_embedding", "jax"): (
        ("    [\n", '    [keras.Input((6,), dtype="int32"),\n'),
    ),
    # Keras on JAX takes no tensors of TensorFlow's here.
    ("data_threads_prefetch", "jax"): (
        ("(features + noise, target)", "(features.numpy() + noise, target.numpy())"),
    ),
    # JAX has XLA for every kernel, and PyTorch has none of it.
    ("kernels_stress", "jax"): (("stress: cpu-threads, onednn, xla, cpu-isa", "stress: cpu-isa"),),
    ("kernels_stress", "torch"): (
        ("stress: cpu-threads, onednn, xla, cpu-isa", "stress: onednn, cpu-isa"),
    ),
    # `fit` permutes by NumPy's generator, which is seeded here.
    ("shuffle", "jax"): (
        ("causes: tf-seed | consumers: shuffle", REPEATS),
        ("  # <- tf-seed", ""),
    ),
    ("shuffle", "torch"): (("tf-seed", "torch-seed"),),
}
"""(probe, backend): what stands in its text, and what stands there instead."""


def port(probe: shipped.Probe, backend: str) -> Port:
    """The probe on that backend. Raises ValueError for a change that changes nothing."""
    text = probe.path.read_text(encoding="utf-8")
    name = probe.name
    home, why = ALONE.get(name, ""), SET_THERE
    modules = set(IMPORTED.findall(text))
    if not modules & KERAS:
        own = (WITHOUT_KERAS[module] for module in WITHOUT_KERAS if module in modules)
        home, why = next(own, ("none", WITHOUT))
    if home:
        return Port(text) if backend == home else Port(absent=why)
    if backend == "tensorflow":
        return Port(absent=FIRST) if ELSEWHERE.get(name) == GRAPH else Port(text)
    if name in ELSEWHERE:
        return Port(absent=ELSEWHERE[name])
    if not others(text):
        text = IMPORT.sub(r"\1import torch" if backend == "torch" else "", text)
        text = SEEDING.sub(r"\1torch.manual_seed(\2)" if backend == "torch" else NO_SEED, text)
    changes = CHANGES.get((name, backend), ())
    if name in SHUFFLED:
        changes = (("tf-seed", SHUFFLE_OF[backend]), *changes)
    for old, new in changes:
        if old not in text:
            raise ValueError(f"{name} has no {old!r} on {backend}")
        text = text.replace(old, new)
    return Port(text)


def others(text: str) -> bool:
    """Whether a program uses more of TensorFlow than its seed."""
    return "tf." in SEEDING.sub("", text).partition("import tensorflow as tf")[2]


def written(probe: shipped.Probe, text: str, folder: Path) -> shipped.Probe:
    """The probe as it reads there: its promise, and where it lies."""
    own = folder / "mixed" if probe.mixed else folder
    own.mkdir(parents=True, exist_ok=True)
    path = own / probe.path.name
    path.write_text(text, encoding="utf-8")
    return shipped.read(path)
