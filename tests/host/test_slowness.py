"""How much a pin slows a run down: what is compared, and when it is worth a word."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from nondet.host.slowness import slowdown
from nondet.host.trials import Trial
from nondet.record import Arm, Outcome
from nondet.search.questions import Guilt


class Runs:
    """Trials with their plans and times."""

    def __init__(self) -> None:
        self.trials: list[Trial] = []

    def ran(
        self,
        held: Mapping[str, Arm],
        *seconds: float,
        outcome: Outcome = "completed",
        parent: str = "",
    ) -> Runs:
        for time in seconds:
            trial = Trial(f"t{len(self.trials) + 1:02d}", held, "", "", Path("nowhere"))
            trial.outcome, trial.seconds, trial.parent = outcome, time, parent
            self.trials.append(trial)
        return self


THREADS: dict[str, Arm] = {"cpu-threads": "pinned"}
RANDOM: dict[str, Arm] = {"python-random": "pinned"}
CLOCK: dict[str, Arm] = {"clock": "pinned"}
GUILT = Guilt("cpu-threads", (), ())


def test_medians_of_whole_trials_are_compared() -> None:
    runs = Runs().ran({}, 2.0, 1.9, 9.0).ran({}, 0.1, outcome="stopped-early")
    runs.ran(THREADS, 4.0, 3.0, 3.2).ran(THREADS, 0.2, outcome="crashed")
    found = slowdown(GUILT, runs.trials)
    assert found is not None
    assert (found.pinned_seconds, found.free_seconds, found.ratio) == (3.2, 2.0, 1.6)
    assert (found.pinned, found.free, found.also) == (
        ("t05", "t06", "t07"),
        ("t01", "t02", "t03"),
        (),
    )


def test_the_nearest_plans_are_compared() -> None:
    runs = Runs().ran({}, 1.0, 1.0).ran(RANDOM, 2.0, 2.0).ran(RANDOM | THREADS, 3.0, 3.0)
    found = slowdown(GUILT, runs.trials)
    assert found is not None
    assert (found.ratio, found.also) == (1.5, ())


def test_a_forked_trial_is_compared_with_its_like() -> None:
    runs = Runs().ran({}, 5.0, 5.0).ran(THREADS, 2.0, 2.0, parent="p1")
    assert slowdown(GUILT, runs.trials) is None
    runs.ran({}, 1.0, 1.0, parent="p2").ran(CLOCK | THREADS, 5.0, 5.0)
    found = slowdown(GUILT, runs.trials)
    assert found is not None
    assert (found.ratio, found.also) == (2.0, ()), "the nearest, where both are forked"


def test_a_trial_that_is_no_evidence_any_more_is_left_out() -> None:
    runs = Runs().ran({}, 1.0, 1.0).ran(THREADS, 3.0, 2.0, 2.0)
    runs.trials[2].set_aside = True
    found = slowdown(GUILT, runs.trials)
    assert found is not None
    assert found.pinned == ("t04", "t05")


def test_what_else_was_pinned_is_told() -> None:
    runs = Runs().ran({}, 1.0, 1.0).ran(CLOCK | RANDOM | THREADS, 3.0, 3.0)
    found = slowdown(GUILT, runs.trials)
    assert found is not None
    assert (found.ratio, found.also) == (3.0, ("clock", "python-random"))


@pytest.mark.parametrize(
    "runs",
    [
        Runs().ran(THREADS, 3.0, 3.0),
        Runs().ran({}, 1.0, 1.0),
        Runs().ran({}, 1.0, outcome="stopped-early").ran(THREADS, 3.0, 3.0),
        Runs().ran({"hash-seed": "varied"}, 1.0, 1.0).ran(THREADS, 3.0, 3.0),
        Runs().ran(RANDOM, 1.0, 1.0).ran(THREADS, 3.0, 3.0),
        Runs().ran({}, 0.0, 0.0).ran(THREADS, 3.0, 3.0),
    ],
    ids=["none without", "none with", "stopped", "under load", "other pins", "no time"],
)
def test_what_can_t_be_told_is_not(runs: Runs) -> None:
    assert slowdown(GUILT, runs.trials) is None


def test_an_ablating_pin_is_a_pin_of_its_own() -> None:
    runs = Runs().ran({}, 1.0, 1.0).ran({"dropout": "pinned"}, 3.0, 3.0)
    guilt = Guilt("dropout", (), (), "ablated")
    assert slowdown(guilt, runs.trials) is None
    runs.ran({"dropout": "ablated"}, 0.5, 0.5)
    found = slowdown(guilt, runs.trials)
    assert found is not None
    assert found.ratio == 0.5


@pytest.mark.parametrize(
    ("factor", "free", "pinned", "noticeable"),
    [
        ("cpu-threads", (1.0, 1.1), (1.5, 1.6), True),
        ("op-determinism", (1.0, 1.1), (1.5, 1.6), True),
        ("python-random", (1.0, 1.1), (1.5, 1.6), False),
        ("cpu-threads", (1.0, 1.1), (1.2, 1.25), False),
        ("cpu-threads", (1.0, 1.1), (0.5, 0.6), False),
        ("cpu-threads", (1.0, 1.6), (1.5, 1.9), False),
        ("cpu-threads", (1.0, 1.4), (1.6, 2.9), False),
        ("cpu-threads", (1.0,), (1.5, 1.6), False),
        ("cpu-threads", (1.0, 1.1), (1.6,), False),
    ],
)
def test_when_it_is_worth_a_word(
    factor: str, free: tuple[float, ...], pinned: tuple[float, ...], noticeable: bool
) -> None:
    runs = Runs().ran({}, *free).ran({factor: "pinned"}, *pinned)
    found = slowdown(Guilt(factor, (), ()), runs.trials)
    assert found is not None
    assert found.noticeable is noticeable
