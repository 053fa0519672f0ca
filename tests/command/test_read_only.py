"""Folders and disks that can't be written: the project's own, and those for temporary files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.command.privileges import own, works
from tests.command.running import QUICK, SEEDED, UNSEEDED, Project

ALONE = ("unshare", "--user", "--map-root-user", "--mount")
READ_ONLY = 'mount --bind "$PWD" "$PWD" && mount -o remount,bind,ro "$PWD" && cd "$PWD"'
NOWHERE = (
    "mount -t tmpfs none /mnt && mkdir /mnt/project /mnt/out"
    ' && mount --bind "$PWD" /mnt/project && cd /mnt/project'
    " && for each in /mnt/project /tmp /var/tmp /dev/shm;"
    ' do mount --bind "$each" "$each" && mount -o remount,bind,ro "$each" || exit 9; done'
    " && cd /mnt/project"
)


def alone(steps: str) -> tuple[str, ...]:
    """What starts a command where only it sees these mounts."""
    if not works([*ALONE, "sh", "-c", "mount -t tmpfs none /mnt"]):
        pytest.skip("no user namespaces here, so no disk of its own")
    return (*ALONE, "sh", "-c", f'{steps} && exec "$@"', "sh")


def test_a_folder_that_can_t_be_written(project: Project, unprivileged: tuple[str, ...]) -> None:
    project.write(SEEDED)
    project.output.mkdir(mode=0o555)
    (project.folder / "locked").mkdir(mode=0o500)
    own(project)
    for output in ("nondet-report", "locked", "locked/out"):
        ran = project.diagnose("--output", output, "train.py", prefix=unprivileged)
        ran.refused("output-not-writable", output, "Permission denied", "name another folder")


def test_a_report_that_can_t_be_written(project: Project, unprivileged: tuple[str, ...]) -> None:
    project.write(SEEDED)
    own(project)
    assert project.diagnose("--max-trials", "2", "train.py", prefix=unprivileged).code == 4
    project.output.chmod(0o500)
    ran = project.run("report", "nondet-report", prefix=unprivileged)
    project.output.chmod(0o700)
    ran.refused("not-writable", "report.html", "Permission denied")


def test_a_project_on_a_disk_that_is_read_only(project: Project, tmp_path: Path) -> None:
    project.write(UNSEEDED)
    prefix = alone(READ_ONLY)
    refused = project.diagnose(prefix=prefix)
    refused.refused("output-not-writable", "nondet-report", "Read-only file system", "another")
    elsewhere = tmp_path / "elsewhere"
    ran = project.diagnose(*QUICK, "--output", str(elsewhere), "train.py", prefix=prefix)
    assert ran.code == 1, ran.err
    assert sorted(path.name for path in elsewhere.iterdir()) == [
        *("diagnosis.json", "report.html"),
        "trials",
    ]
    assert [path.name for path in project.folder.iterdir()] == ["train.py"]


@pytest.mark.long
def test_a_project_that_its_user_may_not_write(
    project: Project, tmp_path: Path, unprivileged: tuple[str, ...]
) -> None:
    project.write(UNSEEDED)
    own(project)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    state = project.folder.stat()
    os.chown(elsewhere, state.st_uid, state.st_gid)
    project.folder.chmod(0o555)
    ran = project.diagnose(prefix=unprivileged)
    ran.refused("output-not-writable", "nondet-report", "Permission denied", "another folder")
    output = str(elsewhere / "out")
    ran = project.diagnose(*QUICK, "--output", output, "train.py", prefix=unprivileged)
    project.folder.chmod(0o755)
    assert ran.code == 1, ran.err


def test_a_folder_for_temporary_files_that_is_none(project: Project, tmp_path: Path) -> None:
    """Another one is taken where there is one."""
    project.write(UNSEEDED)
    environ = {"TMPDIR": str(tmp_path / "gone")}
    assert project.diagnose("--max-trials", "2", "train.py", environ=environ).code == 4
    project.diagnose("--output", "/mnt/out", "train.py", prefix=alone(NOWHERE)).refused(
        "no-scratch", "temporary files", "TMPDIR"
    )
