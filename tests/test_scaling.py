"""The page docs/scaling.md is what its benchmark makes, and the benchmark measures what it says."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from tests.benchmarks.scaling import axes
from tests.benchmarks.scaling.axes import AXES, Axis
from tests.benchmarks.scaling.fitting import growth, power, shown
from tests.benchmarks.scaling.page import TEXT, at_target, page, rough, summary, table, wall

PAGE = Path(__file__).resolve().parent.parent / "docs" / "scaling.md"


def linear(axis: Axis) -> dict[int, dict[str, float]]:
    """As if every quantity were the size itself."""
    return {size: dict.fromkeys(axis.quantities, float(size)) for size in axis.sizes}


def firsts(lines: str) -> list[str]:
    """The first cell of each row of a table."""
    return [line.split(" | ")[0] for line in lines.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.name)
def test_the_smallest_size_is_measured(axis: Axis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(axes, "POOL", 1_000_000)
    monkeypatch.setattr(axes, "CASES", 1)
    found = axis.measure(axis.sizes[0])
    assert list(found) == list(axis.quantities)
    assert all(value >= 0 for value in found.values())
    assert table(axis, {axis.sizes[0]: found}).count("\n") == 4 + (axis.target != axis.sizes[0])


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.name)
def test_the_page_has_every_size_of_an_axis(axis: Axis) -> None:
    _, heading, rest = PAGE.read_text().partition(f"### {axis.title}\n\n{axis.text}\n\n")
    assert heading
    assert firsts(rest.partition("\n\n")[0]) == firsts(table(axis, linear(axis)))
    assert f"| {axis.title} | {power(axis.target)}, " in PAGE.read_text()


def test_the_page_s_words_are_the_benchmark_s() -> None:
    written, made = PAGE.read_text(), page({axis.name: linear(axis) for axis in AXES})
    place = [0, 0]
    for literal in re.split(r"\{[^{}]*\}", TEXT):
        for i, text in enumerate((written, made)):
            assert literal in text[place[i] :]
            place[i] = text.index(literal, place[i]) + len(literal)


def test_every_axis_is_in_the_summary() -> None:
    rows = summary({axis.name: linear(axis) for axis in AXES})
    assert firsts(rows)[2:] == [f"| {axis.title}" for axis in AXES]
    by_name = {axis.name: axis for axis in AXES}
    assert "10^4, measured" not in rows and "10,000, measured" in rows
    name, size = wall(by_name["trials"], linear(by_name["trials"]))
    assert name == "host's time"
    assert size == pytest.approx(3600)
    assert at_target(by_name["parameters"], linear(by_name["parameters"]))[
        "sha256"
    ] == pytest.approx(1e11)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 3.0])
def test_a_power_law_is_found_again(exponent: float) -> None:
    # Below the largest sizes, fixed costs.
    law = growth({1: 99.0, 10: 3 * 10**exponent, 100: 3 * 100**exponent, 1000: 3 * 1000**exponent})
    assert law.exponent == pytest.approx(exponent)
    assert law.at(1e6) == pytest.approx(3 * 1e6**exponent)
    if exponent:
        assert law.at(law.reaches(1e12)) == pytest.approx(1e12)
    else:
        assert law.reaches(1e12) == math.inf


def test_one_size_and_nothing_measured_make_no_law() -> None:
    assert growth({10: 5.0}).at(1000) == 5.0
    assert growth({10: 0.0, 100: 0.0}).exponent == 0.0


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0.0, "time", "0 µs"),
        (2.5e-6, "time", "2.5 µs"),
        (0.0421, "time", "42 ms"),
        (90.0, "time", "1.5 min"),
        (7e5, "time", "8.1 d"),
        (512, "bytes", "512 B"),
        (4e11, "bytes", "400 GB"),
        (2.5e18, "bytes", "2,500 PB"),
        (32.4, "count", "32"),
        (1450.0, "count", "1,450"),
    ],
)
def test_how_values_are_shown(value: float, kind: str, text: str) -> None:
    assert shown(value, kind) == text


def test_how_sizes_are_shown() -> None:
    assert [power(size) for size in (1, 1000, 10_000, 10**11, 2_000_000)] == [
        *("1", "1,000", "10,000", "10^11"),
        "2,000,000",
    ]
    assert [rough(size) for size in (7.3, 4321.0, 2.6e9)] == ["7", "4,000", "2·10^9"]
