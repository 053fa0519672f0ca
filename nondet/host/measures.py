"""How far two tensors are apart, as arithmetic on their raw bytes: one measure a kind of number.

A measure is handed the two tensors piece by piece and keeps sums and maxima. It makes few passes,
in preallocated scratch and over blocks that stay in a core's cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nondet.host import byte_formats

Bits = NDArray[Any]
"""Numbers seen as signed integers of their width."""
Raw = NDArray[np.uint8]
Reals = NDArray[np.float64]

BLOCK = 1 << 16
"""Numbers that are worked on at a time; with all scratch, 2 to 4 MiB."""
BLOCK_BYTES = 1 << 18
"""The same for formats of one byte, whose table of counts has to pay."""
PIECE = 1 << 13
"""Numbers in one scalar product: too few for a BLAS to start threads, whose number would then
change the rounding."""
largest, smallest, total = np.maximum.reduce, np.minimum.reduce, np.add.reduce
"""As the methods of arrays, which take about twice as long to start."""


@dataclass
class Tally:
    """What was found in a part of two tensors. An element differs when its bits do."""

    elements: int = 0
    differing: int = 0
    comparable: bool = True
    """Whether all elements that differ are finite in both."""
    ordered: bool = True
    """Whether none that differs is NaN in either."""
    max_abs: float = 0.0
    max_rel: float = 0.0
    max_ulp: int = 0
    sum_abs: float = 0.0
    sum_rel: float = 0.0
    one_one: float = 0.0
    one_other: float = 0.0
    other_other: float = 0.0
    """Scalar products; not finite when an element isn't."""

    def add_products(self, one_one: float, one_other: float, other_other: float) -> None:
        self.one_one += one_one
        self.one_other += one_other
        self.other_other += other_other

    def add_gaps(self, gaps: Reals, scales: Reals) -> None:
        """Take in absolute distances and the magnitudes that they are relative to, none of them 0.

        `gaps` is overwritten.
        """
        self.max_abs = max(self.max_abs, float(largest(gaps)))
        self.sum_abs += float(total(gaps))
        np.divide(gaps, scales, out=gaps)
        self.max_rel = max(self.max_rel, float(largest(gaps)))
        self.sum_rel += float(total(gaps))


class Measure(Protocol):
    """What measures two tensors of one dtype."""

    def add(self, one: Raw, other: Raw) -> None:
        """Take in the next bytes of both: equally many, at least one element, none cut in two."""

    def tallies(self) -> Sequence[Tally]:
        """What was found in all that was taken in, in parts."""


def item_size(dtype: str) -> int | None:
    """Bytes an element, by the dtype's name; None for a dtype whose distances mean nothing."""
    if dtype in byte_formats.NAMES:
        return 1
    if dtype == "bfloat16":
        return 2
    known = dtype in FLOATS or dtype in COMPLEXES or dtype in INTEGERS
    return np.dtype(dtype).itemsize if known else None


def measure(dtype: str, most: int) -> Measure:
    """A new measure for a dtype that has an `item_size`, and for `most` bytes at a time."""
    if dtype in byte_formats.NAMES:
        return Bytes(dtype, most)
    if dtype in INTEGERS:
        return Integers(dtype)
    if dtype in COMPLEXES:
        return Complexes(FLOATS[COMPLEXES[dtype]], most)
    return Floats(FLOATS[dtype], most)


def merged(tallies: Sequence[Tally]) -> Tally:
    """The tally of the whole, from those of its parts in whatever order."""
    return Tally(
        elements=sum(t.elements for t in tallies),
        differing=sum(t.differing for t in tallies),
        comparable=all(t.comparable for t in tallies),
        ordered=all(t.ordered for t in tallies),
        max_abs=max(t.max_abs for t in tallies),
        max_rel=max(t.max_rel for t in tallies),
        max_ulp=max(t.max_ulp for t in tallies),
        sum_abs=_total(t.sum_abs for t in tallies),
        sum_rel=_total(t.sum_rel for t in tallies),
        one_one=_total(t.one_one for t in tallies),
        one_other=_total(t.one_other for t in tallies),
        other_other=_total(t.other_other for t in tallies),
    )


