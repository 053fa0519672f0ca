"""What an engine does: tell who works, and run a function there."""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections.abc import Callable
from typing import Any, Protocol


@dataclasses.dataclass(frozen=True)
class Refusal:
    """Why a worker does not do what it is asked: an error that was made there."""

    slug: str
    message: str


class Engine(Protocol):
    """A scheduler with its workers, as far as trials need it. Its methods may be called from any
    thread."""

    name: str
    """How people call it."""
    waits: float
    """Seconds in which a first worker must have come."""

    coming: int
    """Workers that have been asked for; 0 where others have started them."""

    def workers(self) -> set[str]:
        """Those that are there now. Raises OSError when the scheduler does not answer."""

    def unfit(self, worker: str) -> str:
        """Why functions can't be sent to that worker; empty when they can."""

    def submit(
        self, worker: str, function: Callable[..., Any], *args: Any
    ) -> concurrent.futures.Future[Any]:
        """Run a function of errand.py on that worker and on no other, once. Raises OSError when
        the scheduler can't be reached."""

    def close(self) -> None:
        """Let go of it. What was submitted and has not ended is given up."""
