"""Who drew, and from where: the nearest line of the user's code, and the consumer in between."""

import sys

from . import autograph, layers
from .kept import os

GUEST = os.path.dirname(os.path.abspath(__file__)) + os.sep
WALK = 200
FULL_WALKS = 500
IMPORTLIB = "<frozen importlib._bootstrap>"
STANDARD = os.path.join(os.path.dirname(os.path.realpath(os.__file__)), "")
"""Folder of the standard library."""
MODULES = "/torch/nn/modules/"


class Sightings(object):
    """Counts what was exercised at which call site; the first sight of each is an event.

    Hot paths call `saw` a million times: a caller in the user's own code is recognised by its
    code and line alone; for callers inside libraries the stack is walked, at most FULL_WALKS
    times for the same line.
    """

    def __init__(self, emit, folders, marks, libraries, packages=()):
        """`packages`: folders of installed packages that are the subject's own."""
        self.emit = emit
        self.packages = tuple(os.path.join(os.path.realpath(p), "") for p in packages)
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
        self.askers = {}
        self.layers = layers.Layers(self.is_user, GUEST)

    def asker(self, frame, through=()):
        """The first frame from here up that asks for itself, with its kind."""
        while frame is not None:
            code = frame.f_code
            filename = code.co_filename
            kind = self.askers.get(filename)
            if kind is None:
                kind = self.askers[filename] = self.kind(filename, frame)
            if kind != "ours" and not (
                kind == "standard" and frame.f_globals.get("__name__") in through
            ):
                if kind == "library" and self.place(frame)[3]:
                    kind = "importing"
                return frame, kind
            frame = frame.f_back
        return None, "standard"

    def kind(self, filename, frame=None):
        if filename.startswith(GUEST):
            return "ours"
        if self.is_user(filename, frame):
            return "user"
        inside = filename.startswith("<frozen ") or os.path.realpath(filename).startswith(STANDARD)
        packages = os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep
        return "standard" if inside and not any(p in filename for p in packages) else "library"

    def is_user(self, filename, frame=None):
        """A file of the user's: not ours, not the interpreter's, not an installed package's.

        A copy of AutoGraph's is whose the original is, which a `frame` that runs in it tells.
        """
        known = self.kinds.get(filename)
        if known is None and autograph.COPY in filename:
            made_from = None if frame is None else autograph.origin(frame)
            if made_from is None:
                return True
            known = self.kinds[filename] = self.is_user(made_from[0])
        if known is None:
            path = os.path.realpath(filename) if os.path.isabs(filename) else filename
            known = self.kinds[filename] = path.startswith(self.packages) or (
                not filename.startswith(("<", GUEST))
                and not path.startswith(self.libraries)
                and (os.sep + "site-packages" + os.sep) not in path
                and (os.sep + "dist-packages" + os.sep) not in path
            )
        return known

    def is_own(self, path):
        """The same of the file of a module. Of those there are thousands: where the path itself
        tells that it is a library's, no links are followed."""
        if path.startswith(self.packages):
            return True
        library = path.startswith(self.libraries) or (os.sep + "site-packages" + os.sep) in path
        return not library and self.is_user(path)

    def saw(self, factor, detail, unseeded, depth=1):
        """Note that `factor` was exercised by the caller `depth` frames above."""
        self.saw_from(sys._getframe(depth + 1), factor, detail, unseeded)

    def saw_from(self, frame, factor, detail, unseeded):
        """The same of the code that this frame runs."""
        while frame.f_code.co_filename.startswith(GUEST) and frame.f_back is not None:
            frame = frame.f_back
        # The code alone is no key: it is equal to that of another file with the same text.
        code = frame.f_code
        caller = (factor, detail, unseeded, code, code.co_filename, frame.f_lineno)
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
        # Of a line in a layer's own code, each layer of that class is named.
        if immediate and not key[5]:
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
        what = ""
        if consumer is not None:
            what, made = self.drawer(frame)
            site = made or site
        return (factor, detail, unseeded, consumer, site, what), immediate

    def count(self, key):
        """Add one to a sighting, and tell of it when it is the first."""
        counted = self.counts.get(key)
        if counted is None:
            counted = self.counts[key] = [0]
            self._tell(key)
        counted[0] += 1
        return counted

    def _tell(self, key):
        factor, detail, unseeded, consumer, site, what = key
        self.emit(
            "exercised",
            factor=factor,
            detail=detail,
            unseeded=unseeded,
            consumer=consumer,
            site=self.site(site),
            what=what,
        )

    @staticmethod
    def site(place):
        """A place as it stands in events."""
        return {"file": place[0], "line": place[1], "function": place[2]} if place else None

    def place(self, frame):
        """The nearest user site, the consumer on the way, whether the caller is the user, and
        whether an import stands between."""
        consumer, first, importing = None, True, False
        for _ in range(WALK):
            if frame is None:
                break
            code = frame.f_code
            if self.is_user(code.co_filename, frame):
                site = (code.co_filename, frame.f_lineno, code.co_name)
                if autograph.COPY in code.co_filename:
                    site = autograph.origin(frame) or site
                return site, stronger(consumer, self.within(frame)), first, importing
            if code.co_filename == IMPORTLIB:
                importing = True
            if not code.co_filename.startswith(GUEST):
                first = False
                consumer = stronger(consumer, self.mark(frame))
            frame = frame.f_back
        return None, consumer, False, importing

    def within(self, frame):
        """The consumer whose code the user has written: a layer, an initializer."""
        consumer = None
        while (
            frame is not None and consumer is None and self.is_user(frame.f_code.co_filename, frame)
        ):
            consumer = self.mark(frame)
            frame = frame.f_back
        return consumer

    def drawer(self, frame):
        """The layer on whose behalf this frame draws, as ``Dropout `dropout_1```, and the line at
        which it is made if that is where to look: not for what a line of the user's own draws."""
        layer, own = self.layers.behind(frame)
        if layer is None:
            return self.module(frame), None
        what = self.layers.describe(layer, frame)
        return what, self.layers.site(layer) if own else None

    def module(self, frame):
        """The PyTorch module that draws here, as ``Linear``: the innermost that runs, or the
        outermost that is being made."""
        kind = getattr(sys.modules.get("torch.nn"), "Module", None)
        found = ""
        while kind is not None and frame is not None:
            code = frame.f_code
            if self.is_user(code.co_filename, frame):
                break
            if MODULES in code.co_filename.replace(os.sep, "/") and "self" in code.co_varnames[:1]:
                module = frame.f_locals.get("self")
                if isinstance(module, kind) and (not found or code.co_name == "__init__"):
                    found = type(module).__name__
            frame = frame.f_back
        return found

    def mark(self, frame):
        """The consumer that this frame stands for, or None."""
        filename = frame.f_code.co_filename.replace(os.sep, "/")
        for factor, recognise in self.marks:
            if recognise(filename, frame):
                return factor
        return None

    def summary(self):
        """Rows of (factor, detail, unseeded, consumer, site, what, count), for a trial's end."""
        return [
            {"factor": k[0], "detail": k[1], "unseeded": k[2], "consumer": k[3],
             "site": self.site(k[4]), "what": k[5], "count": c[0]}
            for k, c in list(self.counts.items())
        ]  # fmt: skip


def stronger(a, b):
    """The consumer nearest to the draw says most, except that keras-seed only passes seeds on."""
    if a is None or (a == "keras-seed" and b is not None):
        return b
    return a
