"""The workflows of docs/ci.md: their steps, run by a shell as the services run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.command.running import PATIENCE, Project

PAGE = Path(__file__).parents[2] / "docs" / "ci.md"
DRAWN = "import random\nimport nondet\nnondet.checkpoint('value', random.random())\n"
SAME = DRAWN.replace("random.random()", "1")


def workflow(service: str) -> Any:
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"<!-- steps: {service} -->\n```yaml\n(.*?)```", text, re.S)
    assert found is not None
    return yaml.safe_load(found[1])


def shell(project: Project, script: str, **environ: str) -> int:
    """The exit code of a step; `pip install` is left out, since all is installed."""
    assert "pip install" not in script
    folder = str(Path(sys.executable).parent)
    path = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=project.folder,
        env=project.environ | path | environ,
        timeout=PATIENCE,
        check=False,
    ).returncode


def github(project: Project) -> tuple[list[str], Mapping[str, int]]:
    """Run the steps; the names of those that ran, with their exit codes."""
    (job,) = workflow("github")["jobs"].values()
    failed, ran = False, dict[str, int]()
    summary = str(project.folder / "summary.md")
    used = [step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step]
    for step in job["steps"]:
        wanted = failed if step.get("if") == "failure()" else not failed
        if "run" in step and wanted and step["name"] != "Install":
            ran[step["name"]] = shell(project, step["run"], GITHUB_STEP_SUMMARY=summary)
            failed |= ran[step["name"]] != 0
    return used, ran


def test_a_script_that_repeats_passes_the_workflow(project: Project) -> None:
    project.write(SAME)
    _, ran = github(project)
    assert ran == {"Check": 0}


def test_a_script_that_does_not_repeat_is_told_on_the_pull_request(project: Project) -> None:
    project.write(DRAWN)
    used, ran = github(project)
    assert ran == {"Check": 1, "Diagnose": 1, "Tell": 0}
    assert "python-random" in (project.folder / "nondet.sarif").read_text()
    assert ElementTree.parse(project.folder / "nondet.xml").getroot().tag == "testsuites"  # noqa: S314
    assert "`random` is not seeded (train.py:3)" in (project.folder / "summary.md").read_text()
    assert (project.folder / "nondet-report" / "report.html").exists()
    assert "github/codeql-action/upload-sarif" in used


@pytest.mark.long
def test_the_other_service_does_the_same(project: Project) -> None:
    job = workflow("gitlab")["reproducibility"]
    project.write(DRAWN)
    codes = [shell(project, line) for line in job["script"] if "pip install" not in line]
    assert codes == [1]
    (after,) = job["after_script"]
    assert shell(project, after, CI_JOB_STATUS="failed") == 0
    for name in (*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]):
        assert (project.folder / name).exists()
    project.write(SAME)
    assert shell(project, job["script"][1]) == 0
