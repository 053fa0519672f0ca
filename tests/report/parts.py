"""What the sample diagnoses are made of: one script, its trials, questions and differences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from nondet.record import (
    Arm,
    Cause,
    Confidence,
    Differences,
    Divergence,
    Environment,
    Outcome,
    QuestionRecord,
    Site,
    SourceLine,
    Spread,
    Trial,
)
from nondet.stats import divergence_bound

Answer = Literal["AGREES", "DIVERGES", "BROKEN", "UNSURE"]

TITLES = {
    "python-random": "Python's random module",
    "numpy-global": "NumPy's global generator",
    "numpy-generator": "NumPy generators made without a seed",
    "tf-seed": "TensorFlow's global seed",
    "torch-seed": "PyTorch's generators",
    "third-party-rng": "A library's own generator",
    "os-entropy": "The system's entropy (urandom, secrets, uuid)",
    "process-identity": "Process id, host name, temporary names",
    "clock": "The clock",
    "file-order": "Order of directory listings",
    "hash-seed": "Python's hash seed (order of sets)",
    "leftovers": "Files left by a former run",
    "addresses": "Memory addresses (order of sets of objects)",
    "data-threads": "Parallel data loading",
    "python-workers": "Pools of threads and processes",
    "cudnn": "cuDNN's choice of algorithms",
    "tf32": "TensorFloat-32 on a GPU",
    "op-determinism": "TensorFlow's deterministic kernels",
    "xla": "Compilation by XLA",
    "onednn": "oneDNN's kernels on the CPU",
    "cpu-threads": "CPU threads",
    "distribution": "Replicas and workers of tf.distribute",
    "cpu-isa": "Instruction sets of the CPU",
    "device": "GPU or CPU",
    "initial-weights": "Initial weights",
    "dropout": "Dropout",
    "noise-and-augmentation": "Layers that draw (noise, augmentation, stochastic depth)",
    "shuffle": "Shuffling of the training data",
    "jax-seed": "Keys of JAX",
    "keras-seed": "Keras' global seed generator",
}
CODE = """\
import tensorflow as tf
from tensorflow import keras

x, y = load("iris.csv")

