"""The command can't be loaded: one line says so, and the exit code tells no verdict."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.command.running import PATIENCE, SEEDED, Project, Ran

ROOT = Path(__file__).resolve().parents[2]


def check(project: Project, **environ: str) -> Ran:
    """As a module, which starts as the command does, whatever installed that."""
    done = subprocess.run(
        [sys.executable, "-m", "nondet", "check", "train.py"],
        cwd=project.folder,
        env=project.environ | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr, project.output)


def test_the_command_starts_as_the_module_does() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert scripts == {"nondet": "nondet.__main__:main"}


@pytest.mark.parametrize(
    "text",
    [
        "",  # what is sought in it is not there
        "raise RuntimeError('mine\\nalone')",
        "import sys; sys.exit(0)",  # which would say that runs agree
        "import sys; sys.exit(1)",
        "this is no Python",
    ],
)
def test_a_file_of_the_users_has_the_name_of_a_module(project: Project, text: str) -> None:
    project.write(SEEDED)
    path = project.write(text, "click.py")
    check(project, PYTHONPATH="").refused("not-loadable", str(path))


def test_a_library_is_not_there(project: Project) -> None:
    project.write(SEEDED)
    folder = project.folder / "first"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import sys\nsys.modules['psutil'] = None\n")
    check(project, PYTHONPATH=str(folder)).refused("not-loadable", "psutil")


def test_ctrl_c_while_it_is_loaded(project: Project) -> None:
    project.write("import signal\nsignal.raise_signal(signal.SIGINT)\n", "click.py")
    start = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    (project.folder / "sitecustomize.py").write_text(start)
    ran = check(project, PYTHONPATH=str(project.folder))
    assert (ran.code, ran.out) == (130, "")
    assert ran.err == "nondet: interrupted before there was a result [interrupted]\n"
