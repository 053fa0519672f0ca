"""Samples of what a look inside the steps finds: moments, zooms, maps of steps, a diagnosis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import structs

from nondet.record import (
    Cause,
    Diagnosis,
    Divergence,
    Environment,
    First,
    Moment,
    Prescription,
    Recording,
    StepMap,
    Zoom,
)
from tests.report import parts
from tests.report.found import base

CONVOLUTIONS = ((3, 16), (16, 16), (16, 32), (32, 32))
LAYERS = (
    *(
        layer
        for place, (_, width) in enumerate(CONVOLUTIONS)
        for layer in (
            (f"conv2d_{place}", "Conv2D", (-1, 32, 32, width)),
            (f"batch_normalization_{place}", "BatchNormalization", (-1, 32, 32, width)),
            (f"re_lu_{place}", "ReLU", (-1, 32, 32, width)),
        )
    ),
    ("global_average_pooling2d", "GlobalAveragePooling2D", (-1, 32)),
    ("dropout", "Dropout", (-1, 32)),
    ("dense", "Dense", (-1, 10)),
)
"""Path, class and shape of the output of each layer of a small network."""


def weights(layers: Iterable[tuple[str, str, tuple[int, ...]]]) -> Iterator[Moment]:
    """The weights of layers as moments of no phase in particular, in the order of the layers."""
    inputs = 3
    for path, kind, shape in layers:
        width = shape[-1]
        if kind == "Conv2D":
            yield _weight(path, kind, "kernel", (3, 3, inputs, width))
        if kind == "Dense":
            yield _weight(path, kind, "kernel", (inputs, width))
        if kind in ("Conv2D", "Dense"):
            yield _weight(path, kind, "bias", (width,))
        if kind == "BatchNormalization":
            yield _weight(path, kind, "gamma", (width,))
            yield _weight(path, kind, "beta", (width,))
        inputs = width


def _weight(path: str, kind: str, name: str, shape: tuple[int, ...]) -> Moment:
    return Moment(
        phase="gradient", tensor=name, layer=path, kind=kind, dtype="float32", shape=shape
    )


def step(
    differs: str = "",
    layers: Iterable[tuple[str, str, tuple[int, ...]]] = LAYERS,
) -> tuple[Moment, ...]:
    """A step from batch to weights in the order of execution. `differs` is the first that does,
    as ``phase/layer/tensor``; what is computed from it differs as well."""
    known = list(layers)
    backward = list(reversed(known))
    trained = list(weights(known))
    given = [
        Moment(phase="state", tensor="dropout/seed_generator_state", dtype="uint32", shape=(2,)),
        Moment(phase="batch", tensor="x", dtype="float32", shape=(64, 32, 32, 3)),
        Moment(phase="batch", tensor="y", dtype="int64", shape=(64,)),
    ]
    forward = [
        Moment(
            phase="forward", tensor="output", layer=path, kind=kind, dtype="float32", shape=shape
        )
        for path, kind, shape in known
    ]
    loss = Moment(
        phase="loss", tensor="loss", kind="SparseCategoricalCrossentropy", dtype="float32"
    )
    flowing = [
        Moment(
            phase="gradient",
            tensor="gradient of its output",
            layer=path,
            kind=kind,
            dtype="float32",
            shape=shape,
        )
        for path, kind, shape in backward
    ]
    updates = [structs.replace(weight, phase="update", kind="Adam") for weight in trained]
    found = [*given, *forward, loss, *flowing, *reversed(trained), *updates]
    names = [f"{moment.phase}/{moment.layer}/{moment.tensor}" for moment in found]
    start = names.index(differs) if differs else len(found)
    first = found[start] if differs else None
    return tuple(
        structs.replace(moment, differs=place >= start and _reached(moment, first))
        for place, moment in enumerate(found)
    )


def _reached(moment: Moment, first: Moment | None) -> bool:
    """Whether a difference at `first` reaches a later moment: that of a weight's gradient reaches
    this weight alone, any other all that follows."""
    if first is None or first.phase != "gradient" or first.tensor.startswith("gradient"):
        return first is not None
    return (moment.layer, moment.tensor) == (first.layer, first.tensor)


KERNEL = step("gradient/conv2d_3/kernel")


def moment(**changes: Any) -> Moment:
    """The gradient of a convolution's kernel, but for `changes`."""
    known: dict[str, Any] = {
        "phase": "gradient",
        "tensor": "kernel",
        "layer": "conv2d_3",
        "kind": "Conv2D",
        "dtype": "float32",
        "shape": (3, 3, 32, 32),
        "differs": True,
    }
    return Moment(**(known | changes))


