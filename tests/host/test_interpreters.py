"""Which interpreter runs a script where none is named: what ``python`` would be in that shell."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from nondet.host import checking, interpreters, subject

OWN = "/opt/nondet/bin/python"


class Machine:
    """Environments below a folder, of which one holds nondet, and a shell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ: dict[str, str] = {}
        self.home = self.made("nondet")
        self.program = self.home / "bin" / "nondet"
        self.executable(self.program)
        self.path = [str(self.home / "lib" / "python3.11" / "site-packages")]

    def made(self, name: str) -> Path:
        """An environment of that name."""
        folder = self.folder / name
        (folder / "bin").mkdir(parents=True)
        self.executable(folder / "bin" / "python")
        return folder

    @staticmethod
    def executable(path: Path) -> None:
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)

    def on_path(self, *environments: Path) -> None:
        """What the shell looks through, the first first."""
        self.environ["PATH"] = os.pathsep.join(str(e / "bin") for e in environments)

    def chosen(self) -> str:
        return interpreters.default(
            self.environ,
            own=OWN,
            prefix=str(self.home),
            path=self.path,
            program=str(self.program),
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_an_activated_environment_it_is_nondets_own(machine: Machine) -> None:
    machine.on_path(machine.home)
    assert machine.chosen() == OWN


@pytest.mark.parametrize("receipt", interpreters.RECEIPTS)
@pytest.mark.parametrize("variable", interpreters.ACTIVATED)
def test_a_command_of_its_own_environment_serves_the_activated_one(
    machine: Machine, receipt: str, variable: str
) -> None:
    project = machine.made("project")
    machine.environ[variable] = str(project)
    assert machine.chosen() == OWN
    (machine.home / receipt).write_text("")
    assert machine.chosen() == str(project / "bin" / "python")


def test_the_activated_one_is_meant_where_the_shell_found_the_command_by_name(
    machine: Machine,
) -> None:
    project = machine.made("project")
    machine.environ["VIRTUAL_ENV"] = str(project)
    machine.on_path(project, machine.home)
    assert machine.chosen() == str(project / "bin" / "python")


def test_by_its_path_the_environment_is_meant_that_it_lies_in(machine: Machine) -> None:
    project = machine.made("project")
    machine.executable(project / "bin" / "nondet")
    machine.environ["VIRTUAL_ENV"] = str(project)
    machine.on_path(project, machine.home)
    assert machine.chosen() == OWN


def test_an_environment_that_nondet_extends_is_served_by_its_own(machine: Machine) -> None:
    # `uv run --with nondet-diagnose`: one made for the moment, over the project's.
    project = machine.made("project")
    machine.environ["VIRTUAL_ENV"] = str(project)
    machine.on_path(project, machine.home)
    machine.path.append(str(project / "lib" / "python3.11" / "site-packages"))
    assert machine.chosen() == OWN


def test_an_activated_environment_that_holds_nondet_is_its_own(machine: Machine) -> None:
    machine.environ["VIRTUAL_ENV"] = str(machine.home)
    machine.on_path(machine.home)
    assert machine.chosen() == OWN


def test_of_two_that_are_activated_the_one_counts_whose_python_is_found(machine: Machine) -> None:
    base, project = machine.made("base"), machine.made("project")
    machine.environ |= {"VIRTUAL_ENV": str(project), "CONDA_PREFIX": str(base)}
    machine.on_path(base, project, machine.home)
    assert machine.chosen() == str(base / "bin" / "python")
    machine.on_path(project, base, machine.home)
    assert machine.chosen() == str(project / "bin" / "python")


def test_an_activated_environment_without_an_interpreter_is_none(machine: Machine) -> None:
    machine.environ["VIRTUAL_ENV"] = str(machine.folder / "deleted")
    machine.on_path(machine.home)
    assert machine.chosen() == OWN


@pytest.mark.parametrize(
    ("kind", "python", "tool", "told"),
    [
        ("ModuleNotFoundError", sys.executable, True, True),
        ("ModuleNotFoundError", sys.executable, False, False),
        ("ModuleNotFoundError", "/project/bin/python", True, False),
        ("ValueError", sys.executable, True, False),
    ],
)
def test_a_missing_package_tells_where_the_script_ran(
    kind: str, python: str, tool: bool, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreters, "tool", lambda: tool)
    failed: Any = types.SimpleNamespace(crash=types.SimpleNamespace(kind=kind))
    assert bool(checking._misplaced(failed, python)) is told


@pytest.mark.parametrize(
    ("library", "usable"),
    [
        ("def xxh64(data): ...", False),
        ("def xxh64(data): ...\ndef xxh3_128(data): ...", True),
        ("raise OSError('libxxhash.so.0: cannot open shared object file')", False),
    ],
    ids=["old", "new", "broken"],
)
def test_xxhash_counts_where_it_has_the_digest_that_trials_take(
    library: str, usable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xxhash.py").write_text(library)
    (tmp_path / "train.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    checked = subject.check(str(tmp_path / "train.py"), (), sys.executable)
    assert checked.description.found["xxhash"] is usable
