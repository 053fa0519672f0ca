"""A real diagnosis of a script that means harm: its report stays whole, small and silent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command.running import Project
from tests.report.browser import complaints, find, load, resized, started, text

pytestmark = [pytest.mark.browser, pytest.mark.subject]

EVIL = "</script><script>window.harmed = 1</script>"
NAME = "it's \"bad\"\n<img src=x onerror='window.harmed = 1'>.py"
LOG = 100_000_000
TAIL = 4096
SCRIPT = f"""
import random
import sys
import nondet

evil = {EVIL!r}
line = f"\\x1b[31m{{evil}}\\x1b[0m <!-- {{evil}}\\n" * 20_000
for _ in range({LOG} // len(line) + 1):
    sys.stderr.write(line)
print(evil, "\\u202e", flush=True)
nondet.checkpoint(evil, random.random())
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from started(tmp_path_factory.mktemp("profile"))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path / "project")
    yield made
    for log in made.output.glob("trials/*/*.log"):
        log.unlink()  # pytest keeps folders of the last runs, and these are large


def test_a_hostile_script_is_told_and_does_nothing(project: Project, driver: Any) -> None:
    project.write(SCRIPT, NAME)
    options = ("--max-trials", "2", "--jobs", "1", "--no-fork")
    ran = project.diagnose(*options, NAME, EVIL)
    assert ran.code == 4, ran.err
    logs = [path.stat().st_size for path in ran.output.glob("trials/*/stderr.log")]
    assert len(logs) == 2
    assert max(logs) >= LOG
    for trial in ran.diagnosis.trials:
        assert 0 < len(trial.stderr_tail.encode()) <= TAIL
    report = ran.output / "report.html"
    assert report.stat().st_size < 300_000
    for width in (1280, 320):
        resized(driver, width, dark=False)
        page = load(driver, report)
        page.execute_script(
            "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
        )
        assert page.execute_script("return window.harmed") is None
        assert len(page.find_elements("css selector", "script")) == 2
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
        assert page.title.startswith('it\'s "bad" <img src=x onerror=')
        assert "window.harmed = 1" in text(page, "trials")
        assert "window.harmed" in find(page, "verdict").text
        assert complaints(page) == []
