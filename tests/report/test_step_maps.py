"""Maps of tensors and steps, packed for the page and as a table."""

from __future__ import annotations

import base64
import zlib
from typing import Any, cast

from nondet.record import StepMap
from nondet.report.page import step_maps
from tests.report.inside import step_map

SMALL = StepMap(
    trials=("t01", "t02"),
    model="m",
    tensors=("a", "b", "c"),
    steps=(1, 2, 4),
    differs=("000", "011", "111"),
)


def test_cells_come_back() -> None:
    found = cast(dict[str, Any], step_maps.pack(SMALL))
    assert found["checkpoints"] == ["step 1", "step 2", "step 4"]
    assert found["parting"] == 0
    assert found["bits"] == 8
    data = zlib.decompress(base64.b64decode(found["units"]["bits"]["data"]))
    assert list(data) == [0, 0, 0, 0, 255, 255, 255, 255, 255]


def test_the_table_says_from_which_step_on() -> None:
    assert step_maps.table(SMALL).rows == [
        ("c", "step 1", "3 of 3"),
        ("b", "step 2", "2 of 3"),
        ("a", "never", "0 of 3"),
    ]
    assert step_maps.table(SMALL).left_out == ""


def test_a_long_table_shows_those_that_differ_first() -> None:
    table = step_maps.table(step_map([f"t{n}" for n in range(500)], start=17))
    assert len(table.rows) == step_maps.ROWS
    assert table.rows[0] == ("t0", "step 17", "104 of 120")
    assert table.left_out.startswith("This table shows 100 of 500 tensors")


def test_no_difference_and_nothing_at_all() -> None:
    same = StepMap(trials=("a", "b"), model="m", tensors=("k",), steps=(1, 2), differs=("00",))
    assert step_maps.pack(same)["parting"] is None
    empty = StepMap(trials=("a", "b"), model="m", tensors=(), steps=(), differs=())
    assert step_maps.pack(empty)["parting"] is None
    assert step_maps.table(empty).rows == []
