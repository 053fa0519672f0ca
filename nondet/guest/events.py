"""The guest's side of the event file: one JSON object a line, each in one write."""

import json
import os
import threading

CANT_RECORD = 74
"""Exit code of a trial that could not write its events (EX_IOERR)."""


def plain(value):
    """JSON has no NaN and no infinity: they are written as the strings NaN, Infinity, -Infinity."""
    if isinstance(value, float):
        if value != value:
            return "NaN"
        if value in (float("inf"), float("-inf")):
            return "Infinity" if value > 0 else "-Infinity"
    return value


class Events(object):
    """Appends events to a file.

    A forked child keeps silent: what it does is not this trial's training. A script may close
    every descriptor it finds and open its own files, which then get our number: the descriptor is
    checked before each write, so that no line of ours ends in a file of the user's.
    """

    def __init__(self, path):
        self.path = path
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.descriptor = None
        self.identity = None
        self._open()

    def _open(self):
        self.descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.identity = self._identify()

    def _identify(self):
        try:
            status = os.fstat(self.descriptor)
        except OSError:
            return None
        return (status.st_dev, status.st_ino)

    def emit(self, event, **fields):
        if os.getpid() != self.pid:
            return
        fields["event"] = event
        line = (json.dumps(fields, default=str) + "\n").encode("utf-8", "backslashreplace")
        with self.lock:
            try:
                if self._identify() != self.identity:
                    self._open()
                os.write(self.descriptor, line)
            except OSError:
                # A trial that can't record must not go on: with a gap in it, its trajectory would
                # seem to differ. The disk is full or the output folder is gone; the host tells.
                os._exit(CANT_RECORD)
