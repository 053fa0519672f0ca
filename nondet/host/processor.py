"""The processor of this machine, and what its system allows. Standard library only: it is asked on
the workers of a cluster as well, where nothing else need be installed."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

NO_RANDOM_ADDRESSES = 0x0040000
"""``ADDR_NO_RANDOMIZE`` of Linux' personality(2)."""
FEATURES = re.compile(
    r"(?:sse4|avx|fma|f16c|amx|asimd|sve|bf16|i8mm|fp16|fphp|atomics)\w*\Z", re.IGNORECASE
)
"""Instruction sets that oneDNN, MKL, OpenBLAS, Eigen and XLA choose kernels by."""


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


def features() -> tuple[str, ...]:
    """Its instruction sets, as far as libraries choose kernels by them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip().lower() in ("flags", "features"):
            return tuple(sorted(flag for flag in value.split() if FEATURES.match(flag)))
    return ()


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
