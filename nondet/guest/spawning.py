"""Children that a script starts by `os.spawn*`: to launching they are what subprocess' are.

All of the family end in one function of `os`, which forks and then replaces the child's program.
"""

import os

from . import kept
from .factors.base import replace


class Spawned(object):
    """Such a child, as launching asks for it."""

    def __init__(self):
        self.pid = None
        """None while the call has not come back."""
        self.over = False

    def poll(self):
        """None while it runs. How it ended is left for the script to ask."""
        if not self.over and self.pid is not None:
            flags = kept.os.WEXITED | kept.os.WNOHANG | kept.os.WNOWAIT
            try:
                self.over = kept.os.waitid(kept.os.P_PID, self.pid, flags) is not None
            except ChildProcessError:
                # The script has waited for it.
                self.over = True
        return 0 if self.over else None


def install(launching):
    def make(original):
        def _spawnvef(mode, file, args, *rest, **more):
            handed = arguments(launching, file, args)
            if handed is None:
                return original(mode, file, args, *rest, **more)
            child = Spawned()
            # Before it has started: one that is waited for has ended when the call comes back.
            launching.started(child, handed)
            try:
                result = original(mode, file, handed, *rest, **more)
            except BaseException:
                child.over = True
                raise
            if mode == kept.os.P_NOWAIT:
                child.pid = result
            else:
                child.over = True
            return result

        return _spawnvef

    replace(os, "_spawnvef", make)


def arguments(launching, file, args):
    """Those that start a guest, or None for what is left alone. The first is only what the child is
    told that its program is called."""
    if not isinstance(args, (list, tuple)) or not args:
        return None
    handed = launching.handed([file] + list(args[1:]), (), {})
    if handed is not None:
        handed[0] = args[0]
    return handed
