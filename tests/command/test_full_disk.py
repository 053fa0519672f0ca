"""A disk that is full, and has room again later. Each is a small one of its own, which only the
commands of a test see."""

from __future__ import annotations

import dataclasses
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.benchmarks.killing import whole
from tests.command.privileges import works
from tests.command.running import NONDET, PATIENCE, QUICK, UNSEEDED, Project, Ran

ALONE = ("unshare", "--user", "--map-root-user", "--mount")


@dataclasses.dataclass
class Disk:
    """Steps to be taken where a small disk is mounted, at `disk` in the project's folder."""

    project: Project
    steps: list[str] = dataclasses.field(default_factory=list)
    count: int = 0

    def mount(self, size: str) -> None:
        self.steps.append(f"mount -t tmpfs -o size={size} none disk")

    def grow(self, size: str) -> None:
        self.steps.append(f"mount -o remount,size={size} disk")

    def copy(self, folder: str, name: str) -> None:
        """What lies on it then, for when it is gone."""
        self.steps.append(f"if [ -e disk/{folder} ]; then cp -a disk/{folder} {name}; fi")

    def diagnose(self, *options: str, before: str = "") -> int:
        """The number of the call."""
        self.count += 1
        call = shlex.join([NONDET, "diagnose", "--quiet", *options, "train.py"])
        streams = f">{self.count}.out 2>{self.count}.err"
        self.steps.append(
            f"code=0; {before} {call} {streams} || code=$?; echo $code >{self.count}.code"
        )
        return self.count

    def take(self) -> None:
        subprocess.run(
            [*ALONE, "sh", "-c", "set -e\n" + "\n".join(self.steps)],
            cwd=self.project.folder,
            env=self.project.environ,
            stdin=subprocess.DEVNULL,
            timeout=2 * PATIENCE,
            check=True,
        )

    def ran(self, number: int, output: str = "nondet-report") -> Ran:
        code, out, err = (self.text(f"{number}.{what}") for what in ("code", "out", "err"))
        return Ran(int(code), out, err, self.project.folder / output)

    def text(self, name: str) -> str:
        return (self.project.folder / name).read_text()


@pytest.fixture
def disk(project: Project) -> Disk:
    if not works([*ALONE, "mount", "-t", "tmpfs", "none", "/mnt"]):
        pytest.skip("no user namespaces here, so no small disk to fill")
    project.write(UNSEEDED)
    (project.folder / "disk").mkdir()
    return Disk(project)


def saved(folder: Path) -> dict[str, bytes]:
    found = sorted(folder.glob("trials/*/trial.json"))
    return {path.parent.name: path.read_bytes() for path in found}


@pytest.mark.parametrize(
    "size", [*(pytest.param(n, marks=pytest.mark.long) for n in (28, 100)), 60]
)
def test_what_is_known_is_kept(disk: Disk, size: int) -> None:
    disk.mount(f"{size}k")
    first = disk.diagnose(*QUICK, "--output", "disk/out")
    disk.copy("out", "kept")
    disk.grow("50m")
    second = disk.diagnose(*QUICK, "--output", "disk/out", "--resume")
    disk.copy("out", "done")
    disk.take()
    ended = disk.ran(first, "kept")
    ended.complained("disk-full", "no space left", "--resume")
    kept, done = disk.project.folder / "kept", disk.project.folder / "done"
    assert whole.faults_in(kept) == []
    # What was known by then is told at least.
    assert ("best diagnosis so far" in ended.out) == any(kept.glob("trials/*/trial.json"))
    assert ("Report" in ended.out) == (kept / "report.html").exists()
    again = disk.ran(second, "done")
    assert again.code == 1, again.err
    assert [cause.factor for cause in again.diagnosis.causes] == ["python-random"]
    assert whole.faults_in(done, again.diagnosis, "disk/out") == []
    assert saved(done).items() >= saved(kept).items()
    whole_ones = {name for name, data in saved(kept).items() if b'"completed"' in data}
    assert whole_ones <= {trial.id for trial in again.diagnosis.trials}


def test_the_diagnosis_so_far_is_written(disk: Disk) -> None:
    disk.project.write(UNSEEDED + "print('x' * 3 * 2**20)\n")
    disk.mount("24m")
    first = disk.diagnose(*QUICK, "--output", "disk/out")
    disk.copy("out", "kept")
    disk.grow("100m")
    second = disk.diagnose(*QUICK, "--output", "disk/out", "--resume")
    disk.copy("out", "done")
    disk.take()
    ended = disk.ran(first, "kept")
    ended.complained("disk-full", "no space left", "--resume")
    assert "Interrupted: this is the best diagnosis so far." in ended.out
    assert "disk/out/report.html" in ended.out
    assert ended.diagnosis.interrupted
    assert ended.diagnosis.first_divergence is not None
    page = (ended.output / "report.html").read_text()
    assert f"nondet diagnose --resume {' '.join(QUICK)} --output disk/out train.py" in page
    assert "the trials ended early: no space left" in " ".join(ended.diagnosis.warnings)
    # Values are kept while a diagnosis may go on.
    assert whole.faults_in(ended.output, ended.diagnosis, "disk/out") == ["values is left"]
    again = disk.ran(second, "done")
    assert again.code == 1, again.err
    assert saved(again.output).items() >= saved(ended.output).items()


@pytest.mark.parametrize("size", [4, pytest.param(40, marks=pytest.mark.long)])
def test_the_disk_for_temporary_files(disk: Disk, size: int) -> None:
    disk.mount(f"{size}k")
    first = disk.diagnose(*QUICK, before="TMPDIR=$PWD/disk")
    disk.grow("50m")
    second = disk.diagnose(*QUICK, "--resume", before="TMPDIR=$PWD/disk")
    disk.take()
    disk.ran(first).refused("disk-full", "no space left", "--resume")
    again = disk.ran(second)
    assert again.code == 1, again.err
    assert [cause.factor for cause in again.diagnosis.causes] == ["python-random"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_there_is_no_room_for_the_output(project: Project, unbuffered: str) -> None:
    """Whatever Python still holds of it at its end."""
    project.write(UNSEEDED)
    assert project.run("record", "-o", "a.nd", "train.py").code == 0
    for command in (("diff", "a.nd", "a.nd"), ("check", "--json", "train.py"), ("diff", "--help")):
        with open("/dev/full", "w") as full:
            told = subprocess.run(
                [NONDET, *command],
                cwd=project.folder,
                env=project.environ | {"PYTHONUNBUFFERED": unbuffered},
                stdin=subprocess.DEVNULL,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert told.returncode == 2, told.stderr
        *_, last = told.stderr.splitlines()
        # Neither has a --resume.
        assert last.endswith("free some, then try again [disk-full]"), told.stderr
