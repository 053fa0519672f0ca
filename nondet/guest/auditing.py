"""Python's audit events, for what no function of ours stands before: opened files, `id()`."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # importing typing costs the subject time
if TYPE_CHECKING:
    from collections.abc import Callable

LISTENERS: dict[str, list[tuple[Callable[..., None], Callable[..., None]]]] = {}


def listen(event, callback, failed):
    """Call ``callback(frame, arguments)`` at each event of that name; Python 3.7 has none.

    An error of the callback's goes to ``failed(where, error)``, and it is called no more: whatever
    is raised here comes out in the script.
    """
    if not hasattr(sys, "addaudithook"):
        return
    if not LISTENERS:
        sys.addaudithook(hook)
    LISTENERS.setdefault(event, []).append((callback, failed))


def hook(event, arguments):
    # Looked up first: our own look at the stack is an event as well.
    listeners = LISTENERS.get(event)
    if listeners is not None:
        frame = sys._getframe(1)
        for listener in list(listeners):
            callback, failed = listener
            try:
                callback(frame, arguments)
            except RecursionError:
                pass  # The script's own, which meets it in its next call.
            except Exception as error:
                listeners.remove(listener)
                failed("listening to " + event, error)
