"""A subject that is started as ``python -m`` starts it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command.running import QUICK, SEEDED, Project, tree

TRAIN = """
import pathlib
import random
import sys
import nondet
from .helper import double
from . import PLACE

nondet.checkpoint("args", " ".join(sys.argv[1:]))
pathlib.Path(__file__).with_name("written.txt").write_text("by a trial")
nondet.checkpoint("value", double(random.random()))
"""


@pytest.fixture
def packaged(project: Project) -> Project:
    (project.folder / "pkg/sub").mkdir(parents=True)
    project.write("PLACE = 'pkg'\n", "pkg/__init__.py")
    project.write("from pkg import PLACE\n", "pkg/sub/__init__.py")
    project.write("def double(x):\n    return 2 * x\n", "pkg/sub/helper.py")
    project.write(TRAIN, "pkg/sub/train.py")
    project.write(SEEDED, "pkg/sub/__main__.py")
    return project


def test_the_cause_and_its_line(packaged: Project) -> None:
    before = tree(packaged.folder)
    ran = packaged.diagnose(*QUICK, "-m", "pkg.sub.train", "--epochs", "3", "-m", "x")
    assert ran.code == 1, ran.out + ran.err
    assert tree(packaged.folder) == before
    diagnosis = ran.diagnosis
    assert [cause.factor for cause in diagnosis.causes] == ["python-random"]
    site = diagnosis.causes[0].sites[0]
    assert (site.file, site.line) == ("pkg/sub/train.py", 11)
    subject = diagnosis.subject
    assert (subject.script, subject.module) == ("pkg/sub/train.py", "pkg.sub.train")
    assert subject.args == ("--epochs", "3", "-m", "x")
    assert "pkg/sub/train.py" in packaged.run("fix", "nondet-report").out
    again = packaged.diagnose("--resume", *QUICK, "--module", "pkg.sub.train", *subject.args)
    assert again.code == 1
    assert [trial.id for trial in again.diagnosis.trials] == [t.id for t in diagnosis.trials]


def test_the_patched_module_is_run(packaged: Project) -> None:
    ran = packaged.diagnose("--confidence", "0.75", "-m", "pkg.sub.train")
    assert ran.code == 1, ran.out + ran.err
    prescription = ran.diagnosis.prescription
    assert prescription is not None
    assert prescription.patch_verified, prescription.patch_note


def test_a_package_and_how_it_is_started_again(packaged: Project) -> None:
    ran = packaged.diagnose("--max-trials", "2", "-m", "pkg.sub")
    assert ran.code == 4, ran.out + ran.err
    assert ran.diagnosis.subject.script == "pkg/sub/__main__.py"
    assert "nondet diagnose --resume --max-trials 4 -m pkg.sub" in ran.out
    as_script = packaged.diagnose("--resume", *QUICK, "pkg/sub/__main__.py")
    assert as_script.code == 0
    assert "no finished trial there fits" in as_script.err


def test_a_module_that_lies_elsewhere(packaged: Project) -> None:
    elsewhere = packaged.folder.parent / "elsewhere"
    (packaged.folder / "pkg").rename(packaged.folder / "src")
    elsewhere.mkdir()
    (packaged.folder / "src").rename(elsewhere / "pkg")
    ran = packaged.diagnose(*QUICK, "-m", "pkg.sub.train", environ={"PYTHONPATH": str(elsewhere)})
    assert ran.code == 1, ran.out + ran.err
    assert ran.diagnosis.causes[0].sites[0].file == "sub/train.py"
    assert not (elsewhere / "pkg/sub/written.txt").exists()


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("pkg.nothing", "pkg.nothing"),
        ("nowhere.at.all", "nowhere.at.all"),
        ("pkg/sub/train.py", "pkg/sub/train.py"),
        ("pkg.sub.train.py", "pkg.sub.train.py"),
        ("pkg", "pkg.__main__"),
        ("sys", "sys"),
        (".train", ".train"),
        ("", "-m takes a name"),
    ],
)
def test_what_is_no_module(packaged: Project, name: str, word: str) -> None:
    packaged.diagnose("-m", name).refused("no-such-module", word, "pkg.train")


def test_a_syntax_error_in_a_module(packaged: Project) -> None:
    packaged.write("x = (1,\n", "pkg/sub/train.py")
    ran = packaged.diagnose("-m", "pkg.sub.train")
    assert ran.code == 5
    assert ran.diagnosis.error is not None
    assert ran.diagnosis.error.slug == "syntax-error"
    # The interpreter may be named otherwise: python3, python3.12.
    assert re.search(r"python[\d.]* -m pkg\.sub\.train", ran.out)


def test_a_package_that_can_t_be_imported(packaged: Project) -> None:
    packaged.write("raise OSError('no data')\n", "pkg/__init__.py")
    ran = packaged.diagnose("-m", "pkg.sub.train")
    assert ran.code == 5
    assert ran.diagnosis.error is not None
    assert "OSError: no data" in ran.diagnosis.error.message


CONSOLE = """#!{python}
# -*- coding: utf-8 -*-
import re
import sys
from trainer.cli import main
if __name__ == '__main__':
    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])
    sys.exit(main())
"""
COMMAND = """import random
import sys
import nondet


def main():
    nondet.checkpoint("args", " ".join(sys.argv[1:]))
    nondet.checkpoint("value", random.random())


if __name__ == "__main__":
    main()
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """An interpreter of an environment of its own, in which a package with a command is."""
    environment = tmp_path / "env"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(environment)], check=True
    )
    (packages,) = environment.glob("lib/python3*/site-packages")
    (packages / "beside.pth").write_text("\n".join(p for p in sys.path if p.endswith("-packages")))
    root = Path(__file__).parents[2]
    (packages / "checkout.pth").write_text(str(root))
    (packages / "trainer").mkdir()
    (packages / "trainer" / "__init__.py").write_text("")
    (packages / "trainer" / "cli.py").write_text(COMMAND)
    python = environment / "bin" / "python"
    # As pip does: else Python does it at the first import, unless it is told not to.
    subprocess.run([str(python), "-m", "compileall", "-q", str(packages / "trainer")], check=True)
    command = environment / "bin" / "train-it"
    command.write_text(CONSOLE.format(python=python))
    command.chmod(0o755)
    return python


@pytest.mark.parametrize("named", [["train-it"], ["-m", "trainer.cli"]], ids=["command", "module"])
def test_a_command_of_an_installed_package(
    project: Project, installed: Path, named: list[str]
) -> None:
    before = tree(installed.parents[1])
    ran = project.diagnose(*QUICK, "--python", str(installed), *named, "--epochs", "3")
    assert ran.code == 1, ran.out + ran.err
    assert tree(installed.parents[1]) == before
    (cause,) = ran.diagnosis.causes
    assert cause.factor == "python-random"
    assert (cause.sites[0].file.endswith("trainer/cli.py"), cause.sites[0].line) == (True, 8)
    assert ran.diagnosis.subject.args == ("--epochs", "3")
    prescription = ran.diagnosis.prescription
    assert prescription is not None and prescription.verified


def test_a_file_goes_before_a_command_of_its_name(project: Project, installed: Path) -> None:
    project.write(SEEDED, "train-it")
    ran = project.diagnose(*QUICK, "--python", str(installed), "train-it")
    assert ran.code == 0, ran.out + ran.err


def test_a_command_that_is_no_python(project: Project, installed: Path) -> None:
    (installed.parent / "tool").write_text("#!/bin/sh\nexit 0\n")
    ran = project.diagnose("--python", str(installed), "tool")
    ran.refused("no-such-script", "tool")
