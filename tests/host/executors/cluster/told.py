"""What attendants say of machines, for tests."""

from __future__ import annotations

from typing import Any

A100 = ["0", "GPU-aa", "A100"], ["1", "GPU-ab", "A100"]


def told(host: str = "one", **changes: Any) -> dict[str, Any]:
    """`changes`: to the facts, but for ``packages``, ``isolation`` and ``rooms``."""
    packages = changes.pop("packages", {"numpy": "2.0"})
    isolation = changes.pop("isolation", "overlay")
    rooms = changes.pop("rooms", "/tmp/rooms")
    facts = {
        "host": host,
        "cpu": "EPYC",
        "features": ["avx2"],
        "cores": 8,
        "platform": "Linux-6.1",
        "libc": "glibc 2.36 x86_64",
        "gpus": [],
        "driver": None,
        "allotted": {},
        "fixed_addresses": True,
    }
    return {
        "facts": facts | changes,
        "described": {"python": "3.11.7", "packages": packages},
        "isolation": isolation,
        "warning": "",
        "runtime": "/tmp/run",
        "rooms": rooms,
    }
