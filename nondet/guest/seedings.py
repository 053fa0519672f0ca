"""Which seeds the script gives, where, and what had been drawn before."""

import sys

from .evidence import GUEST
from .kept import hashlib


class Seedings(object):
    """Counts the seeds given at each call site; the first of each is an event.

    The host compares them between trials: a seed that is another in every run comes from the clock,
    a process id or the like. What was drawn unseeded before the first seed tells that it is late.
    """

    def __init__(self, emit, sightings):
        self.emit = emit
        self.sightings = sightings
        self.found = {}
        self.direct = {}

    def seeded(self, factor, call, value, frame, holds=None):
        """Note a seed for a generator of `factor`, given by the caller of `frame`'s function.

        Seeds that a library gives with no line of the user's behind it, or on its way in, are no
        seeds of the script.
        """
        while frame.f_code.co_filename.startswith(GUEST) and frame.f_back is not None:
            frame = frame.f_back
        # The code alone is no key: it is equal to that of another file with the same text.
        code = frame.f_code
        caller = (factor, call, code, code.co_filename, frame.f_lineno)
        state = self.direct.get(caller)
        if state is None:
            site, _, immediate, importing = self.sightings.place(frame)
            if site is None or importing:
                return
            key = (factor, self.called(call, frame), site)
            state = self.found.get(key)
            first = state is None
            if first:
                before = self.drawn_before(factor, holds)
                state = self.found[key] = [0, hashlib.sha256(), before]
            if immediate:
                self.direct[caller] = state
            self.add(state, value)
            if first:
                self.emit("seeded", **self.row(key, state))
        else:
            self.add(state, value)

    @staticmethod
    def add(state, value):
        state[0] += 1
        state[1].update(("%r;" % (value,)).encode("utf-8", "backslashreplace"))

    def called(self, call, frame):
        """What stands in the user's line: `call`, or the library's function that leads to it, such
        as ``keras.utils.set_random_seed``."""
        outer = None
        while frame is not None and not self.sightings.is_user(frame.f_code.co_filename):
            if self.sightings.kind(frame.f_code.co_filename) == "library":
                outer = frame
            frame = frame.f_back
        if outer is None:
            return call
        return public_name(outer) or call + ", inside a library"

    def drawn_before(self, factor, holds=None):
        """Details and sites of this factor's unseeded draws so far, those with a line first.

        Objects that are made without a seed are none: no seed of another generator reaches them.
        """
        rows = [
            k
            for k in list(self.sightings.counts)
            if k[0] == factor and k[2] is True and holds != "" and k[1].startswith(holds or "")
            and " without a " not in k[1]
        ]  # fmt: skip
        rows.sort(key=lambda k: k[4] is None)
        return [
            {"detail": k[1], "consumer": k[3], "site": self.sightings.site(k[4])} for k in rows[:3]
        ]

    def row(self, key, state):
        factor, call, site = key
        return {
            "factor": factor,
            "call": call,
            "site": self.sightings.site(site),
            "count": state[0],
            "digest": state[1].hexdigest()[:16],
            "before": state[2],
        }

    def summary(self):
        return [self.row(key, state) for key, state in list(self.found.items())]


def public_name(frame):
    """The dotted name under which users call this library's function, or an empty string."""
    code = frame.f_code
    name = getattr(code, "co_qualname", code.co_name)
    if code.co_name == "__init__" and "self" in frame.f_locals:
        name = type(frame.f_locals["self"]).__name__
    first, dot, rest = name.partition(".")
    known = frame.f_globals.get(first)
    if known is None:
        return ""
    # Keras and TensorFlow keep the public name of what they export.
    own = vars(known) if hasattr(known, "__dict__") else {}
    for mark, root in (("_api_export_path", ""), ("_tf_api_names", "tf.")):
        if own.get(mark):
            exported = own[mark] if isinstance(own[mark], str) else own[mark][0]
            return root + exported + dot + rest
    parts = frame.f_globals["__name__"].split(".")
    for count in range(1, len(parts) + 1):
        package = ".".join(parts[:count])
        if package in sys.modules and vars(sys.modules[package]).get(first) is known:
            return "%s.%s" % (package, name)
    return ""
