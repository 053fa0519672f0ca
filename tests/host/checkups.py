"""Machines for tests of what is said about them."""

from __future__ import annotations

from typing import Any

from nondet.machines import Checkup, Gpu, Library
from nondet.record import Environment

H100 = Gpu(name="H100", memory=80 * 2**30, capability=(9, 0), ecc=True, mig=False)
T4 = Gpu(name="T4", memory=15 * 2**30, capability=(7, 5), ecc=False, mig=None)


def library(name: str, version: str, failure: str = "", **told: str) -> Library:
    return Library(name=name, version=version, told=told, failure=failure)


def checkup(cores: int = 4, **changes: Any) -> Checkup:
    """One of which there is nothing to say."""
    plain: dict[str, Any] = {
        "nondet": "0",
        "interpreter": "/usr/bin/python3",
        "environment": Environment(
            python="3.12.1", platform="Linux", cpu="A processor", cores=cores
        ),
        "physical_cores": 4,
        "all_cores": 4,
        "memory": 16 * 2**30,
        "fixed_addresses": True,
        "variables": {"PYTHONHASHSEED": "0"},
    }
    return Checkup(**{**plain, **changes})


def variables(**values: str) -> dict[str, str]:
    return {"PYTHONHASHSEED": "0", **values}
