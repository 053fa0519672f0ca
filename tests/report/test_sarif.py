"""SARIF: one finding for each line of a cause, valid, with nothing of the subject's left raw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec import structs

from nondet.record import Diagnosis, Site
from nondet.report import sarif
from tests.report import samples

# The schema that Microsoft's SARIF tools carry, whole (its licence lies beside it).
SCHEMA = Path(__file__).with_name("vendor") / "sarif-2.1.0.json"
VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def results(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    document = json.loads(sarif.render(diagnosis))
    found: list[dict[str, Any]] = document["runs"][0]["results"]
    return found


@pytest.mark.parametrize("name", sorted(samples.ALL))
def test_every_diagnosis_is_valid(name: str) -> None:
    document = json.loads(sarif.render(samples.ALL[name]()))
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    for result in run["results"]:
        assert result["message"]["text"]
        assert result["ruleId"] == rules[result["ruleIndex"]]


def test_the_schema_refuses_what_is_wrong() -> None:
    document = json.loads(sarif.render(samples.one_cause()))
    del document["runs"][0]["tool"]
    assert [error.message for error in VALIDATOR.iter_errors(document)]


def test_a_cause_is_found_at_each_of_its_lines() -> None:
    diagnosis = samples.three_causes()
    found = results(diagnosis)
    expected = {
        (cause.factor, site.file, site.line) for cause in diagnosis.causes for site in cause.sites
    }
    places = {
        (
            result["ruleId"],
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            result["locations"][0]["physicalLocation"]["region"]["startLine"],
        )
        for result in found
        if "locations" in result
    }
    assert places == expected
    nowhere = [cause.factor for cause in diagnosis.causes if not cause.sites]
    assert nowhere == [result["ruleId"] for result in found if "locations" not in result]
    assert len(found) == len(expected) + len(nowhere)
    assert {result["level"] for result in found} == {"error"}


def test_a_finding_stays_the_same_when_its_line_moves() -> None:
    diagnosis = samples.one_cause()
    (cause,) = diagnosis.causes
    site = cause.sites[0]
    moved = structs.replace(
        site,
        line=site.line + 7,
        source=tuple(structs.replace(s, number=s.number + 7) for s in site.source),
    )
    other = structs.replace(moved, file="other.py")
    prints = [
        sarif.result(cause.factor, "error", "x", one)["partialFingerprints"]
        for one in (site, moved, other)
    ]
    assert prints[0] == prints[1] != prints[2]


def test_a_line_of_a_notebook_is_named_by_its_cell_as_well() -> None:
    diagnosis = samples.one_cause()
    (cause,) = diagnosis.causes
    site = structs.replace(cause.sites[0], file="a.ipynb", line=40, cell=3, cell_line=5)
    other = structs.replace(site, cell=4)
    causes = (structs.replace(cause, sites=(site, other)),)
    document = json.loads(sarif.render(structs.replace(diagnosis, causes=causes)))
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []
    (first, second) = (result["locations"][0] for result in document["runs"][0]["results"])
    assert first["physicalLocation"]["region"] == {"startLine": 40}
    assert first["message"] == {"text": "cell 3, line 5"}
    assert second["logicalLocations"][0]["fullyQualifiedName"] == "a.ipynb cell 4, line 5"


def test_what_lies_dormant_is_a_warning() -> None:
    diagnosis = samples.stressed()
    assert diagnosis.stress is not None
    warnings = [r["ruleId"] for r in results(diagnosis) if r["level"] == "warning"]
    assert set(warnings) == {dormant.factor for dormant in diagnosis.stress.dormant}


@pytest.mark.parametrize(
    ("name", "rule"), [("unresolved", "unresolved"), ("broken", "broken"), ("refused", "refused")]
)
def test_what_no_factor_stands_for(name: str, rule: str) -> None:
    assert rule in {result["ruleId"] for result in results(samples.ALL[name]())}


def test_reproducible_has_no_finding() -> None:
    assert results(samples.reproducible()) == []


def test_paths_become_addresses() -> None:
    site = Site(file='a b/"ü".py', line=3, function="f")
    place = sarif.result("clock", "error", "x", site)["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {
        "uri": "a%20b/%22%C3%BC%22.py", "uriBaseId": "%SRCROOT%"
    }  # fmt: skip
    assert sarif.artifact("/tmp/x.py") == {"uri": "file:///tmp/x.py"}