model = keras.Sequential([
    keras.Input((4,)),
    keras.layers.Dense(32, activation="relu"),
    keras.layers.Dropout(0.2),
    keras.layers.Dense(3, activation="softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=8, batch_size=16)
""".splitlines()
TENSORS = ("dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias")
EPOCHS = ("init", *(f"epoch {epoch}" for epoch in range(1, 9)))
SEEDS = "import keras\n\nkeras.utils.set_random_seed(20261)\n"
START = Divergence(
    checkpoint="init",
    model="sequential",
    epoch=0,
    step=0,
    tensor="dense/kernel",
    kind="initial-weights",
    max_abs=0.31,
    max_rel=0.651,
    max_ulp=258_333_334,
    trials=("t01", "t02"),
    tensors_differing=2,
    tensors=4,
)
ROUNDING = Divergence(
    checkpoint="epoch",
    model="sequential",
    epoch=1,
    step=10,
    tensor="dense/kernel",
    kind="weights",
    max_abs=2.98e-8,
    max_rel=1.2e-7,
    max_ulp=1,
    trials=("t03", "t20"),
    tensors_differing=4,
    tensors=4,
)
ENVIRONMENT = Environment(
    python="3.11.9",
    platform="Linux-6.1.0-x86_64-with-glibc2.36",
    cpu="Intel Xeon Silver 4314",
    cores=16,
    packages={"keras": "3.15.1", "numpy": "2.4.6", "tensorflow": "2.21.0"},
)


def site(
    line: int,
    function: str,
    detail: str,
    count: int = 1,
    *,
    what: str = "",
    code: Sequence[str] = CODE,
) -> Site:
    """A place in `code` with two lines around it."""
    around = range(max(1, line - 2), min(len(code), line + 2) + 1)
    return Site(
        file="train.py",
        line=line,
        function=function,
        source=tuple(SourceLine(number=n, text=code[n - 1]) for n in around),
        detail=detail,
        count=count,
        what=what,
    )


def plan(free: Iterable[str] = (), *, rest: Arm = "pinned") -> dict[str, Arm]:
    """Every factor's arm: `free` ones free, all others `rest`."""
    chosen = set(free)
    return {factor: "free" if factor in chosen else rest for factor in TITLES}


def trial(
    number: int,
    arms: dict[str, Arm],
    question: str,
    *,
    outcome: Outcome = "completed",
    accuracy: float | None = 0.9533,
    note: str = "",
) -> Trial:
    """A trial of the iris script: 8 epochs in about 9 s."""
    done = outcome == "completed"
    return Trial(
        id=f"t{number:02d}",
        plan=arms,
        outcome=outcome,
        seconds=9.2 + number % 3 * 0.21 if done else 5.1,
        checkpoints=9 if done else 1,
        question=question,
        exit_code=0 if done else None,
        peak_memory=612_000_000 + number * 1_000_000,
        metrics={"accuracy": accuracy, "loss": 0.1962} if done and accuracy else {},
        note=note,
        stdout_tail="Epoch 8/8\n10/10 - 0s - 2ms/step - accuracy: 0.9533 - loss: 0.1962\n"
        if done
        else "Epoch 1/8\n",
        stderr_tail="I0000 cpu_feature_guard.cc:227] This TensorFlow binary is optimized ...\n",
        isolation="overlay",
    )


def differences(
    *,
    start: int = 0,
    trials: tuple[str, str] = ("t01", "t02"),
    floor: float = 3e-9,
    rate: float = 1.6,
    tensors: tuple[str, ...] = TENSORS,
    checkpoints: tuple[str, ...] = EPOCHS,
) -> Differences:
    """Two trials that part at checkpoint `start` and drift apart at `rate` (in e-folds)."""

    def cell(row: int, column: int) -> float:
        late = row // 12  # deep networks part in one block first, and the others follow
        if column < start + late or (column == 0 and tensors[row].endswith("bias")):
            return 0.0
        wave = 1 + 0.5 * math.sin(row * 1.7 + column * 6.3 / len(checkpoints))
        return min(0.9, floor * wave * math.exp(rate * (column - start - late)))

    grid = tuple(
        tuple(cell(row, column) for column in range(len(checkpoints)))
        for row in range(len(tensors))
    )
    return Differences(
        trials=trials,
        model="sequential",
        tensors=tensors,
        checkpoints=checkpoints,
        max_abs=grid,
        max_rel=tuple(tuple(min(2.0, v * 2.1) for v in row) for row in grid),
        max_ulp=tuple(tuple(math.ceil(v / 1.2e-9) for v in row) for row in grid),
        differs=tuple(tuple(v > 0 for v in row) for row in grid),
    )


def confidence(runs: int) -> Confidence:
    """`runs` agreeing trials, hence one comparison fewer."""
    return Confidence(
        agreeing_trials=runs,
        divergence_probability_bound=divergence_bound(0, runs - 1),
        level=0.95,
    )


def question(
    text: str, free: Iterable[str], verdict: Answer, trials: Iterable[str], conclusion: str
) -> QuestionRecord:
    """A question in which every factor but `free` was pinned."""
    released = tuple(free)
    return QuestionRecord(
        text=text,
        pinned=tuple(f for f in TITLES if f not in released),
        free=released,
        verdict=verdict,
        trials=tuple(trials),
        conclusion=conclusion,
    )


RANDOM = Cause(
    factor="python-random",
    consumers=("initial-weights", "dropout"),
    sites=(
        site(8, "<module>", "random.randint", what="Dense `dense`"),
        site(9, "<module>", "random.randint", 2, what="Dropout `dropout`"),
    ),
    first_divergence=START,
    trials=("t08", "t09"),
    agreeing=("t03", "t04", "t10", "t11"),
    advice="Seed it before the first model is built; `keras.utils.set_random_seed` does that, "
    "and seeds NumPy and TensorFlow with it.",
    fix=SEEDS,
    spread={
        "accuracy": Spread(sd=0.0133, min=0.9267, max=0.9667),
        "loss": Spread(sd=0.0214, min=0.1741, max=0.2389),
    },
    title=TITLES["python-random"],
    explanation="Python's `random` starts from the operating system's entropy in every process "
    "unless it is seeded. Keras 3 draws from it the default seed of every layer and initializer.",
)
TRIALS = (
    trial(1, plan(rest="free"), "Does it repeat as it is?", accuracy=0.9467),
    trial(
        2,
        plan(rest="free"),
        "Does it repeat as it is?",
        outcome="stopped-early",
        note="stopped at its first difference from t01",
    ),
    trial(3, plan(), "Can everything known be held?"),
    trial(4, plan(), "Can everything known be held?"),
    trial(5, plan(("cpu-threads", "op-determinism", "cudnn")), "Is entropy enough?"),
    trial(6, plan(("clock", "leftovers", "numpy-generator")), "Do idle factors matter?"),
    trial(7, plan(("numpy-global", "tf-seed")), "Do these two matter?"),
    trial(8, plan(("python-random",)), "Is it python-random?", outcome="stopped-early"),
    trial(9, plan(("python-random",)), "Is it python-random?", outcome="stopped-early"),
    *(
        trial(n, plan(set(TITLES) - {"python-random"}), "Does the fix hold?", accuracy=0.96)
        for n in range(10, 16)
    ),
)
QUESTIONS = (
    question("Does the script repeat as it is?", TITLES, "DIVERGES", ("t01", "t02"), "It does not"),
    question(
        "Does it repeat with everything known held?",
        (),
        "AGREES",
        ("t03", "t04"),
        "So the cause is among the factors",
    ),
    question(
        "And with threads and kernels released?",
        ("cpu-threads", "op-determinism", "cudnn"),
        "AGREES",
        ("t05",),
        "So the cause is randomness, not the order of arithmetic",
    ),
    question(
        "Is it Python's random module?",
        ("python-random",),
        "DIVERGES",
        ("t08", "t09"),
        "Two runs of the same plan differ: a cause",
    ),
)
