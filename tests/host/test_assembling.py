"""What is told of trials beside the causes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nondet.host import events
from nondet.host import laboratory as module
from nondet.host.assembling import Assembly
from nondet.host.events import Place
from nondet.record import Arm
from nondet.search.questions import Finding, Guilt, Question
from tests.host.acting import Act, laboratory

RANDOM: dict[str, Arm] = {"python-random": "pinned"}
BOTH: dict[str, Arm] = RANDOM | {"hash-seed": "pinned"}
BY_CHANCE = Finding("causes-found", (Guilt("python-random", (), ()),))
OTHERWISE = Finding("causes-found", BY_CHANCE.guilty, alternatives=(("leftovers",),))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)


def shifted(folder: Path, finding: Finding, *plans: tuple[dict[str, Arm], str]) -> list[str]:
    """Factors that shift the result, of plans with two trials each that show these letters."""
    acts = [Act(letters) for _, shown in plans for letters in shown.split()]
    lab, _ = laboratory(folder, *acts, jobs=1)
    for held, _ in plans:
        lab.ask(Question("Does it repeat?", held, 1))
    return [shift.factor for shift in Assembly(lab, finding).sensitivities()]


def test_the_scripts_that_draw_are_told_apart(tmp_path: Path) -> None:
    lab, _ = laboratory(tmp_path, Act("ab"), jobs=1)
    lab.ask(Question("Does it repeat?", {}, 1))
    assembly = Assembly(lab, BY_CHANCE)
    assert assembly.programs("python-random") == ()
    own, child = tmp_path / "train.py", tmp_path / "tools/make.py"
    started = events.Started(trial="t01", plan="h", pid=1, python="3")

    def draws(file: Path, unseeded: bool | None = True) -> events.Exercised:
        return events.Exercised("python-random", "a draw", unseeded, None, Place(str(file), 1, "f"))

    for event in (
        draws(tmp_path / "seeded.py", unseeded=False),
        draws(tmp_path / "perhaps.py", unseeded=None),
        events.Launched(script=str(child)),
        started,
        draws(tmp_path / "tools/lib.py"),
    ):
        lab.trials[0]._take(event)
    # As long as it is the child that was recorded, its code goes where the script's does.
    assert (assembly.launched, assembly.programs("python-random")) == (str(child), ("",))
    lab.trials[0]._take(events.Launched(script=""))
    assert (assembly.launched, assembly.programs("python-random")) == ("", ("tools/make.py",))
    lab.trials[1]._take(draws(own))
    assert assembly.programs("python-random") == ("", "tools/make.py")
    # One that starts itself again is one script.
    for event in (events.Launched(script=str(own)), started, draws(own)):
        lab.trials[1]._take(event)
    assert assembly.programs("python-random") == ("", "tools/make.py")


def test_a_pin_shifts_the_result_where_both_plans_repeat(tmp_path: Path) -> None:
    assert shifted(tmp_path, Finding("reproducible"), ({}, "ab ab"), (RANDOM, "xy xy")) == [
        "python-random"
    ]
    assert shifted(tmp_path / "same", Finding(), ({}, "ab ab"), (RANDOM, "ab ab")) == []


def test_trials_that_agree_by_chance_are_not_the_same_in_every_run(tmp_path: Path) -> None:
    """With a cause free, two trials may agree, and the pins of others seem to shift the result."""
    seed: dict[str, Arm] = {"hash-seed": "pinned"}
    assert shifted(tmp_path / "1", BY_CHANCE, ({}, "ab ab"), (RANDOM, "xy xy")) == []
    assert shifted(tmp_path / "2", BY_CHANCE, ({}, "ab ab"), (seed, "xy xy")) == []
    found = shifted(tmp_path / "3", BY_CHANCE, (RANDOM, "ab ab"), (BOTH, "xy xy"))
    assert found == ["hash-seed"]
    clean: dict[str, Arm] = {"leftovers": "pinned"}
    both = clean | seed
    assert shifted(tmp_path / "4", OTHERWISE, (clean, "ab ab"), (both, "xy xy")) == ["hash-seed"]


def test_a_trial_that_was_compared_with_none_is_looked_at_all_the_same(tmp_path: Path) -> None:
    lab, _ = laboratory(tmp_path, *map(Act, ("ab", "ab", "xy", "xy")), jobs=1)
    lab.ask(Question("Does it repeat?", {}, 1))
    lab.ask(Question("Does it repeat?", RANDOM, 1))
    # As where its reference was killed.
    lab.trials[1].witness = None
    lab.trials[1].checkpoints = list(lab.trials[2].checkpoints)
    assert Assembly(lab, Finding("reproducible")).sensitivities() == ()
