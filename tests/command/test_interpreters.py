"""Scripts on every interpreter that is found, in environments that have nothing of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command.running import QUICK, Project

VERSIONS = ("3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
QUIET = ("--quiet", "--jobs", "2", *QUICK)
DRAWING = """
import random
import sys

import nondet

for package in ("rich", "click", "msgspec", "xxhash", "numpy"):
    try:
        __import__(package)
    except ImportError:
        continue
    raise SystemExit(package + " is installed here")
nondet.metric("version", sys.version_info[1])
nondet.checkpoint("drawn", random.random())
"""
WHICH = "import sys; print(sys.prefix)"


def found(version: str) -> str | None:
    """An interpreter of that version that starts here, or None."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    places = [*map(str, sorted(root.glob(f"versions/{version}.*/bin/python")))]
    for python in [*places, shutil.which(f"python{version}")]:
        if python is not None:
            code = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
            done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
            if done.stdout.strip() == version:
                return python
    return None


def bare(python: str, folder: Path) -> Path:
    """An environment of that interpreter without any package."""
    subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder


def every_version() -> list[object]:
    """The oldest and the newest always; the others take as long and show little more."""
    ends = VERSIONS[0], VERSIONS[-1]
    return [pytest.param(v, marks=() if v in ends else pytest.mark.long) for v in VERSIONS]


@pytest.mark.parametrize("version", every_version())
def test_a_script_is_diagnosed_where_nothing_is_installed(version: str, tmp_path: Path) -> None:
    python = found(version)
    if python is None:
        pytest.skip(f"no Python {version} here: neither of pyenv's nor python{version} on PATH")
    environment = bare(python, tmp_path / "bare")
    project = Project(tmp_path / "project")
    project.write(DRAWING)
    ran = project.diagnose(*QUIET, "--python", str(environment / "bin" / "python"), "train.py")
    assert ran.code == 1, ran.err
    diagnosis = ran.diagnosis
    assert [cause.factor for cause in diagnosis.causes] == ["python-random"]
    drawn = [n for n, line in enumerate(DRAWING.splitlines(), 1) if "random.random" in line]
    assert [site.line for site in diagnosis.causes[0].sites] == drawn
    assert diagnosis.environment.python.startswith(version + ".")
    assert diagnosis.digest == "sha256"
    assert not [w for w in diagnosis.warnings if "an error of nondet's own" in w]


def prefix(project: Project, environ: dict[str, str]) -> Path:
    """Where the interpreter lies that ran a script."""
    project.write(WHICH)
    ran = project.run("run", "--quiet", "train.py", environ=environ)
    assert ran.code == 0, ran.err
    return Path(ran.out.strip())


def test_the_activated_environment_runs_the_script_where_the_shell_found_nondet_by_name(
    tmp_path: Path,
) -> None:
    activated, own = bare(sys.executable, tmp_path / "activated"), Path(sys.executable).parent
    project = Project(tmp_path / "project")
    first = f"{activated / 'bin'}{os.pathsep}"
    environ = {"VIRTUAL_ENV": str(activated), "PATH": f"{first}{own}{os.pathsep}/usr/bin:/bin"}
    assert prefix(project, environ) == activated
    # Without a way to find it by name, it was called by its path: its own environment is meant.
    environ["PATH"] = f"{first}/usr/bin:/bin"
    assert prefix(project, environ) == Path(sys.prefix)