def zoom(**changes: Any) -> Zoom:
    """Five pairs that part at step 17, in the gradient of a kernel, but for `changes`."""
    known: dict[str, Any] = {
        "model": "sequential",
        "factors": ("op-determinism",),
        "trials": ("t08", "t09", "t12", "t13"),
        "first_step": 1,
        "last_step": 32,
        "pairs": 1,
        "firsts": (First(step=17, moment=moment(), pairs=1),),
        "step": 17,
        "pair": ("t08", "t09"),
        "moments": KERNEL,
        "mode": "graph",
        "unchanged_steps": 16,
    }
    return Zoom(**(known | changes))


def at(place: Moment, step: int = 17, pairs: int = 1) -> First:
    return First(step=step, moment=place, pairs=pairs)


def step_map(
    tensors: Iterable[str] = (), steps: Iterable[int] = range(1, 121), *, start: int = 17
) -> StepMap:
    """Tensors that come to differ one after the other, four a step, from step `start` on."""
    names = tuple(tensors) or tuple(f"{one.layer}/{one.tensor}" for one in weights(LAYERS))
    numbers = tuple(steps)
    return StepMap(
        trials=("t08", "t09"),
        model="sequential",
        tensors=names,
        steps=numbers,
        differs=tuple(
            "".join(
                "1" if number >= start + (row * 7 % len(names)) // 4 else "0" for number in numbers
            )
            for row in range(len(names))
        ),
    )


def deep(layers: int = 500) -> tuple[tuple[str, str, tuple[int, ...]], ...]:
    """A network with very many layers."""
    kinds = ("Conv2D", "BatchNormalization")
    return tuple(
        (f"block_{n // 10}/layer_{n}", kinds[n % 2], (-1, 8, 8, 64)) for n in range(layers)
    )


RECORDING = Recording(model="sequential", interval=4, share=0.031, bytes=1_204_000)


def looked_into() -> Diagnosis:
    """Kernels of a GPU that add up in no fixed order; the steps where runs part are looked into."""
    where = Divergence(
        checkpoint="step",
        model="sequential",
        epoch=1,
        step=17,
        tensor="conv2d_3/kernel",
        kind="weights",
        max_abs=1.19e-7,
        max_rel=4.6e-7,
        max_ulp=4,
        mean_abs=2.1e-10,
        mean_rel=3.2e-9,
        share=0.031,
        cosine=1.0,
        trials=("t08", "t09"),
        tensors_differing=1,
        tensors=18,
    )
    names = step_map().tensors
    checkpoints = ("init", *(f"step {number}" for number in range(1, 33)), "epoch 1", "epoch 2")
    apart = parts.differences(start=17, tensors=names, checkpoints=checkpoints, rate=0.3)
    shares = tuple(tuple(min(1.0, 3e6 * (value or 0.0)) for value in row) for row in apart.max_abs)
    race = (
        at(moment(), 17, 3),
        at(moment(layer="conv2d_2", shape=(3, 3, 16, 32)), 18, 2),
    )
    return base(
        verdict="causes-found",
        summary="Runs part at step 17: the weights of `conv2d_3/kernel` differ, because kernels of "
        "the GPU add up in no fixed order.",
        environment=Environment(
            python="3.11.9",
            platform="Linux-6.1.0-x86_64-with-glibc2.36",
            cpu="Intel Xeon Silver 4314",
            cores=16,
            gpus=("NVIDIA H100",),
            driver="570.86",
            packages={"keras": "3.15.1", "tensorflow": "2.21.0"},
        ),
        causes=(
            Cause(
                factor="op-determinism",
                title=parts.TITLES["op-determinism"],
                explanation="Some kernels add up in the order in which their threads finish.",
                first_divergence=where,
                trials=("t08", "t09"),
                agreeing=("t03", "t04", "t10"),
                advice="Ask TensorFlow for kernels that add up in a fixed order.",
                fix="tf.config.experimental.enable_op_determinism()",
            ),
        ),
        prescription=Prescription(
            snippet="import tensorflow as tf\n\ntf.config.experimental.enable_op_determinism()\n",
            top=("import tensorflow as tf\n\ntf.config.experimental.enable_op_determinism()\n",),
            pins=("op-determinism",),
            verified_trials=("t10", "t11", "t12"),
            verified=True,
        ),
        confidence=parts.confidence(3),
        first_divergence=where,
        trials=parts.TRIALS,
        questions=parts.QUESTIONS[:2],
        zooms=(
            zoom(),
            zoom(factors=("cudnn",), pairs=5, firsts=race, mode="xla", unchanged_steps=0),
            zoom(
                factors=("tf32",),
                pairs=0,
                firsts=(),
                step=0,
                pair=None,
                moments=(),
                mode="eager",
                note="A look inside a step slows it down, so a race may not strike.",
            ),
        ),
        step_maps=(step_map(),),
        recording=(RECORDING,),
        differences=(structs.replace(apart, trials=("t08", "t09"), share=shares),),
    )
