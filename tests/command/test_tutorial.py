"""docs/tutorial.md, from its script to the end: every command is run, and shows what it shows."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command.running import NONDET, Project

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
CHEAPER = {
    "nondet diagnose": "nondet diagnose --confidence 0.5",
    "nondet check": "nondet check --confidence 0.5",
}
"""Two agreeing runs in place of six, where the proof does not ask for more."""
UNSTABLE = (
    "mse ",
    "free: ",
    "First parts ",
    "sequential/dense/kernel, by",
    "How sure ",
    "fewer ",
    "Not tested ",
    "more",
    "Cost ",
    "nondet: recorded ",
)
"""Starts of shown lines that follow from the machine, from luck, or from how many runs agree."""


def examples(page: str) -> Iterator[tuple[str, list[str]]]:
    """(command, shown lines) of each command, in the page's order."""
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.M | re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, *shown = part.splitlines()
            yield command, shown


def plain(text: str) -> str:
    """On one line, with any number in place of any number."""
    return " ".join(re.sub(r"\d+", "#", text).split())


def run(project: Project, command: str) -> tuple[int, str]:
    for start, instead in CHEAPER.items():
        command = re.sub(rf"^{start}\b", instead, command)
    path = f"{Path(NONDET).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=project.folder,
        env=project.environ | {"PATH": path, "COLUMNS": "80", "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.subject
@pytest.mark.xdist_group("subjects")
def test_the_tutorial_is_true(project: Project) -> None:
    page = PAGE.read_text(encoding="utf-8")
    script = re.search(r"<!-- file: train.py -->\n```python\n(.*?)```", page, re.S)
    assert script is not None
    project.write(script[1])
    codes, losses, names = list[tuple[str, int]](), list[str](), list[str]()
    for command, shown in examples(page):
        code, out = run(project, command)
        codes.append((command, code))
        losses += re.findall(r"^mse (.+)$", out, re.M)
        names += re.findall(r"recorded (\w+)", out)
        for line in shown:
            if line.strip() and not line.strip().startswith(UNSTABLE):
                assert plain(line) in plain(out), (command, line, out)
    assert codes == [
        ("python train.py", 0),
        ("python train.py", 0),
        ("nondet check --quiet train.py", 1),
        ("nondet diagnose --quiet train.py", 1),
        ("nondet run --from nondet-report train.py", 0),
        ("nondet run --from nondet-report train.py", 0),
        ("nondet fix nondet-report", 0),
        ("nondet fix --apply nondet-report", 0),
        ("python train.py", 0),
        ("python train.py", 0),
        ("nondet check --quiet train.py", 0),
    ]
    first, second, held, again, *mended = losses
    assert first != second
    assert held == again
    assert len(set(mended)) == 1
    assert len(names) == 2
    assert len(set(names)) == 1
    assert (project.folder / "train.py.orig").read_text() == script[1]
    assert (project.output / "report.html").exists()