def _total(values: Iterable[float]) -> float:
    """Exact but for one rounding, so that the order of the parts does not matter."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # Beyond float64, or infinities of both signs.
        return math.nan


def _dot(x: Reals, y: Reals) -> float:
    """Scalar product."""
    if rest := x.size % PIECE:
        found = float(np.dot(x[-rest:], y[-rest:]))
        return found if rest == x.size else found + _dot(x[:-rest], y[:-rest])
    rows = np.matmul(x.reshape(-1, 1, PIECE), y.reshape(-1, PIECE, 1))
    return float(total(rows, axis=None))


# -- floats


@dataclass(frozen=True)
class FloatFormat:
    """A float whose bits without the sign, as an integer, are in the order of its magnitudes."""

    bits: np.dtype[Any]
    """Signed integer of its width."""
    infinity: int
    """The bits of infinity; those of NaN are larger."""
    widen: Callable[[Bits, Reals], object]
    """Writes the numbers that some bits stand for into an array of float64, exactly."""


def _widen_bfloat16(bits: Bits, out: Reals) -> None:
    # It is the upper half of a float32.
    np.copyto(out, np.left_shift(bits.view("<u2"), 16, dtype="<u4").view("<f4"))


FLOATS = {
    "float16": FloatFormat(
        np.dtype("<i2"), 0x7C00, lambda bits, out: np.copyto(out, bits.view("<f2"))
    ),
    "bfloat16": FloatFormat(np.dtype("<i2"), 0x7F80, _widen_bfloat16),
    "float32": FloatFormat(
        np.dtype("<i4"), 0x7F800000, lambda bits, out: np.copyto(out, bits.view("<f4"))
    ),
    "float64": FloatFormat(
        np.dtype("<i8"), 0x7FF00000_00000000, lambda bits, out: np.copyto(out, bits.view("<f8"))
    ),
}
COMPLEXES = {"complex64": "float32", "complex128": "float64"}
"""What their two parts are."""


class Floats:
    """Real floats. What is exact in integers is done in those, the rest in float64."""

    def __init__(self, form: FloatFormat, most: int) -> None:
        self.form = form
        room = min(BLOCK, most // form.bits.itemsize)
        self.magnitude = np.array((1 << 8 * form.bits.itemsize - 1) - 1, form.bits)
        self.least = np.array(1, form.bits)
        self.farthest = 0
        self.found: list[Tally] = []
        self.ints = [np.empty(room, form.bits) for _ in range(4)]
        self.reals = [np.empty(room) for _ in range(2)]

    def tallies(self) -> Sequence[Tally]:
        return self.found

    def add(self, one: Raw, other: Raw) -> None:
        a, b = one.view(self.form.bits), other.view(self.form.bits)
        tally = Tally()
        for start in range(0, a.size, BLOCK):
            self._add(a[start : start + BLOCK], b[start : start + BLOCK], tally)
        self.found.append(tally)

    def _add(self, a: Bits, b: Bits, tally: Tally) -> None:
        flips, one, other, larger = (scratch[: a.size] for scratch in self.ints)
        x, y = (scratch[: a.size] for scratch in self.reals)
        np.bitwise_xor(a, b, out=flips)
        differing = self._differing(flips)
        tally.elements += self._elements(a.size)
        tally.differing += differing
        self.form.widen(a, x)
        if not differing:
            tally.add_products(*[_dot(x, x)] * 3)
            return
        self.form.widen(b, y)
        products = _dot(x, x), _dot(x, y), _dot(y, y)
        tally.add_products(*products)
        np.bitwise_and(a, self.magnitude, out=one)
        np.bitwise_and(b, self.magnitude, out=other)
        np.maximum(one, other, out=larger)
        # An infinity or NaN is in some product; of float64, what is merely large may be as well.
        finite = larger
        if not all(map(math.isfinite, products)):
            finite = self._set_aside(flips, larger, x, y, tally)
        self.farthest = max(self.farthest, self._ulp(flips, one, other, larger))
        tally.max_ulp = self.farthest
        tally.add_gaps(*self._gaps(finite, x, y))

    def _set_aside(self, flips: Bits, larger: Bits, x: Reals, y: Reals, tally: Tally) -> Bits:
        """Tell what numbers that are not finite mean for the tally, and make them 0 in both.

        Returns the larger magnitudes after that.
        """
        special, differing = larger >= self.form.infinity, flips != 0
        if (self._any_part(special) & self._any_part(differing)).any():
            tally.comparable = False
        if (differing & (larger > self.form.infinity)).any():
            tally.ordered = False
        x[special] = y[special] = 0
        return np.where(special, 0, larger).astype(larger.dtype)

    def _ulp(self, flips: Bits, one: Bits, other: Bits, larger: Bits) -> int:
        """Most representable values between two numbers, where that may be more than before."""
        # Two numbers are at most twice the larger magnitude apart. Once some were found far away
        # on the other side of zero, that rules out nearly all others at little cost.
        if self.farthest > self.form.infinity // 2:
            rows = np.flatnonzero(larger > self.farthest // 2)
            if rows.size < flips.size // 8:
                return _ulp(flips[rows], one[rows], other[rows]) if rows.size else 0
        return _ulp(flips, one, other)

    def _gaps(self, larger: Bits, x: Reals, y: Reals) -> tuple[Reals, Reals]:
        """Absolute distance of each element, and the larger of its two magnitudes."""
        np.subtract(x, y, out=x)
        np.abs(x, out=x)
        # The smallest positive number in place of 0: the quotient is 0, not 0/0.
        np.maximum(larger, self.least, out=larger)
        self.form.widen(larger, y)
        return x, y

    def _differing(self, flips: Bits) -> int:
        return int(np.count_nonzero(flips))

    def _elements(self, numbers: int) -> int:
        return numbers

    def _any_part(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether it holds for a number of each element."""
        return mask


