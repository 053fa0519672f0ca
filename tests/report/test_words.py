"""The report's sentences."""

from __future__ import annotations

import math
from typing import Any, Literal

import pytest
from msgspec import structs

from nondet.record import (
    Arm,
    Confidence,
    Diagnosis,
    Divergence,
    Horizon,
    NotTested,
    Recording,
    Seeding,
)
from nondet.report.page import words
from tests.report import inside, parts, samples


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (3900, "1 h 5 min"),
        (math.nan, "unknown"),
    ],
)
def test_duration(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "not measured"),
        (math.nan, "NaN"),
        (math.inf, "inf"),
        (0.0, "0"),
        (12, "12"),
        (1.5e-9, "1.5e-9"),
        (2.5e12, "2.5e12"),
        (0.123456789, "0.123457"),
    ],
)
def test_number(value: float | None, said: str) -> None:
    assert words.number(value) == said


@pytest.mark.parametrize(("value", "said"), [(0.4507, "46 %"), (0.0101, "1.1 %"), (1.0, "100 %")])
def test_a_bound_is_rounded_up(value: float, said: str) -> None:
    assert words.bound(value) == said


def test_confidence_of_one_run() -> None:
    sure = Confidence(agreeing_trials=1, divergence_probability_bound=1.0, level=0.95)
    assert words.confidence(sure, fixed=False).startswith("1 run agrees bit for bit")


@pytest.mark.parametrize(("rate", "said"), [(0.5, "50 %"), (0.1, "10 %"), (0.005, "0.5 %")])
def test_confidence_says_what_was_asked_for(rate: float, said: str) -> None:
    sure = Confidence(agreeing_trials=6, divergence_probability_bound=0.004, level=0.95, rate=rate)
    assert words.confidence(sure, fixed=False).endswith(
        f"fewer than 0.4 % of runs would differ (at most {said} was asked for)."
    )


@pytest.mark.parametrize(
    ("horizon", "end"),
    [
        (Horizon(unit="epoch", count=3, reached="epoch 3"), "the end of epoch 3"),
        (Horizon(unit="epoch", count=3), "the end of epoch 3"),
        (
            Horizon(unit="epoch", count=4, reached="fit 2, epoch 1"),
            "the end of epoch 4 (fit 2, epoch 1)",
        ),
        (Horizon(unit="step", count=50, reached="step 50"), "step 50"),
        (Horizon(unit="step", count=101, reached="step 102"), "step 101 (step 102)"),
    ],
)
def test_where_runs_were_ended(horizon: Horizon, end: str) -> None:
    assert f" {end}" in words.horizon(horizon)
    label, tone = words.verdict(structs.replace(samples.reproducible(), horizon=horizon))
    assert tone == "good"
    assert label == (f"Reproducible up to {end}" if horizon.reached else "Reproducible so far")
    assert words.verdict(samples.shortened()) == ("Causes found", "bad")


@pytest.mark.parametrize(
    ("unit", "said"),
    [("epoch", "Only epochs of `fit` are"), ("step", "Only updates of a model's weights are")],
)
def test_what_counts_where_no_run_came_to_the_end(
    unit: Literal["epoch", "step"], said: str
) -> None:
    assert said in words.horizon(Horizon(unit=unit, count=50))


def parted(checkpoint: str, step: int = 7, **more: Any) -> Diagnosis:
    """Unresolved, with the first difference at such a checkpoint."""
    diagnosis = samples.unresolved()
    first = diagnosis.first_divergence
    assert first is not None
    kind = {"init": "initial-weights", "fit": "value", "user": "value"}.get(checkpoint, "weights")
    first = structs.replace(first, checkpoint=checkpoint, kind=kind, step=step)
    return structs.replace(diagnosis, first_divergence=first, **more)


RAN_NOT, RAN = "The script did not run", "Not diagnosed"
PACE = Recording(model="sequential", interval=4, share=0.01)


@pytest.mark.parametrize(
    ("diagnosis", "coarse"),
    [
        (parted("epoch"), True),
        (parted("epoch", options=("--granularity", "step")), False),
        (parted("step"), False),
        (parted("step", recording=(PACE,)), True),
        (parted("step", step=1, recording=(PACE,)), False),
        (parted("step", recording=(structs.replace(PACE, interval=1),)), False),
        (parted("step", recording=(structs.replace(PACE, model="other"),)), False),
        (
            parted("step", recording=(PACE,), horizon=Horizon(unit="step", count=9)),
            False,
        ),
        (parted("init"), False),
        (parted("user"), False),
        (parted("fit"), False),
        (parted("end", recording=(PACE,)), False),
        (samples.reproducible(), False),
    ],
)
def test_every_step_is_offered_where_it_shows_more(diagnosis: Diagnosis, coarse: bool) -> None:
    assert words.coarse(diagnosis) is coarse
    assert any("every step" in hint for hint in words.hints(diagnosis)) is coarse


