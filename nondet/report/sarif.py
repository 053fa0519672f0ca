"""The diagnosis as SARIF 2.1.0: a finding at the line of each cause, for code scanning."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from nondet import record
from nondet.record import Cause, Diagnosis, Dormant, Site
from nondet.report.page.words import clause

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
UNRESOLVED, BROKEN, REFUSED = "unresolved", "broken", "refused"
"""Rules beside the factors: what no factor explains, what does not run, what has no deterministic
kernel."""
RULES = {
    UNRESOLVED: "The runs differ, and no cause was found",
    BROKEN: "The script does not run",
    REFUSED: "An operation refuses deterministic mode",
}


def render(diagnosis: Diagnosis) -> str:
    """One run of one tool. Paths are relative to the subject's folder where they lie in it."""
    results = list(findings(diagnosis))
    used = list(dict.fromkeys(result["ruleId"] for result in results))
    for result in results:
        result["ruleIndex"] = used.index(result["ruleId"])
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "nondet",
                "version": diagnosis.nondet,
                "rules": [rule(diagnosis, name) for name in used],
            }
        },
        "invocations": [
            {
                "executionSuccessful": diagnosis.error is None,
                "exitCodeDescription": diagnosis.verdict,
            }
        ],
        "results": results,
        # Some readers count in UTF-16; nothing here is a column.
        "columnKind": "unicodeCodePoints",
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def findings(diagnosis: Diagnosis) -> Iterator[dict[str, Any]]:
    """A result for every line of every cause; one without a place where none is known."""
    for cause in diagnosis.causes:
        text = f"{sentence(cause.because or cause.title or cause.factor)} {cause.advice}".strip()
        yield from at_each(cause.factor, "error", text, cause.sites)
    if diagnosis.verdict == "unresolved":
        yield result(UNRESOLVED, "error", diagnosis.summary, script(diagnosis))
    for refusal in diagnosis.refusals:
        text = f"{refusal.op}: {refusal.message} {refusal.advice}".strip()
        yield result(REFUSED, "error", text, refusal.site)
    if diagnosis.verdict == "broken" and not diagnosis.refusals:
        yield result(BROKEN, "error", diagnosis.summary, script(diagnosis))
    if diagnosis.stress is not None:
        for dormant in diagnosis.stress.dormant:
            text = f"{dormant.title} could break it: {clause(dormant.provoked)}. {dormant.advice}"
            yield from at_each(dormant.factor, "warning", text.strip(), dormant.sites)


def at_each(factor: str, level: str, text: str, sites: Sequence[Site]) -> Iterator[dict[str, Any]]:
    """Of several things at one line, the first."""
    lines = {record.spot(site): site for site in reversed(sites)}
    if not lines:
        yield result(factor, level, text, None)
    for site in reversed(lines.values()):
        yield result(factor, level, text, site)


def result(name: str, level: str, text: str, site: Site | None) -> dict[str, Any]:
    found: dict[str, Any] = {"ruleId": name, "level": level, "message": {"text": text}}
    if site is None:
        return found
    place = {"artifactLocation": artifact(site.file), "region": {"startLine": max(1, site.line)}}
    location: dict[str, Any] = {"physicalLocation": place}
    if site.cell:
        # The line is that of the notebook's file; this is what its reader sees.
        where = f"cell {site.cell}, line {site.cell_line}"
        location["logicalLocations"] = [{"name": where, "fullyQualifiedName": site.place}]
        location["message"] = {"text": where}
    found["locations"] = [location]
    # The line's text, not its number: the finding stays the same one when the file grows.
    key = "\0".join((name, site.file, site.text.strip() or str(site.line)))
    digest = hashlib.sha256(key.encode("utf-8", "backslashreplace")).hexdigest()[:32]
    found["partialFingerprints"] = {"nondetLine/v1": digest}
    return found


def artifact(file: str) -> dict[str, str]:
    path = PurePath(file)
    uri = quote(path.as_posix().encode("utf-8", "surrogateescape"))
    return (
        {"uri": f"file://{uri}"} if path.is_absolute() else {"uri": uri, "uriBaseId": "%SRCROOT%"}
    )


def script(diagnosis: Diagnosis) -> Site:
    return Site(file=diagnosis.subject.script, line=1, function="<module>")


def rule(diagnosis: Diagnosis, name: str) -> dict[str, Any]:
    about: Cause | Dormant | None = next((c for c in diagnosis.causes if c.factor == name), None)
    if about is None and diagnosis.stress is not None:
        about = next((d for d in diagnosis.stress.dormant if d.factor == name), None)
    title = about.title if about is not None and about.title else RULES.get(name, name)
    found: dict[str, Any] = {"id": name, "shortDescription": {"text": title}}
    if about is not None and about.explanation:
        found["fullDescription"] = {"text": about.explanation}
    if about is not None and about.advice:
        found["help"] = {"text": about.advice}
    return found


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
