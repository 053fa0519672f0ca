"""What is read of the driver, with a driver of ours in its place."""

from __future__ import annotations

import types
from typing import Any

import pytest

from nondet.host import gpus
from nondet.machines import Gpu


class NVMLError(Exception):
    """As pynvml's."""


class Driver(types.ModuleType):
    """Two GPUs; the second answers no question but its name."""

    NVMLError = NVMLError

    def __init__(self, fails: str = "") -> None:
        super().__init__("pynvml")
        self.fails = fails
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        answers: dict[str, Any] = {
            "nvmlDeviceGetCount": lambda: 2,
            "nvmlDeviceGetHandleByIndex": lambda i: i,
            "nvmlDeviceGetName": lambda i: ["NVIDIA H100", b"NVIDIA T4"][i],
            "nvmlSystemGetDriverVersion": lambda: b"550.54",
            "nvmlSystemGetCudaDriverVersion": lambda: 12040,
            "nvmlDeviceGetMemoryInfo": lambda i: types.SimpleNamespace(total=1 << 30),
            "nvmlDeviceGetCudaComputeCapability": lambda i: (9, 0),
            "nvmlDeviceGetEccMode": lambda i: [1, 1],
            "nvmlDeviceGetMigMode": lambda i: [0, 1],
        }

        def call(*args: Any) -> Any:
            self.calls.append(name)
            asks_second = args == (1,) and name not in ("nvmlDeviceGetName",)
            if name == self.fails or (asks_second and not name.endswith("ByIndex")):
                raise NVMLError(name)
            return answers.get(name, lambda: None)(*args)

        return call


def found(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> gpus.Gpus:
    monkeypatch.setitem(__import__("sys").modules, "pynvml", driver)
    return gpus.found()


def test_all_that_the_driver_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver()
    assert found(monkeypatch, driver) == gpus.Gpus(
        devices=(
            Gpu(name="NVIDIA H100", memory=1 << 30, capability=(9, 0), ecc=True, mig=False),
            Gpu(name="NVIDIA T4"),
        ),
        driver="550.54",
        cuda="12.4",
    )
    assert driver.calls[-1] == "nvmlShutdown"


def test_no_driver_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(fails="nvmlInit")
    assert found(monkeypatch, driver) == gpus.Gpus()
    assert driver.calls == ["nvmlInit"]


def test_a_driver_that_fails_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(fails="nvmlDeviceGetCount")
    assert found(monkeypatch, driver) == gpus.Gpus()
    assert driver.calls[-1] == "nvmlShutdown"


def test_an_old_driver_that_knows_no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(fails="nvmlSystemGetCudaDriverVersion")
    assert found(monkeypatch, driver).cuda is None
