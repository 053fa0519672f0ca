"""The report's sentences."""

from __future__ import annotations

import math

import pytest

from nondet.record import Arm, Confidence, Divergence
from nondet.report.page import words
from tests.report import parts, samples


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


def test_plan_names_the_smaller_side() -> None:
    assert words.plan(parts.plan()) == "all pinned"
    assert words.plan(parts.plan(("dropout",))) == "dropout free; rest pinned"
    mixed: dict[str, Arm] = {"a": "pinned", "b": "free", "c": "varied", "d": "free"}
    assert words.plan(mixed) == "a pinned; c varied; rest free"
    assert words.plan({}) == "as the script has it"


@pytest.mark.parametrize(
    ("checkpoint", "said"),
    [
        ("init", "at the start, before the first step"),
        ("batch", "in the batch of step 7 (epoch 2)"),
        ("step", "at step 7 (epoch 2)"),
        ("epoch", "at the end of epoch 2"),
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


def test_commands_are_quoted_for_a_shell() -> None:
    diagnosis = samples.hostile()
    assert "'$(reboot)'" in words.again(diagnosis, "--resume")
    assert words.alone(samples.base(verdict="unsure")).endswith("python train.py --data iris.csv")
