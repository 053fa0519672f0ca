"""What NVIDIA's management library (NVML) tells of the GPUs while trials run.

Every answer may be missing: a driver that is too old, a consumer's GPU, a container that hides
processes, a GPU that has fallen off the bus. What is not told is None, and nothing raises.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar

from nondet.host.gpus import text
from nondet.host.placement import Room

Told = TypeVar("Told")

CORRECTED, UNCORRECTED, SINCE_START = 0, 1, 0
SM_CLOCK, MEMORY_CLOCK = 1, 2
IS_LOST = 15
"""NVML's numbers."""
REASONS = (
    (0x04, "its limit of power"),
    (0x08, "the hardware"),
    (0x20, "heat"),
    (0x40, "heat"),
    (0x80, "the power supply's brake"),
)
"""Bits of what slows a GPU's clock down, and what that is in words."""


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A GPU at one moment; None for what the driver does not tell."""

    used: int | None = None
    """Bytes of its memory."""
    free: int | None = None
    sm_clock: int | None = None
    """MHz, of its processors; that of its memory likewise."""
    memory_clock: int | None = None
    reasons: int | None = None
    """Bits, see `REASONS`."""
    corrected: int | None = None
    """Errors of its memory since the driver was loaded."""
    uncorrected: int | None = None
    processes: int | None = None
    """That compute on it, whoever's."""
    lost: bool = False
    """Whether the driver says that the GPU does not answer any more."""


@dataclasses.dataclass(frozen=True)
class Device:
    """A GPU, or an instance of one."""

    uuid: str
    name: str
    mig: bool | None
    """Whether it is an instance of a GPU; None where the driver knows of no such."""
    handle: Any
    """NVML's, to ask for memory and processes."""
    whole: Any
    """That of the whole GPU, to ask for clocks and errors."""


class Hardware:
    """The GPUs of this machine. NVML stays open until `close`."""

    def __init__(self, nvml: Any) -> None:
        self.nvml = nvml
        # The second comes where the driver lacks a function of this version of the bindings.
        mismatch = getattr(nvml, "NVMLLibraryMismatchError", nvml.NVMLError)
        self.untold: tuple[type[Exception], ...] = (nvml.NVMLError, mismatch, UnicodeDecodeError)
        self.devices = tuple(self._devices())

    @classmethod
    def opened(cls) -> Self | None:
        """None where there is no driver, or no GPU that it can tell of."""
        import pynvml

        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError:
            return None
        found = None
        with contextlib.suppress(pynvml.NVMLError):
            found = cls(pynvml)
        if found is not None and found.devices:
            return found
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()
        return None

    def close(self) -> None:
        self._ask(self.nvml.nvmlShutdown)

    def _devices(self) -> Iterator[Device]:
        nvml = self.nvml
        for number in range(nvml.nvmlDeviceGetCount()):
            handle = self._ask(nvml.nvmlDeviceGetHandleByIndex, number)
            if handle is None:
                continue
            name = text(self._ask(nvml.nvmlDeviceGetName, handle) or "")
            mode = self._ask(nvml.nvmlDeviceGetMigMode, handle)
            instances = list(self._instances(handle)) if mode and mode[0] else []
            for each in instances or [handle]:
                uuid = text(self._ask(nvml.nvmlDeviceGetUUID, each) or "")
                if uuid:
                    mig = bool(mode[0]) if mode else None
                    yield Device(uuid, name, mig, each, handle)

    def _instances(self, handle: Any) -> Iterator[Any]:
        """Those of a GPU that is cut into several; their numbers have gaps."""
        for number in range(self._ask(self.nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
            found = self._ask(self.nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, number)
            if found is not None:
                yield found

    def rooms(self) -> tuple[Room, ...]:
        """The GPUs as places for trials. Cheap: asked many times a second while trials wait."""
        return tuple(self._room(device) for device in self.devices)

    def _room(self, device: Device) -> Room:
        memory = self._ask(self.nvml.nvmlDeviceGetMemoryInfo, device.handle)
        return Room(device.uuid, device.name, int(memory.free) if memory is not None else None)

    def look(self, device: Device) -> Snapshot:
        nvml, handle, whole = self.nvml, device.handle, device.whole
        try:
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        except nvml.NVMLError as error:
            if getattr(error, "value", None) == IS_LOST:
                return Snapshot(lost=True)
            memory = None
        running = self._ask(nvml.nvmlDeviceGetComputeRunningProcesses, handle)
        return Snapshot(
            used=int(memory.used) if memory is not None else None,
            free=int(memory.free) if memory is not None else None,
            sm_clock=self._ask(nvml.nvmlDeviceGetClockInfo, whole, SM_CLOCK),
            memory_clock=self._ask(nvml.nvmlDeviceGetClockInfo, whole, MEMORY_CLOCK),
            reasons=self._reasons(whole),
            corrected=self._errors(whole, CORRECTED),
            uncorrected=self._errors(whole, UNCORRECTED),
            processes=len(running) if running is not None else None,
        )

    def _reasons(self, handle: Any) -> int | None:
        """Under the name that the function has had since driver 535, or the one before."""
        for name in ("EventReasons", "ThrottleReasons"):
            ask = getattr(self.nvml, f"nvmlDeviceGetCurrentClocks{name}", None)
            found = self._ask(ask, handle) if ask is not None else None
            if found is not None:
                return int(found)
        return None

    def _errors(self, handle: Any, kind: int) -> int | None:
        return self._ask(self.nvml.nvmlDeviceGetTotalEccErrors, handle, kind, SINCE_START)

    def _ask(self, ask: Callable[..., Told], *args: Any) -> Told | None:
        """None where the driver, or this kind of GPU, has no answer."""
        try:
            return ask(*args)
        except self.untold:
            return None


def slowed(reasons: int) -> tuple[str, ...]:
    """What slows a GPU down, in words."""
    return tuple(dict.fromkeys(words for bit, words in REASONS if reasons & bit))
