"""Forked children of a test."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

PATIENCE = 300
"""Seconds after which a child hangs."""


def in_child(act: Callable[[], object]) -> int:
    """How a forked child ends that does this: 0 where it goes well."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PATIENCE)
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]
