"""The NVIDIA GPUs of this machine, as their driver tells of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

from nondet.machines import Gpu

Told = TypeVar("Told")


@dataclasses.dataclass(frozen=True)
class Gpus:
    """Those of one machine; none where there is no driver."""

    devices: tuple[Gpu, ...] = ()
    driver: str | None = None
    cuda: str | None = None
    """Newest CUDA that the driver serves."""


def found() -> Gpus:
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return Gpus()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        return Gpus(
            devices=tuple(_device(pynvml, handle) for handle in handles),
            driver=text(pynvml.nvmlSystemGetDriverVersion()),
            cuda=_told(pynvml, lambda: _cuda(pynvml.nvmlSystemGetCudaDriverVersion())),
        )
    except pynvml.NVMLError:
        return Gpus()
    finally:
        pynvml.nvmlShutdown()


def _device(nvml: Any, handle: Any) -> Gpu:
    return Gpu(
        name=text(nvml.nvmlDeviceGetName(handle)),
        memory=_told(nvml, lambda: int(nvml.nvmlDeviceGetMemoryInfo(handle).total)),
        capability=_told(nvml, lambda: _pair(nvml.nvmlDeviceGetCudaComputeCapability(handle))),
        ecc=_told(nvml, lambda: bool(nvml.nvmlDeviceGetEccMode(handle)[0])),
        mig=_told(nvml, lambda: bool(nvml.nvmlDeviceGetMigMode(handle)[0])),
    )


def _told(nvml: Any, ask: Callable[[], Told]) -> Told | None:
    """None where the driver, or this kind of GPU, has no answer."""
    try:
        return ask()
    except nvml.NVMLError:
        return None


def _pair(value: Any) -> tuple[int, int]:
    major, minor = value
    return int(major), int(minor)


def _cuda(number: int) -> str:
    """12040 is 12.4."""
    return f"{number // 1000}.{number % 1000 // 10}"


def text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
