"""The table of docs/reliability.md says what the results say."""

from __future__ import annotations

import importlib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.benchmarks import reliability, suite
from tests.benchmarks.large import __main__ as large
from tests.benchmarks.large.cases import CASES, PIECE
from tests.benchmarks.reliability import FAILED, FAULTS, PAGE, SOAKS, Fault, Soak, page, row, soaked

FAULT = Fault("trouble", "tests.a", "test_b", "all is well")
LISTED = [
    ElementTree.fromstring(text)
    for text in (
        '<testcase classname="tests.a" name="test_b[1]"/>',
        '<testcase classname="tests.a" name="test_b[2]"/>',
        '<testcase classname="tests.a" name="test_c"><failure/></testcase>',
        '<testcase classname="tests.other" name="test_b"><failure/></testcase>',
    )
]
FAILURE = ElementTree.fromstring(
    '<testcase classname="tests.a" name="test_b[3]"><failure/></testcase>'
)
SKIPPED = ElementTree.fromstring(
    '<testcase classname="tests.a" name="test_b[4]"><skipped/></testcase>'
)


def test_a_row_counts_its_own_tests() -> None:
    assert row(FAULT, LISTED) == "| trouble | 2 | all is well |"
    assert row(FAULT, [*LISTED, FAILURE]) == "| trouble | 3 | FAILED: 1 tests |"
    assert row(FAULT, [*LISTED, SKIPPED]) == "| trouble | 2 | all is well (1 can't be tried here) |"
    assert row(FAULT, [SKIPPED]) == "| trouble | 0 | not tried (1 can't be tried here) |"
    assert row(FAULT, []) == "| trouble | 0 | FAILED: there is no such test |"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.text)
def test_every_fault_has_tests(fault: Fault) -> None:
    names = dir(importlib.import_module(fault.module))
    for start in (fault.start,) if isinstance(fault.start, str) else fault.start:
        assert any(name.startswith(start) for name in names), start


SOAK = Soak("kills", ("killing",), "kills", 3, "all the same")
GOOD = "| kills | 3 | all the same; 2 beside |"


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (f"| 1 | none |\n{GOOD}\nexit code 0\n", GOOD),
        (f"{GOOD}\n", GOOD),
        (f"{GOOD}\nexit code 1\n", "FAILED: exit code 1, all the same; 2 beside"),
        ("| kills | 2 | all the same |\nexit code 0\n", "FAILED: exit code 0, all the same"),
        ("| kills | 3 | 1 with faults |\n", "FAILED: exit code 0, 1 with faults"),
        ("| kills | 3 | FAILED: 1 of 3 |\nexit code 1\n", "| kills | 3 | FAILED: 1 of 3 |"),
        ("| 1 | draws | none |\nexit code 1\n", "| kills | 0 | FAILED: no result, exit code 1 |"),
    ],
)
def test_a_soak_s_row_is_its_own_and_good(tmp_path: Path, log: str, line: str) -> None:
    (tmp_path / "kills.log").write_text(log)
    assert line in soaked(SOAK, tmp_path)


@pytest.mark.parametrize("code", [0, 1])
def test_what_fails_ends_with_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    for name in ("FAULTS", "SOAKS"):
        monkeypatch.setattr(reliability, name, (FAULT,) if name == "FAULTS" else (SOAK,))
    monkeypatch.setattr(reliability, "PAGE", tmp_path / "page.md")
    (tmp_path / "page.md").write_text("<!-- table -->\n<!-- end of the table -->\n")
    monkeypatch.setattr("sys.argv", ["reliability", "--logs", str(tmp_path)])
    cases = '<a><testcase classname="tests.a" name="test_b"/></a>'
    (tmp_path / "tests.xml").write_text(cases)
    (tmp_path / "kills.log").write_text(f"{GOOD}\nexit code {code}\n")
    assert reliability.main() == code
    assert (FAILED in (tmp_path / "page.md").read_text()) == bool(code)


def test_the_page_has_a_row_for_each() -> None:
    text = PAGE.read_text()
    assert page("X").count("X\n<!--") == 1
    for fault in FAULTS:
        assert f"| {fault.text} | " in text
    table = text.partition("<!-- table -->")[2].partition("<!-- end")[0]
    # The suite that this test is of has its own row once it has passed.
    had = [soak for soak in SOAKS if soak.text != suite.TEXT or f"| {soak.text} | " in text]
    assert table.count("\n|") == 2 + len(FAULTS) + len(had)
    for soak in had:
        assert f"| {soak.text} | " in text
    assert FAILED not in table
    assert "not tried" not in table


@pytest.mark.parametrize(
    ("case", "size", "least"),
    [("trials", 8, 16), ("variables", 50, 2000), ("steps", 1200, 2400), ("snapshots", 1, 1)],
)
def test_what_is_measured_of_large_diagnoses_works(case: str, size: int, least: int) -> None:
    """Each case looks at what comes of it."""
    events, seconds = CASES[case].measure(size)
    assert events >= least
    assert seconds > 0


@pytest.mark.long
def test_large_weights_in_real_trials_work() -> None:
    events, _ = CASES["weights"].measure(2 * PIECE)
    assert events >= 3 * 2 * PIECE


def measured(events: int, seconds: float, mebibytes: int) -> large.Measured:
    return large.Measured(events, seconds, mebibytes << 20)


def test_large_diagnoses_are_judged() -> None:
    case = CASES["steps"]
    small = measured(1000, 0.01, 50)
    well = measured(10_000, 0.19, case.most)
    assert large.faults(case, [small, well]) == []
    row = large.line({"steps": [small, well]})
    assert row.startswith(f"| large: the host's memory | 1 | {large.GOOD}; {case.text}: ")
    assert row.endswith(": 256 MiB of at most 256, 19.0 µs for each event |")
    quadratic, fat = measured(10_000, 1.0, 50), measured(10_000, 0.1, case.most + 1)
    assert large.faults(case, [small, quadratic]) == [
        f"{case.text}: 10.0 times the time for each event"
    ]
    assert large.faults(case, [small, fat]) == [f"{case.text}: 257 MiB of 256"]
    assert "| FAILED: " in large.line({"steps": [small, fat]})


@pytest.mark.parametrize(
    ("code", "minutes", "cores", "outcome"),
    [
        (0, 14.0, 2, f"{suite.GOOD}; 14.0 minutes on 2 cores, 1 skipped"),
        (1, 14.0, 2, "FAILED: pytest ended with 1; 14.0 minutes on 2 cores, 1 skipped"),
        (0, 15.5, 2, "FAILED: longer than 15 minutes; 15.5 minutes on 2 cores, 1 skipped"),
        (0, 15.5, 4, f"{suite.GOOD}; 15.5 minutes on 4 cores, 1 skipped"),
    ],
)
def test_the_suite_s_time_is_judged(code: int, minutes: float, cores: int, outcome: str) -> None:
    cases = [LISTED[0], SKIPPED]
    assert suite.line(cases, code, minutes, cores) == f"| {suite.TEXT} | 1 | {outcome} |"
