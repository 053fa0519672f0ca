"""What holds for all tests does hold."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command.running import PATIENCE

ROOT = Path(__file__).parents[1]


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        # Other plugins take seconds to import.
        env={**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


DRAWN = """
from hypothesis import given, settings, strategies as st
import tests.conftest

def drawn():
    values = []

    @settings(max_examples=200)
    @given(st.integers() | st.text())
    def look(value):
        values.append(value)

    look()
    return values

before = drawn()
import nondet.record
assert before and drawn() == before
"""


def test_what_is_drawn_does_not_depend_on_what_is_loaded() -> None:
    done = ran("-c", DRAWN)
    assert done.returncode == 0, done.stderr


HANGS = """
import time

def test_it_hangs():
    time.sleep(600)
"""


def test_a_test_that_hangs_ends_and_is_named(tmp_path: Path) -> None:
    """Once: where another worker comes in place of one that has ended, xdist runs it there anew."""
    (tmp_path / "test_hanging.py").write_text(HANGS)
    (line,) = re.findall(r'-m (pytest .*) -m "not long"', (ROOT / ".ci" / "do").read_text())
    config = ("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), str(tmp_path))
    own = ("-p", "xdist", "-p", "no:cacheprovider", "-n", "1", "-o", "faulthandler_timeout=1")
    done = ran("-m", *line.split(), *config, *own)
    assert done.returncode, done.stdout
    assert done.stderr.count("Timeout (0:00:01)!") == 1
    assert "crashed while running 'test_hanging.py::test_it_hangs'" in done.stdout


def test_a_limit_is_set(pytestconfig: pytest.Config) -> None:
    assert float(pytestconfig.getini("faulthandler_timeout")) > PATIENCE
