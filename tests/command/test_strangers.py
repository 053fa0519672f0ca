"""A folder or a file of a stranger's may be looked at: nothing in it is run, or written through."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from nondet import record, repetition
from tests import strangers
from tests.command.running import NONDET, PATIENCE, SEEDED, UNSEEDED, Project
from tests.report import repeat_samples, samples

BAIT = """
import os
with open(os.environ["BAITED"], "a") as file:
    file.write(__file__ + chr(10))
raise SystemExit(99)
"""
NAMES = ("nondet", "json", "rich", "msgspec", "click", "sitecustomize", "usercustomize", "conftest")
"""Modules that a command would import, had the folder a say in it."""


@pytest.fixture(autouse=True)
def in_bounds() -> Iterator[None]:
    """What the commands inherit."""
    with strangers.limited(2 << 30):
        yield


@pytest.fixture
def given(project: Project) -> Project:
    """A diagnosis of a stranger's."""
    project.output.mkdir()
    (project.output / "diagnosis.json").write_bytes(record.encode(samples.one_cause()))
    return project


def test_nothing_is_written_through_links(given: Project) -> None:
    victim = given.write("years of work", "victim")
    for name in ("report.html", "report.html.new", ".writable", "repeat.html.new"):
        (given.output / name).symlink_to(victim)
    assert given.run("report", "nondet-report").code == 0
    assert not (given.output / "report.html").is_symlink()
    given.write(SEEDED)
    assert given.diagnose("--resume", "--max-trials", "2", "train.py").code == 4
    assert victim.read_text() == "years of work"
    (given.output / "values").symlink_to(given.folder)
    ran = given.diagnose("--resume", "train.py")
    ran.refused("output-leads-elsewhere", "nondet-report/values", "is a link", "--output")
    assert {path.name for path in given.folder.iterdir()} == {
        "nondet-report", "train.py", "victim"
    }  # fmt: skip


def test_what_is_no_file_is_waited_for_by_no_command(project: Project) -> None:
    """What each reader does with all kinds of them: tests/host/test_files.py."""
    project.write(UNSEEDED)
    project.output.mkdir()
    strangers.pipe(project.output / "diagnosis.json")
    for command in (("report",), ("fix",), ("run", "train.py", "--from")):
        ran = project.run(command[0], *command[2:], "nondet-report", *command[1:2])
        ran.refused("diagnosis-unreadable", "diagnosis.json", "no regular file")
    other = project.folder / "other"
    other.mkdir()
    strangers.endless(other / "repeat.json")
    project.run("report", "other").refused("diagnosis-unreadable", "repeat.json")
    strangers.pipe(project.folder / "a.nd")
    project.run("diff", "a.nd", "a.nd").refused("recording-unreadable", "a.nd", "no regular file")


def test_a_factor_that_nobody_knows(given: Project) -> None:
    given.write(SEEDED)
    whole = samples.one_cause()
    assert whole.prescription is not None
    pins = structs.replace(whole.prescription, pins=("moon-phase",))
    data = record.encode(structs.replace(whole, prescription=pins))
    (given.output / "diagnosis.json").write_bytes(data)
    ran = given.run("run", "--from", "nondet-report", "train.py")
    ran.refused("factor-not-known", "nondet-report", "'moon-phase'", "upgrade")


def test_a_folder_in_the_page_s_place(given: Project) -> None:
    (given.output / "report.html").mkdir()
    ran = given.run("report", "nondet-report")
    ran.refused("not-writable", "nondet-report/report.html", "a folder has this name")


# -- what is in a folder is never imported


def baited(folder: Path) -> None:
    for name in NAMES:
        (folder / f"{name}.py").write_text(BAIT)
    package = folder / "numpy"
    package.mkdir()
    (package / "__init__.py").write_text(BAIT)


def ran_in(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        command,
        cwd=folder,
        env=environ | {"BAITED": str(folder.parent / "baited")},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_nothing_is_imported_from_an_output_folder(given: Project) -> None:
    """Not even where it is the current folder."""
    (given.output / "trials/t01").mkdir(parents=True)
    for folder in (given.output, given.output / "trials", given.output / "trials/t01"):
        baited(folder)
    log = given.folder / "baited"
    for form in ("html", "sarif"):
        done = ran_in(given.output, NONDET, "report", "--format", form, ".")
        assert done.returncode == 0, done.stderr
    assert ran_in(given.output, NONDET, "fix", ".").returncode == 0
    (given.output / "repeat.json").write_bytes(repetition.encode(repeat_samples.by_source()))
    assert ran_in(given.output, NONDET, "report", ".").returncode == 0
    # Without -P Python itself looks into the current folder first, before there is any nondet.
    done = ran_in(given.output, sys.executable, "-P", "-m", "nondet", "report", ".")
    assert done.returncode == 0, done.stderr
    assert not log.exists()
    assert ran_in(given.output, sys.executable, "-m", "nondet", "report", ".").returncode == 99
    assert log.exists(), "the bait is none"


def test_nothing_is_imported_from_a_recorded_run(project: Project) -> None:
    project.write(SEEDED)
    assert project.run("record", "-o", "a.nd", "train.py").code == 0
    room = project.folder / "room"
    room.mkdir()
    with zipfile.ZipFile(project.folder / "a.nd", "a") as archive:
        for name in NAMES:
            for member in (f"{name}.py", f"trial/{name}.py", f"values/{name}.py"):
                archive.writestr(member, BAIT)
    shutil.move(project.folder / "a.nd", room)
    baited(room)
    done = ran_in(room, NONDET, "diff", "--json", "a.nd", "a.nd")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["agree"]
    assert not (project.folder / "baited").exists()
