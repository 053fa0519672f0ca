"""Which worker runs which trial, and which machines are of one kind."""

from __future__ import annotations

from typing import Any

import pytest

from nondet.host.executors.cluster.facts import read_devices
from nondet.host.executors.cluster.placement import SHUNNED, Roster, Seat, visible
from tests.host.executors.cluster.told import A100, told


def roster(*workers: dict[str, Any]) -> Roster:
    made = Roster()
    for number, worker in enumerate(workers):
        made.add(f"w{number}", worker)
    made.choose()
    return made


def kind(**changes: Any) -> str:
    return Seat("w", told(**changes)).machine.kind


@pytest.mark.parametrize(
    "changes",
    [
        {"cpu": "Xeon"},
        {"features": ["avx2", "avx512f"]},
        {"cores": 4},
        {"libc": "glibc 2.28 x86_64"},
        {"packages": {"numpy": "2.1"}},
        {"conda": ["cudnn-9.3.0-h50b6be5_0"]},
        {"gpus": A100, "driver": "550"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_bears_on_results_makes_another_kind(changes: dict[str, Any]) -> None:
    assert kind(**changes) != kind()


@pytest.mark.parametrize(
    "changes", [{"host": "two"}, {"platform": "Linux-5.10"}, {"isolation": "copy"}], ids=str
)
def test_what_does_not_bear_on_results_makes_none(changes: dict[str, Any]) -> None:
    assert kind(**changes) == kind()


def test_a_driver_counts_where_a_gpu_is_used() -> None:
    assert kind(gpus=A100, driver="550") != kind(gpus=A100, driver="535")
    hidden = {"CUDA_VISIBLE_DEVICES": ""}
    assert kind(gpus=A100, driver="550", allotted=hidden) == kind()


def test_trials_are_kept_on_the_kind_that_most_workers_have() -> None:
    made = roster(told("a", cores=4), told("b"), told("c"))
    taken = {made.take(trial, False).worker for trial in ("t01", "t02")}
    assert taken == {"w1", "w2"}
    assert made.free(False) is None
    made.release("t01")
    assert made.free(False) is not None
    # Of two alike, the one that came first: which it is does not hang on chance.
    assert roster(told("a", cores=4), told("b")).kind == kind(cores=4)


def test_a_trial_can_be_had_elsewhere_and_on_each_kind_in_turn() -> None:
    made = roster(told("a"), told("b"), told("c", cores=4), told("d", cores=2), told("e", cores=2))
    assert made.take("t01", True).host == "d"
    made.release("t01")
    turns = []
    for number in range(6):
        seat = made.take(f"t{number}", None)
        turns.append(seat.machine.cores)
        made.release(seat.trial)
    assert turns == [8, 2, 4, 8, 2, 4]
    assert roster(told("a")).fitting(True) == []


def test_machines_with_fewest_trials_come_first() -> None:
    made = roster(told("a"), told("a"), told("b"))
    assert [made.take(f"t{n}", False).host for n in range(3)] == ["a", "b", "a"]


def test_a_worker_that_is_gone_or_refuses_gets_no_trial() -> None:
    made = roster(told("a"), told("b"))
    made.seats["w0"].refusals = SHUNNED
    assert [seat.worker for seat in made.fitting(False)] == ["w1"]
    made.remove("w1")
    assert made.fitting(False) == []
    with pytest.raises(LookupError):
        made.take("t01", False)
    # What ran there stays in the record.
    assert [machine.host for machine in made.machines] == ["a", "b"]


def test_workers_of_one_machine_get_a_gpu_each() -> None:
    shared = told("a", gpus=A100, driver="550")
    made = roster(shared, shared, shared)
    seats = [made.take(trial, False) for trial in ("t01", "t02")]
    # Not by number: CUDA counts the fastest first, and the driver does not.
    assert [seat.variables({})["CUDA_VISIBLE_DEVICES"] for seat in seats] == ["GPU-aa", "GPU-ab"]
    assert made.free(False) is None  # a third worker, and no third GPU
    assert seats[0].variables({"CUDA_VISIBLE_DEVICES": "-1"}) == {}
    made.release("t01")
    assert made.take("t03", False).gpu == "GPU-aa"


def test_the_users_own_gpus_are_those_of_every_trial_and_one_has_them_at_a_time() -> None:
    machine = {"gpus": A100, "driver": "550"}
    made = Roster(named="0,1")
    for number, host in enumerate(["a", "a", "b"]):
        allotted = {"CUDA_VISIBLE_DEVICES": str(number)}
        made.add(f"w{number}", told(host, **machine, allotted=allotted))
    made.add("plain", told("c"))
    made.choose()
    seats = [made.take(trial, False) for trial in ("t01", "t02")]
    assert [seat.host for seat in seats] == ["a", "b"]
    assert {seat.gpus for seat in seats} == {("A100", "A100")} and made.free(False) is None
    assert seats[0].variables({"CUDA_VISIBLE_DEVICES": "0,1"}) == {}
    assert made.seats["plain"].gpus == ()
    made.release("t01")
    assert made.free(False) is not None


def test_where_the_user_hides_all_gpus_trials_run_side_by_side() -> None:
    made = Roster(named="-1")
    for worker in ("w0", "w1"):
        made.add(worker, told("a", gpus=A100, driver="550"))
    made.choose()
    assert made.kind == kind()
    assert {made.take(trial, False).worker for trial in ("t01", "t02")} == {"w0", "w1"}


def test_what_a_scheduler_has_allotted_is_handed_on() -> None:
    allotted = {"CUDA_VISIBLE_DEVICES": "1"}
    made = roster(told("a", gpus=A100, driver="550", allotted=allotted))
    seat = made.take("t01", False)
    assert seat.gpus == ("A100",) and seat.variables({}) == allotted


@pytest.mark.parametrize(
    ("allotted", "models"),
    [
        (None, ("A100",)),
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
        ("0,1", ("A100", "T4")),
        ("GPU-b", ("T4",)),
        ("MIG-9", ("MIG-9",)),
    ],
)
def test_the_gpus_that_a_variable_names(allotted: str | None, models: tuple[str, ...]) -> None:
    assert visible([["0", "GPU-a", "A100"], ["1", "GPU-b", "T4"]], allotted) == models


def test_what_nvidia_smi_prints() -> None:
    text = "0, GPU-1f, NVIDIA A100-SXM4-40GB, 550.54.15\nNo devices were found\n"
    assert read_devices(text) == [("0", "GPU-1f", "NVIDIA A100-SXM4-40GB", "550.54.15")]
