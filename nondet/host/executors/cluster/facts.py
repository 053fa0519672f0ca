"""What a worker's machine is, as far as it bears on results. Standard library only."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from typing import Any

from nondet.host import processor

ALLOTTED = (
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
)
"""Variables by which a scheduler tells a job which devices are its own."""
GPU_QUERY = ("nvidia-smi", "--query-gpu=index,uuid,name,driver_version", "--format=csv,noheader")
GPU_SECONDS = 30


def found() -> dict[str, Any]:
    """Facts that JSON can carry."""
    gpus = devices()
    return {
        "host": platform.node(),
        "cpu": processor.cpu_name(),
        "features": list(processor.features()),
        "cores": processor.cores(),
        "platform": platform.platform(),
        "libc": " ".join(filter(None, (*platform.libc_ver(), platform.machine()))),
        "gpus": [[index, uuid, name] for index, uuid, name, _ in gpus],
        "driver": gpus[0][3] if gpus else None,
        "allotted": {name: os.environ[name] for name in ALLOTTED if name in os.environ},
        "fixed_addresses": processor.can_fix_addresses(),
    }


def devices() -> list[tuple[str, str, str, str]]:
    """(index, identifier, name, driver) of every NVIDIA GPU; none where there is no driver."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            GPU_QUERY, capture_output=True, text=True, timeout=GPU_SECONDS, check=True
        )
        return read_devices(done.stdout)
    return []


def read_devices(text: str) -> list[tuple[str, str, str, str]]:
    """The same from what ``nvidia-smi`` prints."""
    rows = [tuple(part.strip() for part in line.split(",")) for line in text.splitlines()]
    return [(row[0], row[1], row[2], row[3]) for row in rows if len(row) == 4]
