"""How far a cause spreads the final metrics."""

from __future__ import annotations

import pytest
from msgspec import structs

from nondet.record import Cause, Diagnosis, Trial
from nondet.report.page import effects
from tests.report import parts, records, samples
from tests.report.test_html import page

CAUSE = structs.replace(parts.RANDOM, spread={}, trials=("t01", "t02"))


def ended(number: int, accuracy: float, free: tuple[str, ...] = ()) -> Trial:
    arms = parts.plan(free) if free else parts.plan(rest="free")
    return parts.trial(number, arms, "How does it grow?", accuracy=accuracy)


def diagnosis(*trials: Trial, causes: tuple[Cause, ...] = (CAUSE,)) -> Diagnosis:
    return structs.replace(samples.one_cause(), trials=trials, causes=causes)


def stopped(number: int, free: tuple[str, ...] = ()) -> Trial:
    arms = parts.plan(free) if free else parts.plan(rest="free")
    return parts.trial(number, arms, "Does it repeat?", outcome="stopped-early")


def test_what_the_record_has_is_taken() -> None:
    found = effects.of(samples.one_cause(), parts.RANDOM)
    assert found is not None
    assert (found.spread, found.alone) == (parts.RANDOM.spread, True)


def test_whole_runs_of_the_same_plan_tell_what_the_stopped_ones_do_not() -> None:
    runs = (stopped(1), stopped(2), ended(11, 0.9), ended(12, 0.94), ended(13, 0.5, ("clock",)))
    found = effects.of(diagnosis(*runs), CAUSE)
    assert found is not None
    assert found.trials == ("t11", "t12")
    accuracy = found.spread["accuracy"]
    assert (accuracy.min, accuracy.max) == (0.9, 0.94)
    assert accuracy.sd == pytest.approx(0.04 / 2**0.5)
    assert found.spread["loss"].sd == 0


def test_runs_of_the_patched_script_are_not_among_them() -> None:
    runs = (stopped(1), ended(11, 0.9), ended(12, 0.94), ended(14, 0.1))
    known = diagnosis(*runs)
    assert known.prescription is not None
    fix = structs.replace(known.prescription, patch_trials=("t14",))
    found = effects.of(structs.replace(known, prescription=fix), CAUSE)
    assert found is not None
    assert found.trials == ("t11", "t12")


def test_among_several_causes_all_of_them_may_be_behind_it() -> None:
    own = structs.replace(CAUSE, trials=("t05",))
    other = structs.replace(CAUSE, factor="clock")
    runs = (stopped(5, ("python-random",)), ended(11, 0.9), ended(12, 0.94))
    known = diagnosis(*runs, causes=(own, other))
    found = effects.of(known, own)
    assert found is not None
    assert (found.trials, found.alone) == (("t11", "t12"), False)
    assert "With all causes free: no such runs" in page(known).said("cause-python-random")


def test_one_run_has_no_spread() -> None:
    known = diagnosis(stopped(1), stopped(2), ended(11, 0.9))
    assert effects.of(known, CAUSE) is None
    assert page(known).said("effect").startswith("Not measured")


def test_a_metric_that_a_run_lacks_is_left_out() -> None:
    other = structs.replace(ended(12, 0.94), metrics={"loss": 0.3})
    found = effects.of(diagnosis(stopped(1), ended(11, 0.9), other), CAUSE)
    assert found is not None
    assert list(found.spread) == ["loss"]


def test_a_real_record_tells_it() -> None:
    real = records.read("one-cause")
    assert not real.causes[0].spread
    found = effects.of(real, real.causes[0])
    assert found is not None
    assert found.spread["loss"].max > 10 * found.spread["loss"].min
