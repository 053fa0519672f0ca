"""Probes through the installed command: exactly what was planted is found, and the page says so.

A choice of all probes, one for each way in which a diagnosis goes; `sh .ci/do probes` runs all.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nondet import record
from nondet.guest.factors import REGISTRY
from tests.benchmarks import probes
from tests.report import browser

CHOSEN = (
    "control_suspicious",
    "hash_seed",
    "leftovers",
    "op_determinism",
    "shuffle",
    "three_causes",
    "two_causes",
    "unresolved",
)
SHOWN = ("hash_seed", "three_causes", "two_causes")
"""Diagnoses whose page is opened in a browser."""

# One worker: trials that share the cores with those of another diagnosis take longer.
subject = [pytest.mark.subject, pytest.mark.xdist_group("subjects")]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("diagnoses")


def diagnosed(name: str, output: Path) -> record.Diagnosis:
    """The diagnosis of a probe, made once for all tests of this file."""
    done = output / name / "diagnosis.json"
    if done.exists():
        return record.decode(done.read_bytes())
    return probes.diagnose(probes.read(probes.PROBES / f"{name}.py"), output / name)


@pytest.mark.parametrize("probe", probes.all_probes(), ids=lambda probe: probe.name)
def test_a_probe_is_short_and_promises_known_factors(probe: probes.Probe) -> None:
    known = {factor.name for factor in REGISTRY}
    assert probe.causes | probe.consumers | probe.alternatives <= known
    text = probe.path.read_text(encoding="utf-8")
    ast.parse(text)
    assert len(text.splitlines()) < (60 if len(probe.causes) > 1 else 40)


def test_every_factor_has_a_probe() -> None:
    promised: set[str] = set()
    for probe in probes.all_probes():
        promised |= probe.causes | probe.consumers
    assert promised == {factor.name for factor in REGISTRY}


@pytest.mark.parametrize("name", [pytest.param(name, marks=subject) for name in CHOSEN])
def test_exactly_the_planted_sources_are_found(name: str, output: Path) -> None:
    probe = probes.read(probes.PROBES / f"{name}.py")
    if reason := probe.missing(has_gpu=False):
        pytest.skip(reason)
    diagnosis = diagnosed(name, output)
    assert probes.wrong(probe, diagnosis) == []
    assert not diagnosis.warnings
    for cause in diagnosis.causes:
        assert cause.first_divergence is not None
        assert cause.trials
        assert cause.agreeing
        assert cause.sites or cause.factor in ("op-determinism", "cpu-threads", "leftovers")
    if probe.causes:
        assert diagnosis.prescription is not None
        assert diagnosis.prescription.verified
        assert diagnosis.confidence is not None
        assert diagnosis.confidence.agreeing_trials >= 6


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from browser.started(tmp_path_factory.mktemp("profile"))


@pytest.mark.browser
@pytest.mark.parametrize("name", [pytest.param(name, marks=subject) for name in SHOWN])
def test_the_page_of_a_real_diagnosis(name: str, output: Path, driver: Any) -> None:
    diagnosis = diagnosed(name, output)
    page = browser.load(driver, output / name / "report.html")
    assert browser.text(page, "verdict").startswith("Runs part")
    for cause in diagnosis.causes:
        assert cause.title in browser.text(page, f"cause-{cause.factor}")
    assert diagnosis.prescription is not None
    fix = browser.find(page, "fix").text
    for line in (*diagnosis.prescription.snippet.splitlines(), diagnosis.prescription.launch):
        assert line.strip() in fix
    for edit in diagnosis.prescription.edits:
        assert f"{edit.file}:{edit.line}" in fix
        assert edit.code in fix
    assert page.execute_script(browser.INK) > 1
    assert browser.complaints(page) == []
