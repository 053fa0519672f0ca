"""Values to compare where the script does without NumPy: numbers, and buffers of them.

Each has the bits, and so the digest, that NumPy's array of it would have.
"""

import struct
import sys

FORMATS = {
    "?": "bool", "b": "int8", "h": "int16", "i": "int32", "l": "int64", "q": "int64",
    "B": "uint8", "H": "uint16", "I": "uint32", "L": "uint64", "Q": "uint64",
    "f": "float32", "d": "float64",
}  # fmt: skip
"""Formats of buffers, as the struct module has them, with NumPy's names."""
NUMBERS = {
    complex: ("complex128", "dd"), float: ("float64", "d"), int: ("int64", "q"),
    bool: ("bool", "?"),
}  # fmt: skip
UNDER = {
    complex: (complex, float, int), float: (float, int), int: (int,), bool: (bool,),
}  # fmt: skip
"""The kinds of numbers that each kind takes in."""


class Dtype(object):
    """What is asked of a NumPy dtype."""

    hasobject = False

    def __init__(self, name):
        self.name = name
        self.byteorder = "|" if name in ("bool", "int8", "uint8") else "="


class Plain(object):
    """Stands for an array: its bits in C order, its dtype and shape."""

    def __init__(self, name, shape, data):
        self.dtype = Dtype(name)
        self.shape = tuple(shape)
        self.data = data
        self.nbytes = len(data)


FEW = 20000
"""Numbers in a list up to which NumPy's import takes longer."""
MISSING = []  # type: list[bool]
"""Holds something once NumPy was looked for in vain."""


def numpy():
    """NumPy, or None where the interpreter has none."""
    found = sys.modules.get("numpy")
    if found is None and not MISSING:
        try:
            import numpy as found
        except ImportError:
            MISSING.append(True)
    return found


def without_numpy(value):
    """Its array where the script has no use for NumPy, whose import would cost each trial more than
    most of such scripts take; None where NumPy is there, or it takes NumPy to tell."""
    if "numpy" in sys.modules or hasattr(value, "__array__"):
        return None
    if isinstance(value, (list, tuple)) and len(value) > FEW:
        return None
    try:
        return made(value)
    except (TypeError, ValueError, OverflowError, BufferError):
        return None


def of_bytes(data):
    """An array of bytes."""
    found = sys.modules.get("numpy")
    if found is not None:
        return found.frombuffer(data, dtype=found.uint8)
    return Plain("uint8", (len(data),), bytes(data))


def made(value):
    """Of a number, a list or tuple of numbers, or a buffer. Raises TypeError for anything else."""
    if isinstance(value, (list, tuple)):
        return numbers(value, (len(value),))
    if isinstance(value, (bool, int, float, complex)):
        return numbers([value], ())
    try:
        view = memoryview(value)
    except TypeError:
        view = None
    if view is None or view.format not in FORMATS:
        raise TypeError(
            "%s can't be compared where NumPy is not installed: expected numbers, strings, bytes, "
            "and lists or dicts of them" % type(value).__name__
        )
    return Plain(FORMATS[view.format], view.shape, view.tobytes())


def numbers(values, shape):
    """By the widest kind among them, as NumPy does."""
    # A bool is an int as well: the last kind that takes all of them is the narrowest.
    kinds = [k for k in (complex, float, int, bool) if all(isinstance(v, UNDER[k]) for v in values)]
    widest = kinds[-1] if values else float
    if widest is int and not all(-(2**63) <= value < 2**63 for value in values):
        raise TypeError("an integer of more than 64 bits: give it as a string")
    name, code = NUMBERS[widest]
    converted = [widest(value) for value in values]
    parts = [(v.real, v.imag) if widest is complex else (v,) for v in converted]
    return Plain(name, shape, b"".join(struct.pack("=" + code, *part) for part in parts))
