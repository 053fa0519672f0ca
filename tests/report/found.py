"""Sample diagnoses in which causes were found, and the one that all samples start from."""

from __future__ import annotations

from typing import Any

from nondet.record import (
    Cause,
    Cleared,
    Cost,
    Diagnosis,
    Divergence,
    NotTested,
    Prescription,
    Sensitivity,
    Spread,
    Subject,
    Trial,
)
from tests.report import parts


def base(**changes: Any) -> Diagnosis:
    """A diagnosis of the iris script with nothing found, but for `changes`."""
    known: dict[str, Any] = {
        "nondet": "0.1.0",
        "subject": Subject(
            script="train.py",
            args=("--data", "iris.csv"),
            python="/home/ada/iris/.venv/bin/python",
            cwd="/home/ada/iris",
            sha256="9f2c61d0" * 8,
        ),
        "environment": parts.ENVIRONMENT,
        "cost": Cost(trials=15, subject_seconds=121.7, wall_seconds=74.2, single_run_seconds=9.3),
        "started": "2026-11-23T20:14:05Z",
        "seed": 20261,
        "digest": "xxh3_128",
        "titles": parts.TITLES,
    }
    return Diagnosis(**(known | changes))


IDLE = (
    "clock",
    "leftovers",
    "numpy-generator",
    "third-party-rng",
    "os-entropy",
    "process-identity",
    "file-order",
    "addresses",
    "data-threads",
    "python-workers",
    "distribution",
    "noise-and-augmentation",
)
CLEARED = (
    *(Cleared(factor=name, why="not-exercised", trials=("t06",)) for name in IDLE),
    Cleared(factor="cpu-threads", why="released-without-effect", trials=("t05",)),
    Cleared(factor="op-determinism", why="released-without-effect", trials=("t05",)),
    Cleared(factor="onednn", why="released-without-effect", trials=("t05",)),
    Cleared(factor="cpu-isa", why="released-without-effect", trials=("t05",)),
    Cleared(factor="numpy-global", why="released-without-effect", trials=("t07",)),
    Cleared(factor="tf-seed", why="released-without-effect", trials=("t07",)),
)
NO_GPU = tuple(
    NotTested(factor=name, why="this machine has no GPU") for name in ("cudnn", "tf32", "device")
)
NOT_HERE = (
    *NO_GPU,
    NotTested(factor="torch-seed", why="PyTorch is not used"),
    NotTested(factor="jax-seed", why="JAX is not used"),
    NotTested(factor="xla", why="TensorFlow was built without XLA"),
)


def one_cause(**changes: Any) -> Diagnosis:
    """Unseeded Python random; fix verified by six trials."""
    known: dict[str, Any] = {
        "verdict": "causes-found",
        "summary": "Runs part before training: the initial weights of `dense/kernel` and 1 more "
        "differ, because Python's `random` is not seeded (initial-weights and dropout draw from "
        "it; train.py:8).",
        "causes": (parts.RANDOM,),
        "alternatives": (("initial-weights", "dropout"),),
        "cleared": CLEARED,
        "not_tested": NOT_HERE,
        "first_divergence": parts.START,
        "prescription": Prescription(
            snippet=parts.SEEDS,
            top=(parts.SEEDS,),
            patch="--- a/train.py\n+++ b/train.py\n@@ -1,2 +1,4 @@\n import tensorflow as tf\n"
            " from tensorflow import keras\n+\n+keras.utils.set_random_seed(42)\n",
            pins=("python-random",),
            verified_trials=tuple(f"t{n}" for n in range(10, 16)),
            verified=True,
        ),
        "confidence": parts.confidence(6),
        "trials": parts.TRIALS,
        "questions": parts.QUESTIONS,
        "differences": (parts.differences(floor=0.31, rate=0.1),),
    }
    return base(**(known | changes))


