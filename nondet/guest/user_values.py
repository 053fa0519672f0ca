"""What a script hands over: values to compare (``nondet.checkpoint``) and results
(``nondet.metric``)."""

import sys

from .device_values import TORCH_BITS, array_of
from .events import plain
from .plain_values import of_bytes


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
            self.recorder.record_user(str(name), self.counts[name], value)
        except Exception as error:
            self.session.failed("nondet.checkpoint(%r)" % (name,), error, lost=True)

    def metric(self, name, value):
        """Tell a result of the run: the last value of each name counts.

        What is no number is reported. Nothing compared is missing then, so the trial goes on.
        """
        try:
            number = plain(number_of(value))
            self.session.events.emit("metric", model="", fit=0, epoch=0, values={str(name): number})
        except Exception as error:
            self.session.failed("nondet.metric(%r)" % (name,), error)


def flatten(path, value):
    """Pairs of (path, array): dicts by sorted key, lists by place.

    What NumPy has no dtype for stays a tensor of PyTorch's: an array of its bits has lost the name.
    """
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            for pair in flatten("%s/%s" % (path, key) if path else str(key), value[key]):
                yield pair
    elif isinstance(value, (list, tuple)) and not all(isinstance(v, (int, float)) for v in value):
        for place, item in enumerate(value):
            for pair in flatten("%s/%d" % (path, place) if path else str(place), item):
                yield pair
    elif is_masked(value):
        # What lies under the mask is no value: it may be whatever was in memory.
        import numpy

        inside = path + "/" if path else ""
        yield inside + "data", value.filled(0)
        yield inside + "mask", numpy.ma.getmaskarray(value)
    else:
        if value is None:
            value = "None"
        if isinstance(value, str):
            value = of_bytes(value.encode("utf-8", "surrogatepass"))
        elif isinstance(value, (bytes, bytearray)):
            value = of_bytes(bytes(value))
        # PyTorch gives no array of what is part of a gradient, lies on a device, or is bfloat16.
        value = value.detach() if hasattr(value, "detach") else value
        unnamed = str(getattr(value, "dtype", "")) in TORCH_BITS
        yield path or "value", value if unnamed else array_of(value)


def is_masked(value):
    """Whether it is a masked array of NumPy's, of which `asarray` takes the data alone."""
    kind = getattr(sys.modules.get("numpy.ma"), "MaskedArray", None)
    return kind is not None and isinstance(value, kind)


def number_of(value):
    """A float of a number, or of an array or tensor that holds one. Raises TypeError for text."""
    if isinstance(value, (str, bytes, bytearray)):
        raise TypeError("expected a number, not %r" % (value,))
    # Of arrays float() takes scalars only, as of NumPy 2.5; item() takes any that hold one value.
    item = getattr(value, "item", None)
    return float(item() if callable(item) else value)


def install(session, recorder):
    sys.modules["_nondet_guest"].values = UserValues(session, recorder)
