"""How far two trials are apart: absolute, relative and in ULP, from the values that were kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Distance = tuple[float | None, float | None, int | None]
"""(largest absolute, largest relative, largest ULP distance); None where it has no meaning."""

NOTHING: Distance = (None, None, None)
EQUAL: Distance = (0.0, 0.0, 0)
FLOATS: dict[str, np.dtype[Any]] = {
    "float16": np.dtype("<f2"),
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
}
CHUNK = 1 << 22
"""Elements compared at a time, so that memory stays bounded whatever the tensor's size."""


def distance(store: Path, one: str, other: str, dtype: str) -> Distance:
    """Distance between two stored tensors of the same dtype and shape, by digest."""
    if one == other:
        return EQUAL
    try:
        a, b = load(store / one, dtype), load(store / other, dtype)
    except (OSError, ValueError, TypeError):
        return NOTHING
    if a.shape != b.shape or not a.size:
        return NOTHING
    worst: list[Any] = [0.0, 0.0, 0]
    for start in range(0, a.size, CHUNK):
        found = between(a[start : start + CHUNK], b[start : start + CHUNK])
        worst = [
            None if w is None or f is None else max(w, f) for w, f in zip(worst, found, strict=True)
        ]
    if dtype == "bfloat16" and worst[2] is not None:
        worst[2] >>= 16
    return worst[0], worst[1], worst[2]


def load(path: Path, dtype: str) -> NDArray[Any]:
    """A stored tensor, flat. bfloat16 is widened to float32, which is exact."""
    if dtype == "bfloat16":
        raw = np.fromfile(path, dtype="<u2")
        return (raw.astype(np.uint32) << 16).view(np.float32)
    kind: np.dtype[Any] = FLOATS[dtype] if dtype in FLOATS else np.dtype(dtype)
    return np.fromfile(path, dtype=kind)


def between(a: NDArray[Any], b: NDArray[Any]) -> Distance:
    """Distances between two flat arrays of equal size and dtype.

    Where an element is not finite in one of them, the absolute and relative distances have no
    number: None, unless the bits agree. ULP distance counts representable values between the two,
    through zero; to a NaN it is None.
    """
    different = a.view(np.uint8).reshape(a.size, -1) != b.view(np.uint8).reshape(b.size, -1)
    rows = different.any(axis=1)
    if not rows.any():
        return EQUAL
    a, b = a[rows], b[rows]
    if a.dtype.kind not in "fiu":
        return NOTHING
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    if not (np.isfinite(wide_a).all() and np.isfinite(wide_b).all()):
        return None, None, ulp(a, b)
    gap = np.abs(wide_a - wide_b)
    scale = np.maximum(np.abs(wide_a), np.abs(wide_b))
    relative = np.divide(gap, scale, out=np.zeros_like(gap), where=scale > 0)
    return float(gap.max()), float(relative.max()), ulp(a, b)


def ulp(a: NDArray[Any], b: NDArray[Any]) -> int | None:
    """Largest distance in units in the last place; for integers, in ones."""
    one, other = a, b
    if a.dtype.kind == "f":
        if np.isnan(a).any() or np.isnan(b).any():
            return None
        one, other = ordered_bits(a), ordered_bits(b)
    low, high = np.minimum(one, other), np.maximum(one, other)
    # The distance may need one bit more than the signed type has; as unsigned it fits.
    return int((high.view(_unsigned(high)) - low.view(_unsigned(low))).max())


def ordered_bits(a: NDArray[Any]) -> NDArray[Any]:
    """Integers in the order of the floats, with both zeros at 0 and neighbours one apart."""
    signed = a.view(np.dtype(f"<i{a.dtype.itemsize}"))
    lowest = np.iinfo(signed.dtype).min
    return np.where(signed < 0, lowest - signed, signed)


def _unsigned(a: NDArray[Any]) -> np.dtype[Any]:
    return np.dtype(f"<u{a.dtype.itemsize}")
