"""Sample diagnoses of seeds that come too late, of what stress provokes, and of what is refused."""

from __future__ import annotations

from nondet.record import (
    Cause,
    Cost,
    Diagnosis,
    Divergence,
    Dormant,
    Failure,
    Prescription,
    Refusal,
    Seeding,
    Sensitivity,
    Stress,
    Suspect,
    Trial,
)
from tests.report import parts
from tests.report.found import CLEARED, NOT_HERE, base

CODE = """\
import os
import random
import time

import numpy as np
from tensorflow import keras

random.seed(int(time.time()))


def files(folder):
    return [os.path.join(folder, name) for name in os.listdir(folder)]


train = np.concatenate([np.load(path) for path in files("data")])
train += np.random.normal(0.0, 0.01, train.shape)
labels = train[:, -1] > 0

model = keras.Sequential([keras.layers.Dropout(0.1), keras.layers.Dense(1)])

np.random.seed(1)
keras.utils.set_random_seed(1)
model.compile("adam", "mse")
model.fit(train, labels, epochs=8)
""".splitlines()

DETECT = Refusal(
    op="UnsortedSegmentSum",
    message="UnimplementedError: A deterministic GPU implementation of UnsortedSegmentSum is not "
    "currently available. [Op:UnsortedSegmentSum]",
    advice="Compute the sum with `tf.math.segment_sum` over sorted ids, or leave deterministic "
    "mode off and pin the device.",
    site=parts.site(24, "<module>", "tf.math.unsorted_segment_sum", code=CODE),
    trials=("t12",),
)
LISTING = Dormant(
    factor="file-order",
    title=parts.TITLES["file-order"],
    explanation="The order in which a directory lists its files depends on the file system, and on "
    "how the files came there.",
    provoked="Directories are listed in reverse.",
    advice="Sort every listing: `sorted(os.listdir(folder))`.",
    fix='files = sorted(os.listdir("data"))',
    sites=(parts.site(12, "files", "os.listdir", code=CODE),),
    trials=("t30", "t31"),
    first_divergence=Divergence(
        checkpoint="epoch",
        model="sequential",
        epoch=1,
        step=10,
        tensor="dense/kernel",
        kind="weights",
        max_abs=0.0123,
        max_rel=0.31,
        max_ulp=41_233_001,
        trials=("t01", "t30"),
        tensors_differing=2,
        tensors=2,
    ),
)
HASHES = Dormant(
    factor="hash-seed",
    title=parts.TITLES["hash-seed"],
    explanation="The order in which a set of strings is iterated changes with every process.",
    provoked="Another `PYTHONHASHSEED` in every trial.",
    advice="Sort what comes out of a set, or start Python with a fixed seed.",
    trials=("t32",),
)
STRESS = Stress(
    reference=("t01", "t02"),
    dormant=(LISTING, HASHES),
    quiet=("clock", "cpu-threads", "leftovers", "process-identity", "addresses"),
    trials=("t28", "t29", "t30", "t31", "t32"),
    note="the budget was spent before python-workers had been provoked",
)


