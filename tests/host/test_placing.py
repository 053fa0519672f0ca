"""Trials on GPUs: where each is put, what is written down of it, and what is said of that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pynvml
import pytest

from nondet.host import circumstances
from nondet.host import laboratory as module
from nondet.host.events import Used
from nondet.host.hardware import Hardware
from nondet.host.placing import Placing, placing_trials
from nondet.record import OnGpu, Trial
from nondet.search.questions import Question
from nondet.verdict import Verdict
from tests.host.acting import Act, laboratory
from tests.host.nvml import MIB, Card, Library, installed

FIRST, SECOND = "GPU-aa1", "GPU-bb2"


class Clock:
    """Moves by a second at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def placed(*cards: Card, apart: bool = False) -> Placing:
    """In the place of the driver's library, which the caller has installed."""
    gpus = Hardware.opened()
    assert gpus is not None
    return Placing(gpus, apart, Clock())


def test_what_a_gpu_was_like_during_a_trial() -> None:
    card = Card(uuid=FIRST, errors=(5, 0), pids=(3,))
    with installed(Library(card)):
        placing = placed(card)
        placing.started("t01", {}, "")
        card.used, card.clocks, card.reasons, card.pids = 900 * MIB, (1500, 2619), 0x40, (3, 9)
        placing.look()
        card.used, card.clocks, card.reasons = 700 * MIB, (1980, 2619), 0
        placing.look()
        card.used, card.errors, card.pids = 500 * MIB, (7, 1), (3,)
        (found,) = placing.ended("t01", ())
    assert found == OnGpu(
        uuid=FIRST,
        name=card.name,
        mig=False,
        memory=400 * MIB,
        sm_clock=(1500, 1980),
        memory_clock=(2619, 2619),
        slowed=("heat",),
        corrected=2,
        uncorrected=1,
        others=1,
    )
    assert placing.need == 400 * MIB


def test_which_gpus_the_trial_used_as_its_framework_tells() -> None:
    cards = Card(uuid="GPU-77aa0c3d-5"), Card(uuid=SECOND)
    with installed(Library(*cards)):
        placing = placed(*cards)
        named = Used(framework="torch", gpu=0, uuid="GPU-77aa0c3d-5", peak=30 * MIB)
        numbered = Used(framework="jax", gpu=1, uuid="", peak=MIB)
        told = []
        for used in ((), (named,), (numbered,)):
            placing.started("t", {}, "")
            told.append([gpu.used for gpu in placing.ended("t", used)])
    assert told == [[None, None], [True, False], [False, True]]
    assert placing.need == 30 * MIB


def test_beside_another_trial_memory_and_others_are_not_told() -> None:
    card = Card(uuid=FIRST, pids=(4,))
    with installed(Library(card)):
        placing = placed(card, apart=True)
        placing.started("t01", {}, "")
        placing.started("t02", {}, "")
        placing.look()
        found = [*placing.ended("t01", ()), *placing.ended("t02", ())]
    assert [(gpu.memory, gpu.others) for gpu in found] == [(None, None)] * 2


def test_a_driver_loaded_anew_and_a_gpu_that_is_lost() -> None:
    card = Card(uuid=FIRST, errors=(9, 9))
    with installed(Library(card)):
        placing = placed(card)
        placing.started("t01", {}, "")
        card.errors = (1, 0)
        (found,) = placing.ended("t01", ())
        assert (found.corrected, found.uncorrected, found.lost) == (1, 0, False)
        placing.started("t02", {}, "")
        card.fails = dict.fromkeys(("memory", "clocks", "reasons"), pynvml.NVML_ERROR_GPU_IS_LOST)
        placing.look()
        (found,) = placing.ended("t02", ())
        assert found.lost
        assert (found.sm_clock, found.corrected, found.memory) == (None, None, None)


def test_a_trial_without_gpus_has_none_to_tell_of() -> None:
    card = Card(uuid=FIRST)
    with installed(Library(card)):
        placing = placed(card)
        placing.started("t01", {"CUDA_VISIBLE_DEVICES": "-1"}, "")
        assert placing.ended("t01", ()) == ()
        assert placing.ended("t99", ()) == ()


