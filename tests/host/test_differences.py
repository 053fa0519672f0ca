from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nondet.host import differences

WIDTHS = {"float16": 16, "float32": 32, "float64": 64}


def steps_between(a: Any, b: Any) -> int:
    """ULP distance by walking from one float to the next."""
    low, high = sorted([a, b])
    count = 0
    while low < high:
        low = np.nextafter(low, high)
        count += 1
    return count


@given(st.floats(width=16, allow_nan=False, allow_infinity=False), st.integers(-40, 40))
def test_ulp_counts_representable_values_through_zero(value: float, away: int) -> None:
    a = np.float16(value)
    b = a
    for _ in range(abs(away)):
        b = np.nextafter(b, np.float16(math.copysign(np.inf, away)))
    assume(np.isfinite(b))
    found = differences.ulp(np.array([a]), np.array([b]))
    assert found == steps_between(a, b)


@pytest.mark.parametrize("dtype", WIDTHS)
def test_distances_at_the_edges(dtype: str) -> None:
    kind = np.dtype(dtype).type
    tiny, big = np.finfo(kind).smallest_subnormal, np.finfo(kind).max
    assert differences.ulp(np.array([-tiny]), np.array([tiny])) == 2
    assert differences.ulp(np.array([kind(-0.0)]), np.array([kind(0.0)])) == 0
    assert differences.ulp(np.array([big]), np.array([kind(np.inf)])) == 1
    whole = differences.ulp(np.array([kind(-np.inf)]), np.array([kind(np.inf)]))
    exponent = {"float16": 0x7C00, "float32": 0x7F800000, "float64": 0x7FF0000000000000}[dtype]
    assert whole == 2 * exponent
    assert differences.ulp(np.array([kind(np.nan)]), np.array([kind(1)])) is None


def test_equal_bits_are_no_distance_apart_nan_or_not() -> None:
    a = np.array([np.nan, np.inf, -0.0, 1.0], "float32")
    assert differences.between(a, a.copy()) == (0.0, 0.0, 0)


def test_absolute_and_relative() -> None:
    a, b = np.array([1.0, 100.0], "float32"), np.array([1.5, 100.0], "float32")
    found = differences.between(a, b)
    assert found[0] == 0.5
    assert found[1] == pytest.approx(1 / 3)
    assert differences.between(np.array([np.nan], "float32"), np.array([1.0], "float32")) == (
        None,
        None,
        None,
    )
    assert differences.between(np.array([np.inf], "float32"), np.array([1.0], "float32"))[0] is None


def test_integers_are_apart_by_ones() -> None:
    a, b = np.array([-128, 5], "int8"), np.array([127, 5], "int8")
    assert differences.between(a, b)[2] == 255
    assert differences.between(np.array([250], "uint8"), np.array([1], "uint8"))[2] == 249


def test_bfloat16_is_counted_in_its_own_ulp(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(np.array([0x3F80, 0x0000], "uint16").tobytes())
    (tmp_path / "b").write_bytes(np.array([0x3F83, 0x8001], "uint16").tobytes())
    assert differences.distance(tmp_path, "a", "b", "bfloat16")[2] == 3


def test_values_that_were_not_kept_have_no_distance(tmp_path: Path) -> None:
    assert differences.distance(tmp_path, "a", "b", "float32") == differences.NOTHING
    assert differences.distance(tmp_path, "a", "a", "float32") == differences.EQUAL
