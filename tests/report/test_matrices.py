"""Differences packed for the charts and cut for the tables."""

from __future__ import annotations

import base64
import math
import zlib
from typing import Any, cast

import numpy as np
import pytest

from nondet.record import Differences
from nondet.report.page import matrices
from tests.report import parts


def small(**changes: Any) -> Differences:
    """Two tensors, three checkpoints: equal, unknown, and 1e-8 to 1e-2 apart."""
    known: dict[str, Any] = {
        "trials": ("a", "b"),
        "model": "m",
        "tensors": ("k", "b"),
        "checkpoints": ("init", "epoch 1", "epoch 2"),
        "max_abs": ((0.0, 1e-8, 1e-2), (0.0, None, 1e-5)),
        "max_rel": ((None,) * 3,) * 2,
        "max_ulp": ((0, 1, 2**63), (0, None, 1000)),
        "differs": ((False, True, True), (False, True, True)),
    }
    return Differences(**(known | changes))


def unpacked(packed: dict[str, Any], unit: str) -> list[float]:
    """Values as the page's scripts read them."""
    scale = packed["units"][unit]
    kind = "<u2" if packed["bits"] == 16 else "u1"
    codes = np.frombuffer(zlib.decompress(base64.b64decode(scale["data"])), dtype=kind)
    top = 2 ** packed["bits"] - 1
    ratio = scale["high"] / scale["low"]

    def value(code: int) -> float:
        if code in (0, top):
            return math.nan if code else 0.0
        return cast(float, scale["low"] * ratio ** ((code - 1) / (top - 2)))

    return [value(int(code)) for code in codes]


def test_packed_values_come_back_within_a_thousandth() -> None:
    packed = matrices.pack(small())
    assert packed["parting"] == 1
    assert packed["bits"] == 16
    expected = [0, 1e-8, 1e-2, 0, math.nan, 1e-5]
    assert unpacked(packed, "abs") == pytest.approx(expected, rel=1e-3, nan_ok=True)
    assert unpacked(packed, "ulp")[2] == pytest.approx(2.0**63, rel=1e-3)
    assert "rel" not in cast(dict[str, Any], packed["units"])


def test_bits_may_differ_where_numbers_do_not() -> None:
    found = small(max_abs=((0.0, 0.0, 1e-3), (0.0, 0.0, 0.0)))
    assert unpacked(matrices.pack(found), "abs")[1] > 0


def test_without_measures_the_map_still_shows_what_differs() -> None:
    nothing = ((None,) * 3,) * 2
    found = small(max_abs=nothing, max_ulp=nothing)
    assert matrices.units(found) == []
    assert math.isnan(unpacked(matrices.pack(found), "abs")[1])
    assert [table.rows[0] for table in matrices.tables(found)] == [
        ("k", ["=", "differs", "differs"])
    ]


def test_no_difference_and_no_tensor() -> None:
    same = ((0.0,) * 3,) * 2
    equal = small(max_abs=same, differs=((False,) * 3,) * 2)
    assert matrices.parting(equal) is None
    assert matrices.pack(equal)["units"] == {}
    empty = small(tensors=(), max_abs=(), max_rel=(), max_ulp=(), differs=())
    assert matrices.pack(empty)["units"] == {}


def test_infinite_distances_count_as_not_measured() -> None:
    found = small(max_abs=((0.0, math.inf, 1e-2), (0.0, None, 1e-5)))
    assert math.isnan(unpacked(matrices.pack(found), "abs")[1])
    assert matrices.tables(found)[-1].rows[0][1][1] == "differs"


def test_tables_hold_exact_numbers() -> None:
    ulp = next(table for table in matrices.tables(small()) if table.title == "ULP distances")
    assert ulp.rows == [("k", ["=", "1", str(2**63)]), ("b", ["=", "differs", "1000"])]
    assert ulp.left_out == ""


def test_the_share_of_elements_that_differ_is_one_more_unit() -> None:
    found = small(share=((0.0, 0.25, 1.0), (0.0, None, 1e-3)))
    assert matrices.units(found)[-1] == ("share", "share of elements")
    expected = [0, 0.25, 1, 0, math.nan, 1e-3]
    assert unpacked(matrices.pack(found), "share") == pytest.approx(expected, 1e-3, nan_ok=True)
    table = matrices.tables(found)[-1]
    assert table.title == "shares of elements"
    assert table.cell == "the share of the elements whose bits differ"
    assert table.rows == [("k", ["=", "0.25", "1"]), ("b", ["=", "differs", "0.001"])]
    assert "share" not in dict(matrices.units(small()))


def test_large_tables_say_what_they_leave_out() -> None:
    names = tuple(f"layer_{n}/kernel" for n in range(300))
    moments = tuple(f"epoch {n}" for n in range(1, 501))
    found = parts.differences(start=200, rate=0.01, tensors=names, checkpoints=moments)
    table = matrices.tables(found)[0]
    assert len(table.rows) == matrices.ROWS
    assert len(table.columns) == matrices.COLUMNS
    assert table.columns[:2] == ["epoch 200", "epoch 201"]
    assert table.columns[-1] == "epoch 500"
    assert table.left_out.startswith("This table shows 100 of 300 tensors")
    assert matrices.pack(found)["bits"] == 8


def test_differing_tensors_are_shown_before_equal_ones() -> None:
    count = matrices.ROWS + 20
    flags = tuple((row >= count - 5,) for row in range(count))
    values = tuple((1e-6 if flag else 0.0,) for (flag,) in flags)
    found = small(
        tensors=tuple(f"t{row}" for row in range(count)),
        checkpoints=("init",),
        max_abs=values,
        max_rel=values,
        max_ulp=tuple((int(flag),) for (flag,) in flags),
        differs=flags,
    )
    shown = [name for name, _ in matrices.tables(found)[0].rows]
    assert shown[-5:] == [f"t{row}" for row in range(count - 5, count)]
