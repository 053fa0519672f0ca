"""NVIDIA's management library in C, as far as it is asked here, with answers of ours: what is put
in the place of ``libnvidia-ml.so.1``, below the real bindings."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
from collections.abc import Iterator
from typing import Any

import pynvml
import pytest

MIB = 2**20


@dataclasses.dataclass
class Card:
    """A GPU, or an instance of one, and what its driver answers. A function's name in `fails` with
    a number of NVML's has it fail so; names in `lacks` stand for a driver without them."""

    uuid: str = "GPU-1c1d9e4b-0000-0000-0000-000000000001"
    name: str = "NVIDIA H100 80GB HBM3"
    used: int = 500 * MIB
    total: int = 81559 * MIB
    clocks: tuple[int, int] = (1980, 2619)
    reasons: int = 0
    errors: tuple[int, int] = (0, 0)
    """Corrected, uncorrected."""
    pids: tuple[int, ...] = ()
    mig: int = 0
    instances: dict[int, Card] = dataclasses.field(default_factory=dict)
    fails: dict[str, int] = dataclasses.field(default_factory=dict)


class Library:
    """The C functions, which write to what they are handed and return an error's number."""

    def __init__(self, *cards: Card, lacks: tuple[str, ...] = (), starts: int = 0) -> None:
        self.cards = cards
        self.lacks = lacks
        self.starts = starts
        """What starting it returns."""
        self.open = 0
        self.handles: list[tuple[Any, Card]] = []

    def __getattr__(self, name: str) -> Any:
        if name in self.lacks or name not in CALLS:
            raise AttributeError(name)
        return lambda *args: CALLS[name](self, *args)

    def hand(self, out: Any, card: Card) -> int:
        made = pynvml.struct_c_nvmlDevice_t()
        self.handles.append((made, card))
        out._obj.contents = made
        return 0

    def card(self, handle: Any) -> Card:
        address = ctypes.addressof(handle.contents)
        return next(card for made, card in self.handles if ctypes.addressof(made) == address)


def start(library: Library, flags: int) -> int:
    library.open += not library.starts
    return library.starts


def shut(library: Library) -> int:
    library.open -= 1
    return 0


def count(library: Library, out: Any) -> int:
    out._obj.value = len(library.cards)
    return 0


def by_index(library: Library, index: Any, out: Any) -> int:
    card = library.cards[index.value]
    return card.fails.get("handle", 0) or library.hand(out, card)


def instance(library: Library, handle: Any, index: Any, out: Any) -> int:
    found = library.card(handle).instances.get(index.value)
    return pynvml.NVML_ERROR_NOT_FOUND if found is None else library.hand(out, found)


def answering(what: str, write: Any) -> Any:
    """A function about one card, which may fail."""

    def call(library: Library, handle: Any, *args: Any) -> int:
        card = library.card(handle)
        if what not in card.fails:
            write(card, *args)
        return card.fails.get(what, 0)

    return call


def memory(card: Card, out: Any) -> None:
    out._obj.total, out._obj.used = card.total, card.used
    out._obj.free = card.total - card.used


def mig(card: Card, now: Any, pending: Any) -> None:
    now._obj.value = pending._obj.value = card.mig


def processes(library: Library, handle: Any, size: Any, out: Any) -> int:
    card = library.card(handle)
    if "processes" in card.fails or not card.pids:
        return card.fails.get("processes", 0)
    if out is None:
        size._obj.value = len(card.pids)
        return int(pynvml.NVML_ERROR_INSUFFICIENT_SIZE)
    size._obj.value = len(card.pids)
    for place, pid in enumerate(card.pids):
        out[place].pid = pid
    return 0


def put(out: Any, value: int) -> None:
    out._obj.value = value


def name(card: Card, out: Any, size: Any) -> None:
    out.value = card.name.encode()


def uuid(card: Card, out: Any, size: Any) -> None:
    out.value = card.uuid.encode()


def driver(library: Library, out: Any, size: Any) -> int:
    out.value = b"550.54.15"
    return 0


def cuda(library: Library, out: Any) -> int:
    out._obj.value = 12040
    return 0


def pair(card: Card, one: Any, other: Any) -> None:
    one._obj.value, other._obj.value = 9, 0


CALLS = {
    "nvmlSystemGetDriverVersion": driver,
    "nvmlSystemGetCudaDriverVersion": cuda,
    "nvmlDeviceGetCudaComputeCapability": answering("capability", pair),
    "nvmlDeviceGetEccMode": answering("errors", pair),
    "nvmlInitWithFlags": start,
    "nvmlShutdown": shut,
    "nvmlDeviceGetCount_v2": count,
    "nvmlDeviceGetHandleByIndex_v2": by_index,
    "nvmlDeviceGetMigDeviceHandleByIndex": instance,
    "nvmlDeviceGetComputeRunningProcesses_v3": processes,
    "nvmlDeviceGetName": answering("name", name),
    "nvmlDeviceGetUUID": answering("uuid", uuid),
    "nvmlDeviceGetMemoryInfo": answering("memory", memory),
    "nvmlDeviceGetMigMode": answering("mig", mig),
    "nvmlDeviceGetMaxMigDeviceCount": answering("mig", lambda card, out: put(out, 7)),
    "nvmlDeviceGetClockInfo": answering(
        "clocks", lambda card, kind, out: put(out, card.clocks[kind.value - 1])
    ),
    "nvmlDeviceGetCurrentClocksEventReasons": answering(
        "reasons", lambda card, out: put(out, card.reasons)
    ),
    "nvmlDeviceGetCurrentClocksThrottleReasons": answering(
        "reasons", lambda card, out: put(out, card.reasons)
    ),
    "nvmlDeviceGetTotalEccErrors": answering(
        "errors", lambda card, kind, since, out: put(out, card.errors[kind.value])
    ),
}


@contextlib.contextmanager
def installed(library: Library) -> Iterator[Library]:
    """With this library in the place of the driver's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pynvml, "nvmlLib", library)
        patch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
        yield library
