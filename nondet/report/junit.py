"""The diagnosis as JUnit XML: one test for the whole, one for each factor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from nondet.record import Diagnosis
from nondet.report.page.words import place

SUITE = "nondet"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no way to write."""


def render(diagnosis: Diagnosis) -> str:
    """The whole fails when runs differ, has an error when the script does not run, and is skipped
    when it is not sure. A factor fails when it is a cause, and is skipped when it was not tested.
    """
    cases = list(tests(diagnosis))
    suite = ElementTree.Element(
        "testsuite",
        name=SUITE,
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors=str(sum(case.find("error") is not None for case in cases)),
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
        time=f"{diagnosis.cost.wall_seconds:.3f}",
    )
    if diagnosis.started:
        suite.set("timestamp", diagnosis.started.partition("+")[0])
    suite.extend(cases)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def tests(diagnosis: Diagnosis) -> Iterator[ElementTree.Element]:
    whole = case(diagnosis, "reproducible", diagnosis.cost.wall_seconds)
    kind = {
        "reproducible": "",
        "causes-found": "failure",
        "unresolved": "failure",
        "unsure": "skipped",
        "broken": "error",
    }[diagnosis.verdict]
    if kind:
        add(whole, kind, diagnosis.summary, diagnosis.error.traceback if diagnosis.error else "")
    yield whole
    told = {cause.factor for cause in diagnosis.causes}
    for cause in diagnosis.causes:
        failed = case(diagnosis, cause.factor)
        places = "\n".join(dict.fromkeys(f"{place(site)} {site.detail}" for site in cause.sites))
        message = cause.because or cause.title
        add(failed, "failure", message, "\n\n".join(filter(None, (places, cause.advice))))
        yield failed
    for cleared in diagnosis.cleared:
        if cleared.factor not in told:
            told.add(cleared.factor)
            yield case(diagnosis, cleared.factor)
    for item in diagnosis.not_tested:
        if item.factor in told:
            continue
        told.add(item.factor)
        skipped = case(diagnosis, item.factor)
        add(skipped, "skipped", item.why, "")
        yield skipped


def case(diagnosis: Diagnosis, name: str, seconds: float = 0.0) -> ElementTree.Element:
    return ElementTree.Element(
        "testcase",
        classname=writable(diagnosis.subject.script),
        name=name,
        time=f"{seconds:.3f}",
    )


def add(test: ElementTree.Element, kind: str, message: str, text: str) -> None:
    found = ElementTree.SubElement(test, kind, message=writable(message))
    if kind != "skipped":
        found.set("type", "nondet")
    found.text = writable(text) or None


def writable(text: str) -> str:
    """The text with what XML can't hold written out as an escape."""
    return _NOT_XML.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
