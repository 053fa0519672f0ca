"""The table of docs/reliability.md says what the results say."""

from __future__ import annotations

import importlib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.benchmarks import large
from tests.benchmarks.reliability import FAULTS, PAGE, SOAKS, Fault, page, row, soak

FAULT = Fault("trouble", "tests.a", "test_b", "all is well")
CASES = [
    ElementTree.fromstring(text)
    for text in (
        '<testcase classname="tests.a" name="test_b[1]"/>',
        '<testcase classname="tests.a" name="test_b[2]"/>',
        '<testcase classname="tests.a" name="test_c"><failure/></testcase>',
        '<testcase classname="tests.other" name="test_b"><failure/></testcase>',
    )
]
FAILED = ElementTree.fromstring(
    '<testcase classname="tests.a" name="test_b[3]"><failure/></testcase>'
)
SKIPPED = ElementTree.fromstring(
    '<testcase classname="tests.a" name="test_b[4]"><skipped/></testcase>'
)


def test_a_row_counts_its_own_tests() -> None:
    assert row(FAULT, CASES) == "| trouble | 2 | all is well |"
    assert row(FAULT, [*CASES, FAILED]) == "| trouble | 3 | 1 fail |"
    assert row(FAULT, [*CASES, SKIPPED]) == "| trouble | 2 | all is well (1 can't be tried here) |"
    assert row(FAULT, []) == "| trouble | 0 | not tried |"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.text)
def test_every_fault_has_tests(fault: Fault) -> None:
    assert any(name.startswith(fault.start) for name in dir(importlib.import_module(fault.module)))


def test_a_soak_s_line_is_its_last(tmp_path: Path) -> None:
    (tmp_path / "killing.log").write_text("| a | b |\nsome text\n| kills | 3 | none |\n")
    assert soak("killing", (), tmp_path) == "| kills | 3 | none |"
    (tmp_path / "large.log").write_text("Traceback\n")
    assert soak("large", (), tmp_path) == "| large | 0 | did not run |"


def test_the_page_has_a_row_for_each() -> None:
    text = PAGE.read_text()
    assert page("X").count("X\n<!--") == 1
    for fault in FAULTS:
        assert f"| {fault.text} | " in text
    table = text.partition("<!-- table -->")[2].partition("<!-- end")[0]
    assert table.count("\n|") == 2 + len(FAULTS) + len(SOAKS)
    for bad in (" fail", "| did not run", "| not tried", "not linear"):
        assert bad not in table


@pytest.mark.parametrize(
    ("case", "size"), [("trials", 20), ("variables", 50), ("steps", 100), ("weights", 1)]
)
def test_what_is_measured_of_large_diagnoses_works(case: str, size: int) -> None:
    events, seconds = large.CASES[case][0](size)
    assert events >= size
    assert seconds >= 0
