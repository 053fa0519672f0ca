"""On which GPU a trial runs, as a function."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nondet.host import planning
from nondet.host.placement import AS_IT_IS, VARIABLE, Room, choose, visible
from nondet.record import Arm
from tests.host import acting

GIB = 2**30
ONE, TWO, THREE = (Room(f"GPU-{n}", "H100", 80 * GIB) for n in ("aa1", "ab2", "b3"))
OTHER = Room("GPU-c4", "T4", 16 * GIB)
ALL = (ONE, TWO, THREE)


def shown(value: str, rooms: tuple[Room, ...] = ALL, **more: str) -> list[str] | None:
    found = visible({"CUDA_VISIBLE_DEVICES": value} | more, rooms)
    return [room.uuid for room in found] if found is not None else None


def test_what_cuda_shows() -> None:
    assert visible({}, ALL) == ALL
    assert shown("") == shown("-1") == shown("NoDevFiles") == []
    assert shown("2,0") == ["GPU-b3", "GPU-aa1"]
    assert shown("GPU-ab,GPU-b3") == ["GPU-ab2", "GPU-b3"]
    # What stands after one that is unknown, ambiguous or named twice does not count.
    assert shown("1,7,0") == ["GPU-ab2"]
    assert shown("GPU-b3,GPU-a") == ["GPU-b3"]
    assert shown("0,0,1") == ["GPU-aa1"]
    assert shown("GPU-b3,,0") == ["GPU-b3"]


def test_numbers_of_unlike_gpus_are_not_the_drivers() -> None:
    mixed = (ONE, OTHER)
    assert shown("0", mixed) is None
    assert shown("1", mixed, CUDA_DEVICE_ORDER="PCI_BUS_ID") == ["GPU-c4"]
    assert shown("GPU-c4", mixed) == ["GPU-c4"]


def test_alone_a_trial_sees_what_the_user_sees() -> None:
    assert choose({}, ALL, [], None, apart=False) == AS_IT_IS
    assert choose({}, ALL, [AS_IT_IS], None, apart=False) is None


def test_side_by_side_each_has_a_gpu_of_its_own() -> None:
    running: list[str] = []
    for expected in ("GPU-aa1", "GPU-ab2", "GPU-b3"):
        place = choose({}, ALL, running, None, apart=True)
        assert place == expected
        running.append(place)
    assert choose({}, ALL, running, None, apart=True) is None
    assert choose({}, ALL, ["GPU-aa1", "GPU-b3"], None, apart=True) == "GPU-ab2"
    # Among those that the user's environment shows.
    assert choose({"CUDA_VISIBLE_DEVICES": "2,1"}, ALL, [], None, apart=True) == "GPU-b3"


def test_on_one_gpu_only_while_memory_allows() -> None:
    taken = [room.uuid for room in ALL]
    assert choose({}, ALL, taken, 70 * GIB, apart=True) == "GPU-aa1"
    assert choose({}, ALL, [*taken, "GPU-aa1"], 70 * GIB, apart=True) == "GPU-ab2"
    assert choose({}, ALL, taken, 75 * GIB, apart=True) is None
    full = tuple(Room(r.uuid, r.name, GIB) for r in ALL)
    assert choose({}, full, taken, 2 * GIB, apart=True) is None
    unknown = tuple(Room(r.uuid, r.name) for r in ALL)
    assert choose({}, unknown, taken, GIB, apart=True) is None


def test_the_only_gpu_is_not_named() -> None:
    one = (ONE,)
    assert choose({}, one, [], None, apart=True) == AS_IT_IS
    assert choose({}, one, [AS_IT_IS], None, apart=True) is None
    assert choose({}, one, [AS_IT_IS], GIB, apart=True) == AS_IT_IS


def test_a_trial_that_sees_no_gpu_need_not_wait() -> None:
    without = {"CUDA_VISIBLE_DEVICES": "-1"}
    assert choose(without, ALL, [ONE.uuid, TWO.uuid, THREE.uuid], None, apart=True) == AS_IT_IS


def test_unlike_gpus_known_by_number_are_not_split() -> None:
    numbered = {"CUDA_VISIBLE_DEVICES": "0,1"}
    assert choose(numbered, (ONE, OTHER), [], None, apart=True) == AS_IT_IS
    assert choose(numbered, (ONE, OTHER), [AS_IT_IS], GIB, apart=True) is None


@given(
    st.sampled_from(["", "-1", "0", "1,0", "GPU-b3", "7", None]),
    st.lists(st.sampled_from([AS_IT_IS, *(room.uuid for room in ALL)]), max_size=4),
    st.one_of(st.none(), st.integers(0, 100 * GIB)),
    st.booleans(),
)
def test_nobody_waits_for_nothing_and_nobody_leaves_the_users_gpus(
    given: str | None, running: list[str], need: int | None, apart: bool
) -> None:
    environ = {} if given is None else {"CUDA_VISIBLE_DEVICES": given}
    place = choose(environ, ALL, running, need, apart)
    if not running:
        assert place is not None
    if place:
        assert apart
        assert place in [room.uuid for room in visible(environ, ALL) or ()]


@pytest.mark.parametrize(
    ("shown", "left"), [(None, "0"), ("3,1", "3"), (" GPU-1 , GPU-2", "GPU-1"), ("2", "2")]
)
def test_of_several_gpus_the_first_is_left(tmp_path: Path, shown: str | None, left: str) -> None:
    environ = {} if shown is None else {VARIABLE: shown}
    settings = dataclasses.replace(acting.settings(tmp_path), environ=environ)
    assert planning.environment(settings, {"gpu-count": "pinned"}, "t01")[VARIABLE] == left
    both: dict[str, Arm] = {"gpu-count": "pinned", "device": "pinned"}
    for held in (both, dict(reversed(both.items()))):
        assert planning.environment(settings, held, "t01")[VARIABLE] == "-1"