@pytest.mark.parametrize(
    ("checkpoint", "said"),
    [
        ("fit", "What a fit has learnt"),
        ("end", "the final weights differ"),
        ("user", "one of your own checkpoints"),
    ],
)
def test_a_fit_is_no_checkpoint_of_the_script_s_own(checkpoint: str, said: str) -> None:
    assert said in words.hints(parted(checkpoint))[0]


@pytest.mark.parametrize(
    ("place", "left_out", "said", "targets"),
    [
        ("loss//loss", "", "The inputs agree and the loss differs", False),
        ("loss//loss", "y", "The loss differs, and all that was looked at before it agrees.", True),
        ("gradient/conv2d_3/kernel", "y", "The loss agrees and a gradient differs", False),
        ("gradient/conv2d_3/kernel", "loss", "The loss was not looked at", True),
    ],
)
def test_a_hint_claims_no_more_than_was_compared(
    place: str, left_out: str, said: str, targets: bool
) -> None:
    look = inside.zoom(moments=tuple(m for m in inside.step(place) if m.tensor != left_out))
    first = structs.replace(
        parts.ROUNDING, model=look.model, trials=look.pair, kind=place.partition("/")[0]
    )
    found = structs.replace(samples.unresolved(), first_divergence=first, zooms=(look,))
    hint = words.hints(found)[0]
    assert said in hint
    assert ("such as targets" in hint) is targets


@pytest.mark.parametrize(
    ("slug", "label", "said", "command"),
    [
        ("crash", RAN_NOT, "see it fail by itself", "python train.py --data iris.csv"),
        ("timeout", RAN, "see how long it takes", "python train.py --data iris.csv"),
        (
            "nothing-recorded",
            RAN,
            "name what is to be compared",
            "--force train.py --data iris.csv",
        ),
        ("several-courses", RAN, "", ""),
    ],
)
def test_what_to_do_about_a_script_that_could_not_be_diagnosed(
    slug: str, label: str, said: str, command: str
) -> None:
    diagnosis = samples.broken()
    assert diagnosis.error is not None
    error = structs.replace(diagnosis.error, slug=slug)
    diagnosis = structs.replace(diagnosis, error=error)
    assert words.verdict(diagnosis) == (label, "bad")
    found = words.mending(diagnosis, "nondet-report")
    assert said in found[0]
    assert found[1].endswith(command)
    assert bool(found[0]) is bool(said)


def test_a_slow_pin_s_words() -> None:
    slow = samples.shortened().causes[-1].slowdown
    assert words.slowdown(slow) == (
        "With this pin and that of hash-seed and python-random a run takes 1.6 times as long "
        "(15 s for 9.3 s). Unless the machine was busier then, a race may be hidden by slowness "
        "alone."
    )
    assert slow is not None
    assert words.slowdown(structs.replace(slow, noticeable=False)) == ""
    assert words.slowdown(None) == ""


@pytest.mark.parametrize(
    ("interval", "share", "count", "said"),
    [
        (
            4,
            0.031,
            1_204_000,
            "every 4th step; recording took 3.1 % of the time of training; 1.2 MB",
        ),
        (1, 0.0004, 0, "every step; recording took less than 0.1 % of the time of training."),
        (2, 0.001, 512, "every 2nd step; recording took 0.1 % of the time of training; 512 B a"),
        (3, 1.0, 99_600, "every 3rd step; recording took 100.0 % of the time of training; 100 kB"),
        (12, 0.12, 10**15, "every 12th step; recording took 12.0 % of the time of training; 1000"),
        (21, 0.12, 9_960, "every 21st step; recording took 12.0 % of the time of training; 10 kB"),
    ],
)
def test_what_recording_took(interval: int, share: float, count: int, said: str) -> None:
    found = Recording(model="net", interval=interval, share=share, bytes=count)
    assert words.recording(found).startswith(f"Weights of `net` after {said}")


def test_plan_names_the_smaller_side() -> None:
    assert words.plan(parts.plan()) == "all pinned"
    assert words.plan(parts.plan(("dropout",))) == "dropout free; rest pinned"
    mixed: dict[str, Arm] = {"a": "pinned", "b": "free", "c": "varied", "d": "free"}
    assert words.plan(mixed) == "a pinned; c varied; rest free"
    assert words.plan({}) == "as the script has it"
    half = words.plan(parts.plan(list(parts.TITLES)[:14]))
    assert half == (
        "addresses, clock, data-threads, file-order, hash-seed and 9 more free; rest pinned"
    )


SEEDED = Seeding(
    call="np.random.seed",
    site=parts.site(12, "<module>", ""),
    fault="late",
    before=(
        parts.site(4, "<module>", "np.random.normal"),
        parts.site(8, "<module>", "a NumPy draw", what="Dense `dense`"),
    ),
    factor="numpy-global",
)


