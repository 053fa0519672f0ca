"""A step packed for the page's drawing, and as a table."""

from __future__ import annotations

from typing import Any, cast

from nondet.report.page import timeline
from tests.report.inside import deep, moment, step, zoom


def packed(**changes: Any) -> dict[str, Any]:
    return cast(dict[str, Any], timeline.pack(zoom(**changes)))


def test_phases_follow_one_another_with_what_differs_in_them() -> None:
    found = packed()
    assert [tuple(stretch.values()) for stretch in found["stretches"]] == [
        ("state", "same bits", 1),
        ("batch", "same bits", 2),
        ("forward", "same bits", 15),
        ("loss", "same bits", 1),
        ("gradients", "1 of 33 differ", 33),
        ("updates", "1 of 18 differ", 18),
    ]
    assert sum(stretch["count"] for stretch in found["stretches"]) == len(found["names"])


def test_the_first_that_differs_has_its_name_and_facts() -> None:
    found = packed()
    place = found["first"]
    assert found["names"][place] == "Gradient of conv2d_3/kernel"
    assert found["facts"][found["fact"][place]] == "Conv2D, float32, 3×3×32×32"
    assert found["layers"][found["layer"][place]] == "conv2d_3"
    assert found["differs"].index(1) == place


def test_texts_are_packed_once() -> None:
    found = packed()
    assert len(found["facts"]) == len(set(found["facts"])) < len(found["names"])
    assert len(found["layers"]) == len(set(found["layers"]))


def test_without_a_difference_nothing_is_first() -> None:
    assert packed(moments=step())["first"] is None
    assert packed(moments=())["stretches"] == []


def test_phases_that_take_turns_a_few_times_keep_their_order() -> None:
    turns = tuple(
        moment(phase=phase, layer=model, differs=(model, phase) == ("b", "update"))
        for model in ("a", "b")
        for phase in ("forward", "gradient", "update")
    )
    found = packed(moments=turns)
    labels = [stretch["label"] for stretch in found["stretches"]]
    assert labels == ["forward", "gradients", "updates"] * 2
    assert found["stretches"][-1]["note"] == "differs"
    assert found["first"] == 5


def test_phases_that_take_turns_often_are_gathered() -> None:
    turns = tuple(
        moment(phase=phase, layer=f"l{n}", differs=n == 10)
        for n in range(20)
        for phase in ("gradient", "update")
    )
    found = packed(moments=turns)
    assert [stretch["count"] for stretch in found["stretches"]] == [20, 20]
    assert found["names"][found["first"]] == "Gradient of l10/kernel"


def test_counts_are_told_in_words() -> None:
    said = timeline.counts(zoom())
    assert said.startswith("state: same bits; batch: same bits; ")
    assert said.endswith("gradients: 1 of 33 differ; updates: 1 of 18 differ")


def test_a_table_holds_the_step_in_order() -> None:
    table = timeline.table(zoom())
    assert table.left_out == ""
    assert [number for number, _ in table.rows] == list(range(1, 71))
    assert [number for number, one in table.rows if one.differs] == [40, 65]


def test_a_long_table_is_cut_around_the_first_that_differs() -> None:
    many = step("gradient/block_30/layer_300/kernel", deep())
    table = timeline.table(zoom(moments=many))
    assert len(table.rows) == timeline.ROWS
    assert [one.differs for _, one in table.rows].index(True) == timeline.LEAD
    assert table.left_out.startswith(f"This table shows 200 of {len(many)} tensors")
    late = timeline.table(zoom(moments=step("update/block_49/layer_499/beta", deep())))
    assert late.rows[-1][0] == len(many)
