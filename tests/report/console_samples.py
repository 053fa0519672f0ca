"""Small diagnoses of every verdict, and a run of watcher calls, for tests of the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nondet.guest.factors import REGISTRY
from nondet.host.watching import Watcher
from nondet.record import (
    Cause,
    Cleared,
    Confidence,
    Cost,
    Diagnosis,
    Divergence,
    Dormant,
    Environment,
    Failure,
    Horizon,
    NotTested,
    Prescription,
    Refusal,
    Seeding,
    Sensitivity,
    Site,
    Slowdown,
    Stress,
    Subject,
    Suspect,
)
from tests.report import inside

REPORT = "nondet-report/report.html"
HOSTILE = "[red]a\nb\x1b[31mc\x9b2J\u202e\udc80.py"
START = Divergence(
    checkpoint="init",
    model="sequential",
    epoch=0,
    step=0,
    tensor="dense/kernel",
    kind="initial-weights",
    max_abs=0.7713,
    max_rel=1.62,
    max_ulp=1_078_401_522,
    trials=("t01", "t02"),
    tensors_differing=2,
    tensors=4,
)
SNIPPET = "import keras\nkeras.utils.set_random_seed(42)"
SURE = Confidence(agreeing_trials=6, divergence_probability_bound=0.4507, level=0.95)


def diagnosis(**changes: Any) -> Diagnosis:
    """A diagnosis that found nothing, but for `changes`."""
    known: dict[str, Any] = {
        "nondet": "0.1.0",
        "subject": Subject(script="train.py", python="python3"),
        "environment": Environment(python="3.11", platform="Linux", cpu="x", cores=2),
        "verdict": "unsure",
        "cost": Cost(trials=10, subject_seconds=90, wall_seconds=63.2, single_run_seconds=8.9),
    }
    return Diagnosis(**(known | changes))


def site(line: int, file: str = "train.py") -> Site:
    return Site(
        file=file,
        line=line,
        function="build",
        detail="random.randint",
        count=3,
        what="Dropout `dropout_1`",
    )


LATE = Seeding(
    call="np.random.seed",
    site=site(20),
    fault="late",
    before=(site(12),),
    factor="numpy-global",
)
VARIES = Seeding(call="random.seed", site=site(9), fault="varies", factor="python-random")
IN_TIME = Seeding(call="tf.random.set_seed", site=site(4), fault="none", factor="tf-seed")
LISTING = Dormant(
    factor="file-order",
    provoked="Directories are listed in reverse.",
    sites=(site(12),),
    trials=("t11",),
)
REFUSAL = Refusal(
    op="UnsortedSegmentSum",
    message="A deterministic GPU implementation is not available",
    advice="Sort the ids.",
    site=site(24),
    trials=("t09",),
)


def cause(factor: str = "python-random", sites: int = 2, **changes: Any) -> Cause:
    known: dict[str, Any] = {
        "consumers": ("initial-weights", "dropout"),
        "sites": tuple(site(30 + place) for place in range(sites)),
        "trials": ("t01", "t02"),
        "agreeing": ("t03", "t04", "t05", "t06", "t07", "t08"),
        "title": "Python's random module",
        "advice": "Seed it before the first model is built.",
    }
    return Cause(factor=factor, **(known | changes))


def one_cause(**changes: Any) -> Diagnosis:
    known: dict[str, Any] = {
        "verdict": "causes-found",
        "summary": "Runs part before training: the initial weights of `dense/kernel` and 1 more "
        "differ, because Python's `random` is not seeded (initial-weights and dropout draw from "
        "it; train.py:30).",
        "causes": (cause(),),
        "first_divergence": START,
        "prescription": Prescription(
            snippet=SNIPPET,
            pins=("python-random",),
            verified_trials=("t03", "t04", "t05", "t06", "t07", "t08"),
            verified=True,
        ),
        "confidence": SURE,
        "cleared": (Cleared(factor="shuffle", why="released-without-effect"),),
        "not_tested": (
            NotTested(factor="cudnn", why="no GPU here"),
            NotTested(factor="device", why="no GPU here"),
        ),
    }
    return diagnosis(**(known | changes))


def many_causes(count: int = 6) -> Diagnosis:
    names = [f"factor-{place}" for place in range(1, count + 1)]
    return one_cause(
        causes=tuple(cause(name, sites=5) for name in names),
        alternatives=(("op-determinism",),),
        sensitivities=(Sensitivity(factor="cpu-threads"),),
        warnings=("one", "two", "three", "four"),
        prescription=Prescription(
            snippet="\n".join(f"line_{place} = 1" for place in range(1, 31)),
            launch="PYTHONHASHSEED=0 python train.py",
        ),
    )


def reproducible() -> Diagnosis:
    return diagnosis(
        verdict="reproducible",
        summary="6 runs in fresh processes gave the same bits in every weight at every checkpoint.",
        confidence=SURE,
    )


def late_seed(**changes: Any) -> Diagnosis:
    """One cause, whose seed comes too late; deterministic mode was refused on the way."""
    known: dict[str, Any] = {
        "causes": (cause("numpy-global", sites=1, seedings=(LATE, VARIES, IN_TIME)),),
        "refusals": (REFUSAL,),
        "not_tested": tuple(
            NotTested(factor=f"factor-{place}", why="no GPU here") for place in range(1, 15)
        ),
        "first_divergence": None,
    }
    return one_cause(**(known | changes))


SLOW = Slowdown(
    ratio=1.6,
    pinned_seconds=14.2,
    free_seconds=8.9,
    pinned=("t03", "t04"),
    free=("t01", "t02"),
    noticeable=True,
)


def shortened(**changes: Any) -> Diagnosis:
    """One cause, whose pin is slow; the trials were ended after an epoch."""
    known: dict[str, Any] = {
        "causes": (cause("cpu-threads", sites=1, slowdown=SLOW),),
        "horizon": Horizon(unit="epoch", count=1, reached="epoch 1"),
    }
    return one_cause(**(known | changes))


def looked_into(**changes: Any) -> Diagnosis:
    """A race of kernels, which no line of the script shows; steps were looked into."""
    known: dict[str, Any] = {
        "summary": "Runs part at step 17: the weights of `conv2d_3/kernel` differ, because some "
        "kernels add up in no fixed order.",
        "causes": (cause("op-determinism", sites=0, consumers=()),),
        "zooms": inside.looked_into().zooms[:2],
    }
    return one_cause(**(known | changes))


def stressed(**changes: Any) -> Diagnosis:
    """Reproducible as it is; one source lies dormant."""
    stress = Stress(
        reference=("t01", "t02"),
        dormant=(LISTING,),
        quiet=("clock", "hash-seed"),
        trials=("t11", "t12"),
        note="the budget was spent before python-workers had been provoked",
    )
    known: dict[str, Any] = {
        "verdict": "reproducible",
        "confidence": SURE,
        "stress": stress,
        "sensitivities": (Sensitivity(factor="onednn", first_divergence=START),),
    }
    return diagnosis(**(known | changes))


def unresolved(**changes: Any) -> Diagnosis:
    known: dict[str, Any] = {
        "verdict": "unresolved",
        "summary": "Runs part in epoch 3: the weights of `dense/kernel` differ, and nothing that "
        "nondet can pin holds them together.",
        "first_divergence": Divergence(
            checkpoint="epoch",
            model="sequential",
            epoch=3,
            step=40,
            tensor="dense/kernel",
            kind="weights",
            max_ulp=1,
        ),
        "suspects": (
            Suspect(what="a thread started by the script", site=site(12)),
            Suspect(what="an open of `/dev/urandom`"),
        ),
    }
    return diagnosis(**(known | changes))


def unsure() -> Diagnosis:
    return diagnosis(
        summary="No difference so far, in too few runs to say more (interrupted).",
        interrupted=True,
        confidence=Confidence(agreeing_trials=2, divergence_probability_bound=0.95, level=0.95),
    )


def refused() -> Diagnosis:
    """The script itself asks for the mode that refuses its operation."""
    own = Refusal(op="an op of XLA", message="not available", advice="", own=True)
    return diagnosis(
        verdict="broken", error=Failure(slug="crash", message="exit code 1"), refusals=(own,)
    )


def broken() -> Diagnosis:
    frames = "\n".join(f'  File "train.py", line {n}, in f{n}\n    f{n}()' for n in range(20))
    return diagnosis(
        verdict="broken",
        summary="The script could not be diagnosed: it ended with exit code 1.",
        error=Failure(
            slug="subject-crashed",
            message="it ended with exit code 1",
            traceback=f"Traceback (most recent call last):\n{frames}\nValueError: \x1b[31mbad[/]\n",
        ),
    )


ALL: dict[str, Callable[[], Diagnosis]] = {
    "one-cause": one_cause,
    "many-causes": many_causes,
    "reproducible": reproducible,
    "late-seed": late_seed,
    "shortened": shortened,
    "stressed": stressed,
    "looked-into": looked_into,
    "unresolved": unresolved,
    "unsure": unsure,
    "refused": refused,
    "broken": broken,
}

NAMES = [factor.name for factor in REGISTRY]


def feed(watcher: Watcher) -> None:
    """The calls of a diagnosis that stands in its last question, two trials under way."""
    watcher.opened("train.py", "nondet-report", 2)
    for name in NAMES:
        watcher.factor(name, name, "waiting", "")
    watcher.factor("device", "GPU or CPU", "not-tested", "no GPU here")
    watcher.question("Does it repeat as it is?", (), NAMES, 6)
    watcher.trial_started("t01", "Does it repeat as it is?")
    watcher.trial_progress("t01", 3, None, 1.5)
    watcher.trial_ended("t01", "completed", 8.9, "")
    watcher.trial_started("t02", "Does it repeat as it is?")
    watcher.trial_ended("t02", "stopped-early", 2.0, "parts from t01 at init, dense/kernel")
    watcher.answered("Does it repeat as it is?", "DIVERGES", "runs part before training")
    watcher.factor("python-random", "Python's random", "suspected", "random.randint, train.py:31")
    watcher.factor("python-random", "Python's random", "guilty", "free: t01, t02 part")
    watcher.factor("shuffle", "Shuffling", "cleared", "free in t03 and t04, which agree")
    watcher.factor("cpu-threads", "CPU threads", "shifts", "another result, the same each time")
    watcher.factor("hash-seed", "Hash seed", "not-exercised", "no set was iterated")
    watcher.message("the working folder is 2.1 GB: trials run in place")
    watcher.remaining(75.0)
    watcher.question("Is python-random alone enough?", ("python-random",), NAMES[1:], 6)
    watcher.trial_started("t03", "Is python-random alone enough?")
    watcher.trial_progress("t03", 4, 8, 4.0)
    watcher.trial_started("t04", "Is python-random alone enough?")
    watcher.trial_progress("t04", 5, None, 4.0)
