"""``nondet doctor`` as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.command.running import PATIENCE


def doctor(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nondet", "doctor", *args]
    return subprocess.run(
        command,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.subject
@pytest.mark.long
def test_it_tells_of_machine_and_libraries(cut_off: Mapping[str, str]) -> None:
    done = doctor("--json", OMP_DYNAMIC="true", TF_TOKEN="hidden", **cut_off)
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert done.stderr == ""
    libraries = {one["name"]: one for one in found["libraries"]}
    assert libraries["numpy"]["version"] == __import__("numpy").__version__
    assert libraries["keras"]["told"]["backend"] == os.environ.get("KERAS_BACKEND", "tensorflow")
    assert all(one["failure"] == "" for one in found["libraries"])
    assert {"level": "bad", "about": "OMP_DYNAMIC"}.items() <= found["remarks"][0].items()
    assert "hidden" not in done.stdout
    assert not Path(cut_off["NETWORK_LOG"]).exists(), "it asks the network"


def test_it_asks_the_interpreter_that_is_named(tmp_path: Path) -> None:
    made = [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")]
    subprocess.run(made, check=True)
    done = doctor("--python", str(tmp_path / "bare" / "bin" / "python"))
    assert done.returncode == 0, done.stdout
    assert "Nothing known stands in the way" in done.stdout
    assert str(tmp_path / "bare") in done.stdout.replace("\n", "").replace(" ", "")
    assert "tensorflow" not in done.stdout


def test_no_such_interpreter() -> None:
    done = doctor("--python", "no-such-python")
    assert done.returncode == 2
    assert "[no-such-interpreter]" in done.stderr
