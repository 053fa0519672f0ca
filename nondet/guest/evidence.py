"""Who drew, and from where: the nearest line of the user's code, and the consumer in between."""

import os
import sys

GUEST = os.path.dirname(os.path.abspath(__file__)) + os.sep
WALK = 200
FULL_WALKS = 500
IMPORTLIB = "<frozen importlib._bootstrap>"


class Sightings(object):
    """Counts what was exercised at which call site; the first sight of each is an event.

    Hot paths call `saw` a million times: a caller in the user's own code is recognised by its
    code and line alone; for callers inside libraries the stack is walked, at most FULL_WALKS
    times for the same line.
    """

    def __init__(self, emit, folders, marks, libraries):
        self.emit = emit
        own = [os.path.join(os.path.realpath(f), "") for f in folders]
        # A subject may live below the interpreter's own prefix: that prefix then tells nothing.
        self.libraries = tuple(
            lib for lib in libraries if not any(folder.startswith(lib) for folder in own)
        )
        self.marks = marks
        self.counts = {}
        self.direct = {}
        self.walks = {}
        self.kinds = {}

    def is_user(self, filename):
        """A file of the user's: not ours, not the interpreter's, not an installed package's."""
        known = self.kinds.get(filename)
        if known is None:
            path = os.path.realpath(filename) if os.path.isabs(filename) else filename
            known = self.kinds[filename] = (
                not filename.startswith(("<", GUEST))
                and not path.startswith(self.libraries)
                and (os.sep + "site-packages" + os.sep) not in path
                and (os.sep + "dist-packages" + os.sep) not in path
            )
        return known

    def saw(self, factor, detail, unseeded, depth=1):
        """Note that `factor` was exercised by the caller `depth` frames above."""
        frame = sys._getframe(depth + 1)
        while frame.f_code.co_filename.startswith(GUEST) and frame.f_back is not None:
            frame = frame.f_back
        caller = (factor, detail, unseeded, frame.f_code, frame.f_lineno)
        counted = self.direct.get(caller)
        if counted is not None:
            counted[0] += 1
            return
        walks = self.walks.get(caller, 0)
        if walks >= FULL_WALKS:
            return
        self.walks[caller] = walks + 1
        key, immediate = self.key(factor, detail, unseeded, frame)
        counted = self.count(key)
        if immediate:
            self.direct[caller] = counted

    def key(self, factor, detail, unseeded, frame):
        """What identifies a sighting, and whether its caller is the user's own code."""
        site, consumer, immediate, importing = self.place(frame)
        if importing:
            # Libraries draw while they are imported (temporary names, jitter): noted, no suspect.
            unseeded, detail = False, detail + ", while importing"
        elif not immediate and detail.endswith("without a seed"):
            # What stands at the user's line is a call of something else, which makes it.
            detail += ", inside a library"
        return (factor, detail, unseeded, consumer, site), immediate

    def count(self, key):
        """Add one to a sighting, and tell of it when it is the first."""
        counted = self.counts.get(key)
        if counted is None:
            counted = self.counts[key] = [0]
            self._tell(key)
        counted[0] += 1
        return counted

    def _tell(self, key):
        factor, detail, unseeded, consumer, site = key
        self.emit(
            "exercised",
            factor=factor,
            detail=detail,
            unseeded=unseeded,
            consumer=consumer,
            site={"file": site[0], "line": site[1], "function": site[2]} if site else None,
        )

    def place(self, frame):
        """The nearest user site, the consumer on the way, whether the caller is the user, and
        whether an import stands between."""
        consumer, first, importing = None, True, False
        for _ in range(WALK):
            if frame is None:
                break
            code = frame.f_code
            if self.is_user(code.co_filename):
                site = (code.co_filename, frame.f_lineno, code.co_name)
                return site, consumer, first, importing
            if code.co_filename == IMPORTLIB:
                importing = True
            if not code.co_filename.startswith(GUEST):
                first = False
                consumer = stronger(consumer, self.mark(frame))
            frame = frame.f_back
        return None, consumer, False, importing

    def mark(self, frame):
        """The consumer that this library frame stands for, or None."""
        filename = frame.f_code.co_filename.replace(os.sep, "/")
        for factor, recognise in self.marks:
            if recognise(filename, frame):
                return factor
        return None

    def summary(self):
        """Rows of (factor, detail, unseeded, consumer, site, count), for the end of a trial."""
        return [
            {"factor": k[0], "detail": k[1], "unseeded": k[2], "consumer": k[3],
             "site": {"file": k[4][0], "line": k[4][1], "function": k[4][2]} if k[4] else None,
             "count": c[0]}
            for k, c in self.counts.items()
        ]  # fmt: skip


def stronger(a, b):
    """The consumer nearest to the draw says most, except that keras-seed only passes seeds on."""
    if a is None or (a == "keras-seed" and b is not None):
        return b
    return a
