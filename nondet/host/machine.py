"""The machine as it bears on reproducibility, and how many trials fit on it side by side."""

from __future__ import annotations

import platform

import psutil

from nondet.host import gpus
from nondet.host.processor import can_fix_addresses as can_fix_addresses
from nondet.host.processor import cores as cores
from nondet.host.processor import cpu_name as cpu_name
from nondet.record import Environment

TYPICAL_TRIAL = 2 * 2**30
"""Bytes that a trial is taken to need before one has been measured."""
MOST_JOBS = 8


def environment(python: str, packages: dict[str, str]) -> Environment:
    """The record of this machine with the subject's interpreter and packages."""
    seen = gpus.found()
    return Environment(
        python=python,
        platform=platform.platform(),
        cpu=cpu_name(),
        cores=cores(),
        gpus=tuple(gpu.name for gpu in seen.devices),
        driver=seen.driver,
        packages=dict(sorted(packages.items(), key=lambda item: item[0].lower())),
    )


def default_jobs(gpu_count: int) -> int:
    """Trials side by side: one a core as far as free memory goes; one in all on a GPU, whose
    memory a framework takes whole."""
    room = int(psutil.virtual_memory().available // TYPICAL_TRIAL)
    wanted = 1 if gpu_count else cores()
    return max(1, min(wanted, room, MOST_JOBS))