def three_causes() -> Diagnosis:
    """Python random, the hash seed and CPU threads, one after the other; a launch line as well."""
    order = Cause(
        factor="hash-seed",
        consumers=("shuffle",),
        sites=(parts.site(4, "<module>", "a set of file names was iterated"),),
        first_divergence=Divergence(
            checkpoint="batch",
            model="sequential",
            epoch=1,
            step=1,
            tensor="x",
            kind="batch",
            trials=("t16", "t17"),
        ),
        trials=("t16", "t17"),
        agreeing=("t03", "t04"),
        advice="Sort what comes out of a set: `sorted(names)`. Or start Python with a fixed seed.",
        fix="PYTHONHASHSEED=0 python train.py --data iris.csv",
        title=parts.TITLES["hash-seed"],
        explanation="The order in which a set of strings is iterated changes with every process.",
    )
    threads = Cause(
        factor="cpu-threads",
        first_divergence=Divergence(
            checkpoint="epoch",
            model="sequential",
            epoch=2,
            step=20,
            tensor="dense_1/kernel",
            kind="weights",
            max_abs=1.49e-8,
            max_rel=2.1e-7,
            max_ulp=2,
            trials=("t18", "t19"),
            tensors=4,
        ),
        pin="ablating",
        trials=("t18", "t19"),
        agreeing=("t03", "t04"),
        advice="Ask TensorFlow for kernels that add up in a fixed order.",
        fix="tf.config.experimental.enable_op_determinism()",
        spread={"accuracy": Spread(sd=0.0012, min=0.9507, max=0.9533)},
        title=parts.TITLES["cpu-threads"],
        explanation="A kernel that shares its sum among threads adds up in the order in which they "
        "finish, and floating-point sums depend on their order.",
    )
    return one_cause(
        summary="Runs part before training: the initial weights of `dense/kernel` and 1 more "
        "differ, because Python's `random` is not seeded, the order of a set changes with Python's "
        "hash seed (train.py:4), and a CPU kernel adds up in the order in which its threads "
        "finish.",
        causes=(parts.RANDOM, order, threads),
        alternatives=(),
        sensitivities=(
            Sensitivity(
                factor="op-determinism",
                trials=("t20", "t21"),
                explanation="Other kernels give another result, the same in every run.",
                first_divergence=parts.ROUNDING,
            ),
        ),
        cleared=CLEARED[: len(IDLE)],
        prescription=Prescription(
            snippet=parts.SEEDS + "\nimport tensorflow as tf\n\n"
            "tf.config.experimental.enable_op_determinism()\n",
            top=(parts.SEEDS,),
            launch="PYTHONHASHSEED=0 python train.py --data iris.csv",
            pins=("python-random", "hash-seed", "cpu-threads"),
            verified_trials=("t22", "t23", "t24"),
            verified=True,
        ),
        confidence=parts.confidence(3),
        trials=(*parts.TRIALS[:9], *_more_trials()),
        questions=(
            *parts.QUESTIONS,
            parts.question(
                "Is it the hash seed?", ("hash-seed",), "DIVERGES", ("t16", "t17"), "A cause"
            ),
            parts.question(
                "Are CPU threads a cause?", ("cpu-threads",), "DIVERGES", ("t18", "t19"), "A cause"
            ),
        ),
        differences=(
            parts.differences(floor=0.31, rate=0.1),
            parts.differences(start=2, trials=("t18", "t19")),
        ),
        cost=Cost(trials=18, subject_seconds=148.3, wall_seconds=90.1, single_run_seconds=9.3),
        warnings=(
            "The working folder was copied for every trial: overlay mounts are not allowed.",
        ),
    )


def _more_trials() -> list[Trial]:
    free = ["hash-seed"] * 2 + ["cpu-threads"] * 2 + ["op-determinism"] * 2
    found = [
        parts.trial(n, parts.plan((factor,)), f"Is it {factor}?")
        for n, factor in enumerate(free, start=16)
    ]
    held = parts.plan(set(parts.TITLES) - {"python-random", "hash-seed", "cpu-threads"})
    return found + [parts.trial(n, held, "Does the fix hold?") for n in range(22, 25)]