def late_seed() -> Diagnosis:
    """NumPy is seeded after its first draw, and Python's random from the clock."""
    drew = parts.site(16, "<module>", "np.random.normal", code=CODE)
    late = Cause(
        factor="numpy-global",
        sites=(drew,),
        first_divergence=parts.ROUNDING,
        trials=("t08", "t09"),
        agreeing=("t03", "t04"),
        advice="Seed it before the first draw.",
        title=parts.TITLES["numpy-global"],
        explanation="The generator behind `np.random.*` starts from the system's entropy.",
        seedings=(
            Seeding(
                call="np.random.seed",
                site=parts.site(21, "<module>", "np.random.seed", code=CODE),
                fault="late",
                before=(drew,),
                factor="numpy-global",
            ),
        ),
    )
    changing = Cause(
        factor="python-random",
        consumers=("dropout", "initial-weights"),
        sites=(
            parts.site(19, "<module>", "random.randint", what="Dropout `dropout`", code=CODE),
            parts.site(19, "<module>", "random.randint", what="Dense `dense`", code=CODE),
        ),
        first_divergence=parts.START,
        trials=("t10", "t11"),
        agreeing=("t03", "t04"),
        advice=parts.RANDOM.advice,
        title=parts.RANDOM.title,
        explanation=parts.RANDOM.explanation,
        seedings=(
            Seeding(
                call="random.seed",
                site=parts.site(8, "<module>", "random.seed", code=CODE),
                fault="varies",
                factor="python-random",
            ),
            Seeding(
                call="keras.utils.set_random_seed",
                site=parts.site(22, "<module>", "keras.utils.set_random_seed", code=CODE),
                fault="none",
                factor="tf-seed",
            ),
        ),
    )
    return base(
        verdict="causes-found",
        summary="Runs part before training: the initial weights of `dense/kernel` and 1 more "
        "differ, because NumPy's global generator is seeded too late (train.py:21), and Python's "
        "`random` is given another seed in every run (train.py:8).",
        causes=(late, changing),
        cleared=CLEARED[2:],
        not_tested=NOT_HERE,
        first_divergence=parts.START,
        prescription=Prescription(
            snippet=parts.SEEDS,
            top=(parts.SEEDS,),
            pins=("numpy-global", "python-random"),
            verified_trials=("t13", "t14", "t15"),
            verified=True,
        ),
        confidence=parts.confidence(3),
        trials=parts.TRIALS,
        questions=parts.QUESTIONS,
        refusals=(DETECT,),
        suspects=(
            Suspect(
                what="a thread started by the script",
                site=parts.site(15, "<module>", "", code=CODE),
            ),
        ),
    )


def stressed() -> Diagnosis:
    """Reproducible as it is; two sources lie dormant, and other kernels shift the result."""
    runs = [
        parts.trial(n, parts.plan(rest="free"), "Does it repeat as it is?") for n in range(1, 7)
    ]
    provoked = [
        parts.trial(n, parts.plan(rest="free") | {factor: "varied"}, "Does it once provoked?")
        for n, factor in ((30, "file-order"), (31, "file-order"), (32, "hash-seed"))
    ]
    return base(
        verdict="reproducible",
        summary="6 runs in fresh processes gave the same bits in every weight at every checkpoint.",
        confidence=parts.confidence(6),
        not_tested=NOT_HERE,
        trials=(*runs, *provoked),
        cost=Cost(trials=11, subject_seconds=101.1, wall_seconds=61.0, single_run_seconds=9.3),
        stress=STRESS,
        sensitivities=(
            Sensitivity(
                factor="onednn",
                trials=("t01", "t33"),
                explanation="Without oneDNN's kernels the result is another, the same in every "
                "run.",
                first_divergence=parts.ROUNDING,
            ),
        ),
    )


def refused() -> Diagnosis:
    """The script asks for deterministic mode, and one of its operations has no such kernel."""
    trial = Trial(
        id="t01",
        plan=parts.plan(rest="free"),
        outcome="crashed",
        seconds=5.1,
        checkpoints=0,
        question="Does it run at all?",
        exit_code=1,
        stderr_tail=f"{DETECT.message}\n",
        isolation="overlay",
    )
    return base(
        verdict="broken",
        summary="The script could not be diagnosed: it ended with exit code 1.",
        error=Failure(
            slug="subject-crashed",
            message="it ended with exit code 1",
            traceback="Traceback (most recent call last):\n"
            '  File "train.py", line 24, in <module>\n    model.fit(train, labels, epochs=8)\n'
            f"{DETECT.message}\n",
        ),
        trials=(trial,),
        refusals=(
            Refusal(
                op=DETECT.op,
                message=DETECT.message,
                advice=DETECT.advice,
                site=DETECT.site,
                trials=("t01",),
                own=True,
            ),
        ),
        cost=Cost(trials=1, subject_seconds=5.1, wall_seconds=6.0, single_run_seconds=5.1),
    )
