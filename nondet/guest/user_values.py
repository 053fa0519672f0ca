"""``nondet.checkpoint(name, value)``: what a script without a model wants compared."""


class UserValues(object):
    """Receives values from the user's calls; found through ``sys.modules`` by ``nondet``."""

    def __init__(self, session, recorder):
        self.session = session
        self.recorder = recorder
        self.counts = {}

    def checkpoint(self, name, value):
        """Record arrays, numbers, strings, and lists or dicts of them, under `name`."""
        try:
            self.counts[name] = self.counts.get(name, 0) + 1
            self.recorder.record_user(str(name), self.counts[name], list(flatten("", value)))
        except Exception as error:
            self.session.failed("nondet.checkpoint(%r)" % (name,), error, lost=True)


def flatten(path, value):
    """Pairs of (path, array): dicts by sorted key, lists by place."""
    import numpy

    if isinstance(value, dict):
        for key in sorted(value, key=str):
            for pair in flatten("%s/%s" % (path, key) if path else str(key), value[key]):
                yield pair
    elif isinstance(value, (list, tuple)) and not all(isinstance(v, (int, float)) for v in value):
        for place, item in enumerate(value):
            for pair in flatten("%s/%d" % (path, place) if path else str(place), item):
                yield pair
    else:
        if value is None:
            value = "None"
        if isinstance(value, str):
            value = numpy.frombuffer(value.encode("utf-8", "surrogatepass"), dtype=numpy.uint8)
        elif isinstance(value, (bytes, bytearray)):
            value = numpy.frombuffer(bytes(value), dtype=numpy.uint8)
        yield path or "value", numpy.asarray(value)


def install(session, recorder):
    import sys

    sys.modules["_nondet_guest"].values = UserValues(session, recorder)