def test_nothing_is_placed_without_a_driver() -> None:
    with (
        installed(Library(starts=pynvml.NVML_ERROR_DRIVER_NOT_LOADED)),
        placing_trials(2) as placing,
    ):
        assert placing is None


def test_the_driver_is_left_as_it_was_found() -> None:
    with installed(Library(Card(), Card(uuid=SECOND))) as library:
        with placing_trials(2) as placing:
            assert placing is not None
            assert placing.splits({}) == 2
            assert placing.splits({"CUDA_VISIBLE_DEVICES": "0"}) == 0
        assert library.open == 0


# -- in a laboratory


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)


@pytest.mark.usefixtures("at_once")
def test_trials_side_by_side_get_a_gpu_each(tmp_path: Path) -> None:
    cards = Card(uuid=FIRST), Card(uuid=SECOND)
    with installed(Library(*cards)):
        lab, executor = laboratory(tmp_path, Act("abc"), jobs=3)
        lab.placing = placed(*cards, apart=True)
        assert lab.ask(Question("Same?", {}, 2)).verdict is Verdict.AGREES
    names = [launch.env["CUDA_VISIBLE_DEVICES"] for launch in executor.launches]
    assert set(names) == {FIRST, SECOND}
    assert names[:2] == [FIRST, SECOND]
    assert {trial.gpus[0].uuid for trial in lab.trials} == {FIRST, SECOND}


@pytest.mark.usefixtures("at_once")
def test_alone_a_trial_is_given_nothing(tmp_path: Path) -> None:
    card = Card(uuid=FIRST)
    with installed(Library(card)):
        lab, executor = laboratory(tmp_path, Act("abc"), jobs=1)
        lab.placing = placed(card)
        assert lab.ask(Question("Same?", {}, 1)).verdict is Verdict.AGREES
    assert [launch.env for launch in executor.launches] == [{}, {}]
    assert [gpu.uuid for trial in lab.trials for gpu in trial.gpus] == [FIRST] * 2


# -- what is said of it


def trial(number: str, /, **gpu: Any) -> Trial:
    on = OnGpu(**({"uuid": FIRST, "name": "NVIDIA T4"} | gpu))
    return Trial(id=number, plan={}, outcome="completed", seconds=1.0, checkpoints=1, gpus=(on,))


def said(*trials: Trial) -> list[str]:
    return circumstances.of(trials, [("t01", "t02"), ("t01", "t02")])


def test_a_pair_on_different_gpus_is_said_once() -> None:
    (text,) = said(trial("t01"), trial("t02", uuid=SECOND, name="NVIDIA H100"))
    assert text.startswith(
        "t01 and t02 part, and ran on different GPUs: NVIDIA T4 (GPU-aa1), and NVIDIA H100 "
        "(GPU-bb2)"
    )


def test_nothing_is_said_of_what_is_in_order() -> None:
    quiet = {"corrected": 0, "uncorrected": 0, "slowed": ("its limit of power",), "others": 0}
    assert said(trial("t01", **quiet), trial("t02", **quiet)) == []
    # Nor of a pair that ran without GPUs, or of trials that are not there.
    bare = Trial(id="t01", plan={}, outcome="completed", seconds=1.0, checkpoints=1)
    assert said(bare, trial("t02")) == said(trial("t02")) == []


@pytest.mark.parametrize(
    ("gpu", "words"),
    [
        ({"uncorrected": 2}, "not corrected came up during t02 on GPU-aa1"),
        ({"lost": True}, "the driver lost a GPU during t02"),
        ({"slowed": ("heat",)}, "heat slowed a GPU down during t02"),
        ({"others": 1}, "other processes computed on a GPU of t02"),
    ],
)
def test_what_a_trial_met_is_said(gpu: dict[str, Any], words: str) -> None:
    (text,) = said(trial("t01"), trial("t02", **gpu))
    assert words in text
