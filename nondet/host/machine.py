"""The machine as it bears on reproducibility, and how many trials fit on it side by side."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import psutil

from nondet.host import gpus
from nondet.record import Environment

TYPICAL_TRIAL = 2 * 2**30
"""Bytes that a trial is taken to need before one has been measured."""
MOST_JOBS = 8
NO_RANDOM_ADDRESSES = 0x0040000
"""``ADDR_NO_RANDOMIZE`` of Linux' personality(2)."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_name() -> str:
    """The processor's model, from the kernel where it tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        return platform.processor() or platform.machine()
    return platform.processor() or platform.machine()


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


def can_fix_addresses() -> bool:
    """Whether the system starts processes without address space randomisation. Containers may
    refuse it."""
    if sys.platform != "linux":
        return False
    # In a child of its own: the setting stays with the process that asks for it.
    script = (
        "import ctypes, sys; libc = ctypes.CDLL(None); "
        f"sys.exit(libc.personality({NO_RANDOM_ADDRESSES}) == -1 or "
        f"not libc.personality(0xffffffff) & {NO_RANDOM_ADDRESSES})"
    )
    command = [sys.executable, "-I", "-S", "-c", script]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def default_jobs(gpu_count: int) -> int:
    """Trials side by side: one a core as far as free memory goes; one in all on a GPU, whose
    memory a framework takes whole."""
    room = int(psutil.virtual_memory().available // TYPICAL_TRIAL)
    wanted = 1 if gpu_count else cores()
    return max(1, min(wanted, room, MOST_JOBS))
