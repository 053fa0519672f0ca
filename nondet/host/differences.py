"""How far two trials are apart, from the tensors that were kept of them."""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np

from nondet.host import files, machine, measures

WINDOW = 4 << 20
"""Bytes of each tensor that a thread has in memory at a time: whole elements and whole pages."""
MOST_THREADS = 4


@dataclass(frozen=True)
class Distance:
    """How far two tensors of the same dtype and shape are apart.

    Elements differ when their bits do; others are 0 apart, infinities and NaN among them, and so
    are -0.0 and 0.0, which differ. Absolute and relative distances are computed in float64. For
    complex numbers they are moduli, and in ULP the two parts count as two numbers.

    All is None when the values were not kept, or the dtype holds no numbers. Besides:

    * absolute and relative distances are None when an element that differs is not finite in one of
      the two, or when they are beyond float64 themselves;
    * in ULP, where infinity is the neighbour of the largest number, the distance is None when an
      element that differs is NaN in one of the two.
    """

    max_abs: float | None = None
    mean_abs: float | None = None
    max_rel: float | None = None
    mean_rel: float | None = None
    """Relative to the larger of the two magnitudes: from 0 to 2, and 0 where both are zero. Means
    are over all elements of the tensor."""
    max_ulp: int | None = None
    """Representable values from one to the other, through zero; for integers, ones."""
    share: float | None = None
    """Of the elements that differ, among all: from 0 to 1."""
    cosine: float | None = None
    """Cosine of the angle between the flattened tensors, from -1 to 1; 1 where all bits agree. None
    when an element of either is not finite, or when a norm is 0 or out of 1e-140 to 1e150."""


NOTHING = Distance()
EQUAL = Distance(0.0, 0.0, 0.0, 0.0, 0, 0.0, 1.0)


def distance(store: Path, one: str, other: str, dtype: str) -> Distance:
    """Distance between two stored tensors of the same dtype and shape, by digest.

    `dtype` is the name that NumPy or ml_dtypes gives it; the bytes are little-endian, in C order.
    However large the tensors, it takes less than 64 MiB.
    """
    if one == other:
        return EQUAL
    if not (one.isalnum() and other.isalnum()):
        return NOTHING  # no digest, and it may name any file
    try:
        return between(store / one, store / other, dtype)
    except OSError:
        return NOTHING


def between(one: Path, other: Path, dtype: str) -> Distance:
    """Distance between the tensors of two files. Raises OSError when one can't be read."""
    with files.opened(one) as first, files.opened(other) as second:
        return _between(first.fileno(), second.fileno(), dtype)


def _between(one: int, other: int, dtype: str) -> Distance:
    item, size = measures.item_size(dtype), os.fstat(one).st_size
    if item is None or not size or size % item or size != os.fstat(other).st_size:
        return NOTHING
    starts = range(0, size, WINDOW)
    threads = min(len(starts), machine.cores(), MOST_THREADS)

    def every(first: int) -> list[measures.Tally]:
        """What is found in each window whose turn is this thread's."""
        measure = measures.measure(dtype, min(size, WINDOW))
        with np.errstate(all="ignore"):
            for start in starts[first::threads]:
                count = min(WINDOW, size - start)
                measure.add(_mapped(one, start, count), _mapped(other, start, count))
            return list(measure.tallies())

    if threads == 1:
        return _concluded(measures.merged(every(0)))
    # Each pass over a block releases the interpreter.
    with ThreadPoolExecutor(threads) as pool:
        found = chain.from_iterable(pool.map(every, range(threads)))
        return _concluded(measures.merged(list(found)))


def _mapped(file: int, start: int, count: int) -> measures.Raw:
    """Bytes of an open file, in memory for as long as the array lives."""
    return np.frombuffer(mmap(file, count, access=ACCESS_READ, offset=start), np.uint8)


def _concluded(tally: measures.Tally) -> Distance:
    if not tally.differing:
        return EQUAL
    comparable, elements = tally.comparable, tally.elements
    return Distance(
        max_abs=_number(tally.max_abs) if comparable else None,
        mean_abs=_number(tally.sum_abs / elements) if comparable else None,
        max_rel=_number(tally.max_rel) if comparable else None,
        mean_rel=_number(tally.sum_rel / elements) if comparable else None,
        max_ulp=tally.max_ulp if tally.ordered else None,
        share=tally.differing / elements,
        cosine=_cosine(tally),
    )


def _cosine(tally: measures.Tally) -> float | None:
    squares = tally.one_one, tally.other_other
    # Out of these bounds, squares of single elements may have been lost or have become infinite.
    if not all(1e-280 <= square <= 1e300 for square in squares):
        return None
    cosine = tally.one_other / (math.sqrt(squares[0]) * math.sqrt(squares[1]))
    return min(1.0, max(-1.0, cosine))


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