def test_what_is_wrong_with_a_seed() -> None:
    def said(**changes: object) -> str:
        return words.seeding(structs.replace(SEEDED, **changes), "numpy-global", parts.TITLES)

    assert said() == (
        "`np.random.seed` at train.py:12 comes too late: `np.random.normal` at train.py:4 and "
        "a NumPy draw for Dense `dense` at train.py:8 had drawn before it."
    )
    assert "too late: something had drawn before it." in said(before=())
    assert said(fault="varies") == (
        "`np.random.seed` at train.py:12 is given another seed in every run."
    )
    assert said(fault="none").endswith("given in time: it is not what breaks the runs.")
    assert said(fault="none", factor="tf-seed").endswith(
        "given in time, and seeds something else (TensorFlow's global seed)."
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Another `X` in every trial.", "another `X` in every trial"),
        ("NumPy is seeded anew.", "NumPy is seeded anew"),
        ("Python starts anew", "Python starts anew"),
        ("`X` is set.", "`X` is set"),
        ("", ""),
    ],
)
def test_a_sentence_as_a_clause(text: str, said: str) -> None:
    assert words.clause(text) == said


def test_reasons_hold_together_what_shares_one() -> None:
    items = [NotTested(factor=name, why=why) for name, why in ("ax", "by", "cx")]
    found = {why: [item.factor for item in same] for why, same in words.reasons(items).items()}
    assert found == {"x": ["a", "c"], "y": ["b"]}


@pytest.mark.parametrize(
    ("checkpoint", "said"),
    [
        ("init", "at the start, before the first step"),
        ("batch", "in the batch of step 7 (epoch 2)"),
        ("step", "at step 7 (epoch 2)"),
        ("epoch", "at the end of epoch 2"),
        ("fit", "after fit 7 of m"),
        ("user", "at a checkpoint of your own"),
    ],
)
def test_moment(checkpoint: str, said: str) -> None:
    divergence = Divergence(
        checkpoint=checkpoint,  # type: ignore[arg-type]
        model="m",
        epoch=2,
        step=7,
        tensor="k",
        kind="weights",
    )
    assert words.moment(divergence) == said


def test_a_huge_count_of_floats_in_between_is_not_told() -> None:
    assert words.apart(parts.START) == "0.31 absolute, 0.651 relative"
    near = samples.unresolved().first_divergence
    assert near is not None
    assert words.apart(near) == "2.98e-8 absolute, 3.3e-7 relative, 3 units in the last place"


def test_how_a_difference_lies_in_its_tensor() -> None:
    assert words.beside(parts.START) == ""
    thin = structs.replace(parts.START, share=0.0312, mean_abs=1.25e-9, cosine=0.999999)
    assert words.beside(thin) == "3.12 % of its elements differ, mean difference 1.25e-9 absolute"
    assert words.beside(structs.replace(parts.START, cosine=-0.25)) == "cosine -0.25"


@pytest.mark.parametrize(
    ("trials", "given", "words_"),
    [
        (99, (), ""),
        (100, (), "--max-trials 200 "),
        (12, ("--max-trials", "12", "--fork"), "--max-trials 24 --fork "),
        (12, ("--max-trials", "13"), "--max-trials 13 "),
        (100, ("--max-trials", "9" * 5000), "--max-trials 200 "),
        (100, ("--max-trials",), "--max-trials 200 "),
    ],
)
def test_what_has_spent_its_trials_goes_on_with_more(
    trials: int, given: tuple[str, ...], words_: str
) -> None:
    diagnosis = samples.unsure()
    cost = structs.replace(diagnosis.cost, trials=trials)
    diagnosis = structs.replace(diagnosis, cost=cost, options=given)
    assert words.going_on(diagnosis, words.FOLDER) == (
        f"nondet diagnose --resume {words_}train.py --data iris.csv"
    )


def test_commands_are_quoted_for_a_shell() -> None:
    diagnosis = samples.hostile()
    assert "'$(reboot)'" in words.again(diagnosis, "", "--resume")
    assert words.again(samples.shortened(), "", "--resume") == (
        "nondet diagnose --resume --epochs 4 train.py --data iris.csv"
    )
    given = ("--python", "/envs/tf/bin/python", "--granularity", "epoch", "--epochs", "4")
    diagnosis = structs.replace(samples.shortened(), options=given)
    assert words.again(diagnosis, "runs", "--granularity", "step", "--force") == (
        "nondet diagnose --granularity step --force --python /envs/tf/bin/python --epochs 4 "
        "--output runs train.py --data iris.csv"
    )
    assert words.repeated(diagnosis, diagnosis.trials[0]).startswith(
        "nondet run --python /envs/tf/bin/python "
    )
    assert words.alone(samples.base(verdict="unsure")).endswith("python train.py --data iris.csv")
