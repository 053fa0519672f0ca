"""Plots of a repetition as numbers: where dots, boxes and ticks lie."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nondet import spread
from nondet.repetition import Bootstrap, Summary
from nondet.report.repeat import plots

FAST = Bootstrap(seed=1, resamples=99, level=0.95)


def summary(values: list[float]) -> Summary:
    return spread.summarise(values, Summary(label="loss"), FAST)


def drawn(values: list[float]) -> ElementTree.Element:
    return ElementTree.fromstring(plots.distribution(values, summary(values)))


def marks(svg: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [element for element in svg if element.get("class") == kind]


def x(element: ElementTree.Element, name: str = "cx") -> float:
    return float(element.attrib[name].removesuffix("%"))


def test_every_run_is_a_dot_where_its_value_lies() -> None:
    svg = drawn([1.0, 2.0, 3.0])
    assert [x(dot) for dot in marks(svg, "dot")] == [2.0, 50.0, 98.0]


def test_equal_values_are_piled_up() -> None:
    dots = marks(drawn([1.0, 2.0, 2.0, 2.0]), "dot")
    heights = [float(dot.attrib["cy"]) for dot in dots if x(dot) == 98.0]
    assert len(heights) == 3
    assert heights == sorted(heights, reverse=True)
    assert len(set(heights)) == 3


def test_a_high_pile_is_pressed_together() -> None:
    svg = drawn([1.0] * 1000 + [2.0])
    assert len(marks(svg, "dot")) == 1001
    assert float(svg.attrib["height"]) < 200
    assert all(float(dot.attrib["cy"]) >= 0 for dot in marks(svg, "dot"))


def test_the_box_has_the_quartiles() -> None:
    values = [float(v) for v in range(101)]
    svg = drawn(values)
    (box,), (median,) = marks(svg, "box"), marks(svg, "median")
    assert x(box, "x") == pytest.approx(2 + 0.96 * 25)
    assert x(box, "width") == pytest.approx(0.96 * 50)
    assert x(median, "x1") == pytest.approx(50)
    whisker = marks(svg, "whisker")[0]
    assert [x(whisker, "x1"), x(whisker, "x2")] == pytest.approx([6.8, 93.2])


def test_values_that_are_all_equal_stand_in_the_middle() -> None:
    svg = drawn([0.25] * 5)
    assert {x(dot) for dot in marks(svg, "dot")} == {50.0}
    assert marks(svg, "mean-interval") == []


def test_nothing_is_drawn_of_nothing() -> None:
    assert plots.distribution([], summary([])) == ""
    assert plots.scale([]) is None


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_whatever_the_values_all_lies_within(values: list[float]) -> None:
    text = plots.distribution(values, summary(values))
    if not text:
        return
    for element in ElementTree.fromstring(text):
        for name in ("cx", "x", "x1", "x2"):
            if name in element.attrib:
                assert -0.01 <= x(element, name) <= 100.01


@given(st.floats(-1e6, 1e6), st.floats(1e-9, 1e6), st.sampled_from([2, 3, 5]))
def test_ticks_are_round_and_in_range(low: float, span: float, most: int) -> None:
    high = low + span
    if not high > low:
        return
    ticks = plots.nice(low, high, most)
    assert len(ticks) <= most + 2
    values = [value for value, _ in ticks]
    assert values == sorted(values)
    slack = span / 1e3 + 2 * math.ulp(max(abs(low), abs(high)))
    assert all(low - slack <= value <= high + slack for value in values)
    labels = [label for _, label in ticks]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.0, 1.0, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (-4.6, 3.1, ["-4", "-2", "0", "2"]),
        (0.0012, 0.0031, ["0.0015", "0.002", "0.0025", "0.003"]),
        (1e6, 3e6, ["1e6", "1.5e6", "2e6", "2.5e6", "3e6"]),
    ],
)
def test_labels_of_ticks(low: float, high: float, labels: list[str]) -> None:
    assert [label for _, label in plots.nice(low, high)] == labels


def test_values_that_differ_late_are_told_by_their_distance() -> None:
    labels = [label for _, label in plots.nice(0.98123456701, 0.98123456709)]
    assert re.fullmatch(r"0\.98\d+", labels[0])
    assert all(label.startswith("+") and "e-1" in label for label in labels[1:])


def test_a_share_and_its_interval() -> None:
    scale = plots.share_scale([1.6])
    svg = ElementTree.fromstring(plots.share(0.8, 0.4, 1.6, scale))
    (bar,) = marks(svg, "share")
    assert x(bar, "width") == pytest.approx(48)
    line = marks(svg, "spread")[0]
    assert [x(line, "x1"), x(line, "x2")] == pytest.approx([26, 98])
    assert x(marks(svg, "whole")[0], "x1") == pytest.approx(62)
    assert math.isclose(plots.share_scale([0.1]).high, 1.0)


def test_widths_of_bars() -> None:
    assert plots.bars((4, 2, 1)) == [100, 50, 25]
