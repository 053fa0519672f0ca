"""The number formats that take one byte an element: what each of the 256 codes stands for."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

CODES = 256

MINIFLOATS: dict[str, tuple[int, int, int, str]] = {
    "float8_e3m4": (3, 4, 3, "ieee"),
    "float8_e4m3": (4, 3, 7, "ieee"),
    "float8_e5m2": (5, 2, 15, "ieee"),
    "float8_e4m3fn": (4, 3, 7, "fn"),
    "float8_e4m3fnuz": (4, 3, 8, "fnuz"),
    "float8_e4m3b11fnuz": (4, 3, 11, "fnuz"),
    "float8_e5m2fnuz": (5, 2, 16, "fnuz"),
    "float6_e2m3fn": (2, 3, 1, "finite"),
    "float6_e3m2fn": (3, 2, 3, "finite"),
    "float4_e2m1fn": (2, 1, 1, "finite"),
}
"""Bits of the exponent and of the fraction, the exponent's bias, and where the special values are.

``ieee``: infinities and NaN at the largest exponent. ``fn``: no infinity, NaN where all bits but
the sign are set. ``fnuz``: no infinity and no negative zero, whose code is the one NaN. ``finite``:
neither infinity nor NaN. Of float6 and float4, the lowest bits of the byte count.
"""

INTEGERS: dict[str, tuple[int, bool]] = {
    "int8": (8, True),
    "uint8": (8, False),
    "int4": (4, True),
    "uint4": (4, False),
    "int2": (2, True),
    "uint2": (2, False),
}
"""Bits, of which the lowest of the byte count, and whether the highest of them is a sign."""

NAMES = frozenset({*MINIFLOATS, *INTEGERS, "float8_e8m0fnu", "bool"})


@cache
def values(dtype: str) -> NDArray[np.float64]:
    """The value of each code, exact; shape (256,). Raises KeyError for a dtype not in `NAMES`."""
    if dtype == "bool":
        found = [float(code != 0) for code in range(CODES)]
    elif dtype == "float8_e8m0fnu":
        found = [math.ldexp(1.0, code - 127) for code in range(CODES - 1)] + [math.nan]
    elif dtype in INTEGERS:
        found = [_integer(code, *INTEGERS[dtype]) for code in range(CODES)]
    else:
        found = [_minifloat(code, *MINIFLOATS[dtype]) for code in range(CODES)]
    table = np.array(found)
    table.flags.writeable = False
    return table


@cache
def ranks(dtype: str) -> NDArray[np.intp]:
    """The place of each code in the order of all values; shape (256,).

    Neighbours are one apart, both zeros have the same place, and that of NaN means nothing.
    """
    table = values(dtype)
    places = np.searchsorted(np.unique(table[~np.isnan(table)]), table)
    places.flags.writeable = False
    return places


def _integer(code: int, bits: int, signed: bool) -> float:
    value = code % (1 << bits)
    return float(value - (1 << bits) if signed and value >> (bits - 1) else value)


def _minifloat(code: int, exponent_bits: int, fraction_bits: int, bias: int, special: str) -> float:
    width = exponent_bits + fraction_bits
    magnitude, negative = code % (1 << width), bool(code >> width & 1)
    exponent, fraction = divmod(magnitude, 1 << fraction_bits)
    if special == "fnuz" and negative and not magnitude:
        return math.nan
    if special == "fn" and magnitude == (1 << width) - 1:
        return math.nan
    if special == "ieee" and exponent == (1 << exponent_bits) - 1:
        value = math.nan if fraction else math.inf
    elif exponent:
        value = math.ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits)
    else:
        value = math.ldexp(fraction, 1 - bias - fraction_bits)
    return -value if negative else value
