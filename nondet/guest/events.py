"""The guest's side of the event file: one JSON object a line, each in one write."""

from .kept import json, os, threading

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


def in_words(error):
    """What an exception says, which may be one of the script's own that fails at that."""
    try:
        return str(error)
    except Exception:
        # The interpreter's words.
        return "<exception str() failed>"


class Appended(object):
    """A file that grows by whole pieces, each appended in one write.

    A forked child keeps silent: what it does is not this trial's training. A script may close
    every descriptor it finds and open its own files, which then get our number: the descriptor is
    checked before each write, so that no piece of ours ends in a file of the user's.

    A signal's handler, or a `__del__` that the garbage collector calls, may have something to write
    in the midst of another write of the same thread: that piece waits until the other is whole.

    `fresh`: what the file held before the first write goes. `pid`: the only process that writes;
    None stands for this one.
    """

    def __init__(self, path, fresh=False, pid=None):
        self.path = path
        self.first_flags = os.O_TRUNC if fresh else 0
        self.pid = os.getpid() if pid is None else pid
        self.lock = threading.RLock()
        self.writing = False
        self.waiting = []
        """What came in the midst of a write."""
        self.descriptor = -1
        self.identity = None

    def open(self):
        """Open it, or open it again. Raises OSError."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | self.first_flags
        self.descriptor = os.open(self.path, flags, 0o600)
        self.first_flags = 0
        # Whatever umask the script has set: the host reads it too.
        os.fchmod(self.descriptor, 0o600)
        status = os.fstat(self.descriptor)
        self.identity = (status.st_dev, status.st_ino)
        return status

    def _status(self):
        """That of the descriptor, or None when it is not ours any more."""
        try:
            status = os.fstat(self.descriptor)
        except OSError:
            return None
        return status if (status.st_dev, status.st_ino) == self.identity else None

    def at_home(self):
        """Whether this is the process that writes, and no forked child of it."""
        return os.getpid() == self.pid

    def write(self, data):
        """Append `data`. Returns the offset of its first byte; None in a forked child, and where it
        has to wait."""
        if not self.at_home():
            return None
        with self.lock:
            if self.writing:
                self.waiting.append(data)
                return None
            offset = self._append(data)
            while self.waiting:
                try:
                    following = self.waiting.pop(0)
                except IndexError:
                    # It was written by what came in between.
                    break
                self._append(following)
            return offset

    def _append(self, data):
        try:
            self.writing = True
            offset = (self._status() or self.open()).st_size
            if os.write(self.descriptor, data) == len(data):
                return offset
        except OSError:
            pass
        finally:
            self.writing = False
        # A trial that can't record must not go on: with a gap in it, its trajectory would
        # seem to differ. The disk is full or the output folder is gone; the host tells.
        os._exit(CANT_RECORD)

    def close(self):
        """Let go of the descriptor; a later write opens the file again."""
        if self._status() is not None:
            os.close(self.descriptor)
        self.descriptor = -1


class Events(object):
    """Appends events to a file (see Appended)."""

    def __init__(self, path):
        self.file = Appended(path)
        self.file.open()
        self.unheard = None
        """Where another process tells of the trial: what is asked, with an event's name and data,
        whether it is to be written."""

    def emit(self, event, **fields):
        if not self.file.at_home():
            return
        fields["event"] = event
        data = encoded(fields)
        if self.unheard is None or self.unheard(event, data):
            self.file.write(data)

    def emit_in_child(self, event, **fields):
        """The one way in which a forked child tells anything: appended by its own handle."""
        fields["event"] = event
        try:
            descriptor = os.open(self.file.path, os.O_WRONLY | os.O_APPEND)
        except OSError:
            return
        os.write(descriptor, encoded(fields))
        os.close(descriptor)


ENCODER = json.JSONEncoder(default=str)
# Made once: `json.dumps` makes one a call, and of what the script may have put in its place.


def encoded(fields):
    return (ENCODER.encode(fields) + "\n").encode("utf-8", "backslashreplace")
