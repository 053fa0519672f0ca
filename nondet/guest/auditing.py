"""Python's audit events, for what no function of ours stands before: opened files, `id()`."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # importing typing costs the subject time
if TYPE_CHECKING:
    from collections.abc import Callable

LISTENERS: dict[str, list[Callable[..., None]]] = {}


def listen(event, callback):
    """Call ``callback(frame, arguments)`` at each event of that name; Python 3.7 has none."""
    if not hasattr(sys, "addaudithook"):
        return
    if not LISTENERS:
        sys.addaudithook(hook)
    LISTENERS.setdefault(event, []).append(callback)


def hook(event, arguments):
    # Looked up first: our own look at the stack is an event as well.
    listeners = LISTENERS.get(event)
    if listeners is not None:
        frame = sys._getframe(1)
        for callback in listeners:
            callback(frame, arguments)
