"""What is asked of the driver while trials run, and every way in which it may not answer."""

from __future__ import annotations

import pynvml
import pytest

from nondet.host import hardware
from nondet.host.hardware import Hardware, Snapshot
from tests.host.nvml import MIB, Card, Library, installed

SECOND = "GPU-77aa0c3d-0000-0000-0000-000000000002"
WHOLE = Snapshot(
    used=500 * MIB,
    free=(81559 - 500) * MIB,
    sm_clock=1980,
    memory_clock=2619,
    reasons=0,
    corrected=0,
    uncorrected=0,
    processes=0,
)


def opened(library: Library) -> Hardware:
    found = Hardware.opened()
    assert found is not None
    assert library.open == 1
    return found


def look(card: Card, lacks: tuple[str, ...] = ()) -> Snapshot:
    with installed(Library(card, lacks=lacks)) as library:
        gpus = opened(library)
        return gpus.look(gpus.devices[0])


def test_all_that_is_told() -> None:
    assert look(Card()) == WHOLE
    busy = look(Card(pids=(7, 8), errors=(3, 1), reasons=0x24))
    assert (busy.processes, busy.corrected, busy.uncorrected) == (2, 3, 1)
    assert hardware.slowed(busy.reasons or 0) == ("its limit of power", "heat")


def test_two_gpus_are_rooms_for_trials() -> None:
    with installed(Library(Card(), Card(uuid=SECOND, used=80000 * MIB))) as library:
        gpus = opened(library)
        assert [(r.uuid[:8], r.free) for r in gpus.rooms()] == [
            ("GPU-1c1d", 81059 * MIB),
            ("GPU-77aa", 1559 * MIB),
        ]
        gpus.close()
        assert library.open == 0


def test_instances_are_rooms_of_their_own() -> None:
    """Their numbers have gaps, and clocks and errors are those of the whole GPU."""
    small = Card(uuid="MIG-a", name="NVIDIA H100 MIG 1g.10gb", total=10000 * MIB, used=MIB)
    small.fails = dict.fromkeys(("clocks", "reasons", "errors"), pynvml.NVML_ERROR_NOT_SUPPORTED)
    card = Card(mig=1, instances={0: small, 3: Card(uuid="MIG-b", name=small.name)})
    with installed(Library(card)) as library:
        gpus = opened(library)
        assert [(d.uuid, d.mig) for d in gpus.devices] == [("MIG-a", True), ("MIG-b", True)]
        seen = gpus.look(gpus.devices[0])
        assert (seen.used, seen.sm_clock, seen.uncorrected) == (MIB, 1980, 0)


def test_a_gpu_that_is_to_be_cut_and_is_not_yet_is_whole() -> None:
    with installed(Library(Card(mig=1))) as library:
        assert [d.uuid[:3] for d in opened(library).devices] == ["GPU"]


@pytest.mark.parametrize(
    ("what", "missing"),
    [
        ("memory", {"used", "free"}),
        ("clocks", {"sm_clock", "memory_clock"}),
        ("reasons", {"reasons"}),
        ("errors", {"corrected", "uncorrected"}),
        ("processes", {"processes"}),
        ("mig", set()),
    ],
)
@pytest.mark.parametrize(
    "error",
    [
        pynvml.NVML_ERROR_NOT_SUPPORTED,
        pynvml.NVML_ERROR_NO_PERMISSION,
        pynvml.NVML_ERROR_UNKNOWN,
        pynvml.NVML_ERROR_TIMEOUT,
        pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
        pynvml.NVML_ERROR_UNINITIALIZED,
    ],
)
def test_what_is_not_told_is_left_out(what: str, missing: set[str], error: int) -> None:
    seen = look(Card(fails={what: error}))
    for name in WHOLE.__dataclass_fields__:
        expected = None if name in missing else getattr(WHOLE, name)
        assert getattr(seen, name) == expected, name


def test_an_older_driver_has_other_functions_or_none() -> None:
    card = Card(reasons=0x40)
    assert look(card, ("nvmlDeviceGetCurrentClocksEventReasons",)).reasons == 0x40
    both = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
    assert look(card, both).reasons is None
    # The bindings raise what is none of their own errors here.
    assert look(card, ("nvmlDeviceGetComputeRunningProcesses_v3",)).processes is None
    assert look(card, ("nvmlDeviceGetMigMode",)).used == 500 * MIB


def test_a_gpu_that_is_lost_is_told() -> None:
    every = ("memory", "clocks", "reasons", "errors", "processes")
    card = Card(fails=dict.fromkeys(every, pynvml.NVML_ERROR_GPU_IS_LOST))
    assert look(card) == Snapshot(lost=True)


@pytest.mark.parametrize(
    "library",
    [
        Library(starts=pynvml.NVML_ERROR_DRIVER_NOT_LOADED),
        Library(starts=pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH),
        Library(starts=pynvml.NVML_ERROR_NO_PERMISSION),
        Library(Card(), lacks=("nvmlDeviceGetCount_v2",)),
        Library(),
        Library(Card(fails={"handle": pynvml.NVML_ERROR_GPU_IS_LOST})),
        Library(Card(fails={"uuid": pynvml.NVML_ERROR_UNKNOWN})),
    ],
    ids=["no-driver", "mismatch", "forbidden", "too-old", "none", "lost", "nameless"],
)
def test_without_a_gpu_to_tell_of_there_is_none(library: Library) -> None:
    with installed(library):
        assert Hardware.opened() is None
    assert library.open == 0


def test_one_gpu_that_does_not_answer_takes_no_other_with_it() -> None:
    lost = Card(fails={"handle": pynvml.NVML_ERROR_GPU_IS_LOST})
    with installed(Library(lost, Card(uuid=SECOND))) as library:
        assert [d.uuid for d in opened(library).devices] == [SECOND]


def test_no_library_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", fails)
    assert Hardware.opened() is None
