"""What attendants say of machines, and workers that say no more, for tests."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from typing import Any

from nondet.host.executors.cluster import errand
from tests.host.executors.trying import PATIENCE

A100 = ["0", "GPU-aa", "A100"], ["1", "GPU-ab", "A100"]


def told(host: str = "one", **changes: Any) -> dict[str, Any]:
    """`changes`: to the facts, but for ``packages``, ``found``, ``conda``, ``isolation`` and
    ``rooms``."""
    packages = changes.pop("packages", {"numpy": "2.0"})
    found = changes.pop("found", {"xxhash": True})
    conda = changes.pop("conda", [])
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
        "described": {
            "python": "3.11.7",
            "executable": "/env/bin/python",
            "packages": packages,
            "found": found,
            "conda": conda,
            "syntax_error": None,
        },
        "isolation": isolation,
        "warning": "",
        "runtime": "/tmp/run",
        "rooms": rooms,
        "temporary": "",
    }


class Saying:
    """An engine whose workers say at once what they are, and run nothing."""

    name = "saying"
    waits = PATIENCE
    coming = 0

    def __init__(self, **workers: dict[str, Any] | None) -> None:
        """By name what each answers; None for one that has yet to answer."""
        self.there = workers
        self.closed = False

    def workers(self) -> set[str]:
        return set(self.there)

    def unfit(self, worker: str) -> str:
        return ""

    def submit(
        self, worker: str, function: Callable[..., Any], *args: Any
    ) -> concurrent.futures.Future[Any]:
        answer: concurrent.futures.Future[Any] = concurrent.futures.Future()
        said = self.there.get(worker) if function is errand.survey else {}
        if said is not None:
            answer.set_result(said)
        return answer

    def close(self) -> None:
        self.closed = True
