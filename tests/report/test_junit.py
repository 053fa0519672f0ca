"""JUnit XML: what CI systems count as passed, failed and skipped."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from msgspec import structs

from nondet.record import Diagnosis
from nondet.report import junit
from tests.report import samples


def suite(diagnosis: Diagnosis) -> ElementTree.Element:
    root = ElementTree.fromstring(junit.render(diagnosis).encode())
    assert root.tag == "testsuites"
    (found,) = root
    return found


def outcome(case: ElementTree.Element) -> str:
    return case[0].tag if len(case) else "passed"


@pytest.mark.parametrize("name", sorted(samples.ALL))
def test_every_diagnosis_is_told_whole(name: str) -> None:
    diagnosis = samples.ALL[name]()
    found = suite(diagnosis)
    outcomes = {case.get("name"): outcome(case) for case in found}
    assert len(outcomes) == len(found) == int(found.get("tests", ""))
    for cause in diagnosis.causes:
        assert outcomes[cause.factor] == "failure"
    guilty = {cause.factor for cause in diagnosis.causes}
    for cleared in diagnosis.cleared:
        assert outcomes[cleared.factor] == "passed" or cleared.factor in guilty
    for item in diagnosis.not_tested:
        assert outcomes[item.factor] == "skipped"
    for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert int(found.get(count, "")) == list(outcomes.values()).count(tag)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("reproducible", "passed"),
        ("one_cause", "failure"),
        ("unresolved", "failure"),
        ("unsure", "skipped"),
        ("broken", "error"),
    ],
)
def test_the_verdict_is_a_test_of_its_own(name: str, expected: str) -> None:
    assert outcome(suite(samples.ALL[name]())[0]) == expected


def test_a_failure_names_the_lines() -> None:
    diagnosis = samples.one_cause()
    (cause,) = diagnosis.causes
    case = next(case for case in suite(diagnosis) if case.get("name") == cause.factor)
    assert f"{cause.sites[0].file}:{cause.sites[0].line}" in (case[0].text or "")
    assert case[0].get("message") == (cause.because or cause.title)


def test_what_xml_can_not_hold_is_written_out() -> None:
    diagnosis = structs.replace(samples.unresolved(), summary='a\x00\ud800 <b> & "c" ]]>')
    message = suite(diagnosis)[0][0].get("message")
    assert message == 'a\\x00\\xd800 <b> & "c" ]]>'