class Complexes(Floats):
    """Complex numbers: real and imaginary parts in turn, of which an element has two."""

    def _gaps(self, larger: Bits, x: Reals, y: Reals) -> tuple[Reals, Reals]:
        scales = np.maximum(_moduli(x), _moduli(y))
        np.subtract(x, y, out=x)
        gaps = _moduli(x)
        beyond = np.isinf(scales)
        gaps[beyond], scales[beyond] = math.inf, 1.0
        return gaps, np.maximum(scales, np.finfo(np.float64).smallest_subnormal)

    def _differing(self, flips: Bits) -> int:
        return int(np.count_nonzero(flips[::2] | flips[1::2]))

    def _elements(self, numbers: int) -> int:
        return numbers // 2

    def _any_part(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return mask[::2] | mask[1::2]


def _moduli(parts: Reals) -> Reals:
    return np.abs(parts.view(np.complex128))


def _ulp(flips: Bits, one: Bits, other: Bits) -> int:
    """Most representable values between two numbers, from the bits in which they differ and their
    magnitudes. `flips` and `one` are overwritten."""
    np.subtract(one, other, out=one)
    farthest = max(int(largest(one)), -int(smallest(one)))
    if smallest(flips) < 0:
        # Across zero the magnitudes add up, to one bit more than the signed type has.
        np.add(one, other, out=one)
        np.add(one, other, out=one)
        np.right_shift(flips, 8 * flips.itemsize - 1, out=flips)
        np.bitwise_and(flips, one, out=flips)
        farthest = max(farthest, int(largest(flips.view(_unsigned(flips)))))
    return farthest


def _unsigned(a: Bits) -> np.dtype[Any]:
    return np.dtype(f"<u{a.itemsize}")


# -- integers

INTEGERS = frozenset({"int16", "uint16", "int32", "uint32", "int64", "uint64"})


class Integers:
    """Integers of more than one byte. Their distance is exact up to the one rounding to float64."""

    def __init__(self, dtype: str) -> None:
        self.dtype = np.dtype(dtype).newbyteorder("<")
        self.found: list[Tally] = []

    def tallies(self) -> Sequence[Tally]:
        return self.found

    def add(self, one: Raw, other: Raw) -> None:
        a, b = one.view(self.dtype), other.view(self.dtype)
        tally = Tally()
        for start in range(0, a.size, BLOCK):
            self._add(a[start : start + BLOCK], b[start : start + BLOCK], tally)
        self.found.append(tally)

    def _add(self, a: Bits, b: Bits, tally: Tally) -> None:
        tally.elements += a.size
        tally.differing += int(np.count_nonzero(a != b))
        x, y = a.astype(np.float64), b.astype(np.float64)
        tally.add_products(_dot(x, x), _dot(x, y), _dot(y, y))
        unsigned = _unsigned(a)
        apart = np.maximum(a, b).view(unsigned) - np.minimum(a, b).view(unsigned)
        tally.max_ulp = max(tally.max_ulp, int(apart.max()))
        scales = np.maximum(np.maximum(np.abs(x), np.abs(y)), 1.0)
        tally.add_gaps(apart.astype(np.float64), scales)


# -- one byte


class Bytes:
    """Numbers of one byte: how often each pair of codes stands in the same place says it all."""

    def __init__(self, dtype: str, most: int) -> None:
        self.dtype = dtype
        room = min(BLOCK_BYTES, most)
        self.pairs = np.zeros(byte_formats.CODES**2, np.intp)
        """By the code in the one, times 256, plus that in the other."""
        self.twins = np.zeros(byte_formats.CODES**2, np.intp)
        """By two neighbours in what is equal in both: counting those is half the work."""
        self.index = np.empty(room, np.intp)
        self.codes = np.empty(room, np.uint16)

    def add(self, one: Raw, other: Raw) -> None:
        for start in range(0, one.size, BLOCK_BYTES):
            self._add(one[start : start + BLOCK_BYTES], other[start : start + BLOCK_BYTES])

    def _add(self, a: Raw, b: Raw) -> None:
        if a.size % 2 == 0 and np.array_equal(a, b):
            self._count(a.view(np.uint16), self.twins)
            return
        codes = self.codes[: a.size]
        np.copyto(codes, a)
        np.left_shift(codes, 8, out=codes)
        np.bitwise_or(codes, b, out=codes)
        self._count(codes, self.pairs)

    def _count(self, codes: NDArray[np.uint16], counts: NDArray[np.intp]) -> None:
        index = self.index[: codes.size]
        np.copyto(index, codes)
        counts += np.bincount(index, minlength=counts.size)

    def tallies(self) -> Sequence[Tally]:
        size = byte_formats.CODES
        pairs, twins = self.pairs.copy(), self.twins.reshape(size, size)
        pairs[:: size + 1] += twins.sum(axis=0) + twins.sum(axis=1)  # Each code with itself.
        seen = np.flatnonzero(pairs != 0)
        one, other = np.divmod(seen, size)
        counts = pairs[seen].astype(np.float64)
        values, ranks = byte_formats.values(self.dtype), byte_formats.ranks(self.dtype)
        x, y, differing = values[one], values[other], one != other
        special = ~(np.isfinite(x) & np.isfinite(y))
        nan = np.isnan(x) | np.isnan(y)
        tally = Tally(
            elements=int(counts.sum()),
            differing=int(counts[differing].sum()),
            comparable=not (special & differing).any(),
            ordered=not (nan & differing).any(),
            max_ulp=int(np.abs(ranks[one] - ranks[other])[differing].max(initial=0)),
            one_one=_dot(counts * x, x),
            one_other=_dot(counts * x, y),
            other_other=_dot(counts * y, y),
        )
        x[special] = y[special] = 0
        gaps, scales = np.abs(x - y), np.maximum(np.abs(x), np.abs(y))
        relative = np.divide(gaps, scales, out=np.zeros_like(gaps), where=scales > 0)
        tally.max_abs, tally.sum_abs = float(gaps.max()), _dot(counts, gaps)
        tally.max_rel, tally.sum_rel = float(relative.max()), _dot(counts, relative)
        return [tally]
