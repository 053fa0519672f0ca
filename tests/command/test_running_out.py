"""The machine runs out of something: what is known stays."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from nondet import record
from tests.command.running import PATIENCE, QUICK, UNSEEDED, Project, Ran
from tests.report import samples

LIMITED = (
    "import os, resource, sys\n"
    "limit, value = getattr(resource, sys.argv[1]), int(sys.argv[2])\n"
    "resource.setrlimit(limit, (value, value))\n"
    "os.execv(sys.argv[3], sys.argv[3:])\n"
)


def limited(limit: str, value: int) -> tuple[str, ...]:
    """What starts a command under a limit of the system's."""
    assert hasattr(resource, limit)
    return (sys.executable, "-c", LIMITED, limit, str(value))


@pytest.mark.parametrize(
    "files", [6, *(pytest.param(n, marks=pytest.mark.long) for n in (8, 10, 12)), 13]
)
def test_too_few_files_may_be_open(project: Project, files: int) -> None:
    project.write(UNSEEDED)
    command = ("--quiet", *QUICK, "--jobs", "2", "train.py")
    ran = project.diagnose(*command, prefix=limited("RLIMIT_NOFILE", files))
    assert files > 10 or ran.code == 2, ran.err
    if ran.code == 2:
        slug = "trial-not-started" if "nondet: trial t" in ran.err else "too-many-files"
        # Once there are trials, what they have shown comes first.
        assert not ran.out or "best diagnosis so far" in ran.out
        ran.complained(slug, "open", "(ulimit -n)", "go on with --resume")
    before = project.trial_files()
    again = project.diagnose("--resume", *command)
    # With so many it may just work, and then it is the diagnosis already.
    assert ran.code in (again.code, 2), ran.err
    assert again.code == 1, again.err
    (cause,) = again.diagnosis.causes
    assert (cause.factor, cause.sites[0].place) == ("python-random", "train.py:7")
    assert project.trial_files().items() >= before.items()


def test_few_files_are_enough(project: Project) -> None:
    project.write(UNSEEDED)
    ran = project.diagnose(*QUICK, "--jobs", "2", "train.py", prefix=limited("RLIMIT_NOFILE", 32))
    assert ran.code == 1, ran.err


GREEDY = """
import nondet
nondet.checkpoint("before", 1)
taken = bytearray(b"1") * 900_000_000
"""


def test_a_script_is_refused_memory(project: Project) -> None:
    project.write(GREEDY)
    ran = project.diagnose(
        *QUICK, "--jobs", "2", "train.py", prefix=limited("RLIMIT_AS", 900_000_000)
    )
    assert ran.code == 5, ran.err
    assert ran.diagnosis.error is not None
    assert "MemoryError" in ran.diagnosis.error.message


OUT_OF_MEMORY = """
import resource, sys
from nondet import cli
from nondet.report import html
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (16 << 20),) * 2)
sys.argv = ["nondet", "report", "nondet-report"]
cli.main()
"""


def test_nondet_itself_is_refused_memory(project: Project) -> None:
    """By the system, while it reads a record that is larger than what it may take."""
    project.output.mkdir()
    large = structs.replace(samples.reproducible(), warnings=("x" * (40 << 20),))
    data = record.encode(large)
    (project.output / "diagnosis.json").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY],
        cwd=project.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    ran = Ran(done.returncode, done.stdout, done.stderr, project.output)
    ran.refused("out-of-memory", "no more memory", "try again")
    assert [path.name for path in project.output.iterdir()] == ["diagnosis.json"]


TIGHT = 500 << 20
"""Bytes that the kernel lets a diagnosis have: enough for it, and not for `GREEDY`."""
JOINING = """
import os, sys
with open(sys.argv[1], "w") as members:
    members.write(str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture
def tight() -> Iterator[tuple[str, ...]]:
    """What starts a command in a control group whose memory the kernel limits."""
    try:
        group = control_group(TIGHT)
    except OSError as error:
        pytest.skip(f"no control group with a limit of memory can be made here: {error}")
    try:
        yield (sys.executable, "-c", JOINING, str(group / "cgroup.procs"))
    finally:
        group.rmdir()


def control_group(limit: int) -> Path:
    """One below that of this process, in which no more memory may be taken. Raises OSError."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    own = {names: path for _, names, path in (line.split(":", 2) for line in lines)}
    old = "memory" in own
    base = Path("/sys/fs/cgroup/memory") if old else Path("/sys/fs/cgroup")
    group = base / own["memory" if old else ""].lstrip("/") / f"nondet-{os.getpid()}"
    group.mkdir()
    try:
        (group / ("memory.limit_in_bytes" if old else "memory.max")).write_text(str(limit))
        swap = group / ("memory.memsw.limit_in_bytes" if old else "memory.swap.max")
        if swap.exists():
            swap.write_text(str(limit if old else 0))
    except OSError:
        group.rmdir()
        raise
    return group


def test_the_kernel_kills_a_trial_for_want_of_memory(
    project: Project, tight: tuple[str, ...]
) -> None:
    project.write(GREEDY)
    ran = project.diagnose(*QUICK, "--jobs", "2", "train.py", prefix=tight)
    assert ran.code == 5, ran.err
    assert ran.diagnosis.error is not None
    assert ran.diagnosis.error.slug == "killed"
    assert "mostly for want of memory" in ran.diagnosis.error.message
    killed = [trial for trial in ran.diagnosis.trials if trial.outcome == "killed"]
    assert killed
    assert all(100e6 < (trial.peak_memory or 0) <= TIGHT for trial in killed)


KILLED = """
import os
import signal
import nondet
nondet.checkpoint("before", 1)
taken = bytearray(b"1") * 150_000_000
os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does
"""


def test_a_trial_killed_for_want_of_memory_is_killed_and_its_peak_is_told(
    project: Project,
) -> None:
    project.write(KILLED)
    ran = project.diagnose(*QUICK, "--jobs", "2", "train.py")
    assert ran.code == 5, ran.err
    diagnosis = ran.diagnosis
    assert diagnosis.error is not None
    assert diagnosis.error.slug == "killed"
    assert "ended by signal 9, mostly for want of memory; it had taken" in diagnosis.error.message
    killed = [trial for trial in diagnosis.trials if trial.outcome == "killed"]
    assert killed
    assert all(150e6 < (trial.peak_memory or 0) < 400e6 for trial in killed)
    assert "from now on trials run one by one" in ran.err
