"""The user's folder stays as it was; the output folder is private, whole, and never taken over."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import pytest
from msgspec import structs

from nondet import record
from nondet.guest.factors import REGISTRY
from tests.command.privileges import own
from tests.command.running import QUICK, SEEDED, UNSEEDED, Gate, Project, marked, tree, until
from tests.report import samples

VANDAL = """
import os
import pathlib
import random
import shutil
import nondet
here = pathlib.Path(".")
here.joinpath("kept.txt").write_text("overwritten")
here.joinpath("doomed.txt").unlink(missing_ok=True)
if here.joinpath("old.txt").exists():
    here.joinpath("old.txt").rename("new.txt")
shutil.rmtree("data")
here.joinpath("data").mkdir()
here.joinpath("data/other.bin").write_bytes(bytes(100))
here.joinpath("link").unlink(missing_ok=True)
os.chmod("tool.sh", 0o600)
os.utime("kept.txt", (0, 0))
nondet.checkpoint("value", random.random())
"""
LISTING = """
import os
import nondet
seen = sorted(
    os.path.join(root, name)
    for root, folders, files in os.walk(".")
    for name in folders + files
    if "__pycache__" not in root + name
)
nondet.checkpoint("seen", " ".join(seen))
nondet.checkpoint("count", len(os.listdir(".")))
print(seen)
"""


def furnish(project: Project) -> None:
    """Everything that VANDAL lays hands on."""
    for name in ("kept.txt", "doomed.txt", "old.txt", "tool.sh"):
        project.write(name, name)
    (project.folder / "tool.sh").chmod(0o755)
    (project.folder / "data/deep").mkdir(parents=True)
    project.write("1,2\n", "data/deep/table.csv")
    (project.folder / "link").symlink_to("kept.txt")
    project.write(VANDAL)


def test_the_user_s_folder_is_left_as_it_was(project: Project) -> None:
    furnish(project)
    before = tree(project.folder)
    ran = project.diagnose(*QUICK, "train.py")
    assert ran.code == 1
    assert [cause.factor for cause in ran.diagnosis.causes] == ["python-random"]
    assert tree(project.folder) == before


def test_scripts_do_not_see_the_output_folder(project: Project) -> None:
    project.write(LISTING)
    (project.folder / "sub").mkdir()
    first = project.diagnose(*QUICK, "--output", "sub/out", "train.py")
    assert first.code == 0, first.out
    again = project.diagnose(*QUICK, "train.py")
    assert again.code == 0, again.out
    seen = (project.output / "trials/t01/stdout.log").read_text()
    assert "nondet-report" not in seen


def test_a_diagnosis_is_not_overwritten(project: Project) -> None:
    project.write(SEEDED)
    assert project.diagnose("--max-trials", "2", "train.py").code == 4
    before = project.trial_files()
    refused = project.diagnose()
    refused.refused("output-exists", "nondet-report", "--resume", "--force", "--output")
    assert project.trial_files() == before
    resumed = project.diagnose("--resume", *QUICK, "train.py")
    assert resumed.code == 0
    assert len(resumed.diagnosis.trials) == 3
    assert project.trial_files().items() >= before.items()
    forced = project.diagnose("--force", "--max-trials", "2", "train.py")
    assert forced.code == 4
    assert set(project.trial_files()) == {"t01", "t02"}
    assert project.trial_files() != before


@pytest.mark.parametrize(
    ("verb", "option", "code", "other"),
    [("diagnose", "--max-trials", 4, "repeat"), ("repeat", "-n", 0, "diagnose")],
)
def test_a_folder_that_is_written_to_is_not_taken(
    project: Project, verb: str, option: str, code: int, other: str
) -> None:
    gate = Gate(project.folder.parent / "gate")
    gate.shut()
    project.write(gate.lines + SEEDED)
    project.verb = verb
    with project.started("--output", "out", "--quiet", option, "2", "train.py") as process:
        log = project.folder / "out/trials/t01/events.jsonl"
        until(lambda: log.exists() or process.poll() is not None, "the first trial")
        ran = project.run(other, "--force", "--output", "out", "train.py")
        ran.refused("output-in-use", "out", "wait until it has ended", "name another")
        below = [one.pid for one in marked(project.mark) if one.pid != process.pid]
        assert below
        assert opened(process.pid, project.folder / "out"), "it is held by this"
        assert not [pid for pid in below if opened(pid, project.folder / "out")]
        gate.open()
        _, told = process.communicate()
    assert process.returncode == code, told
    kept = {path.name for path in (project.folder / "out/trials").iterdir()}
    assert kept == {"t01", "t02"}


def opened(pid: int, folder: Path) -> bool:
    """Whether a process has the folder itself open, under whatever name."""
    handles = Path(f"/proc/{pid}/fd")
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return any(os.path.exists(one) and one.samefile(folder) for one in handles.iterdir())
    return False


@pytest.mark.parametrize("option", [(), ("--force",), ("--resume",)])
def test_other_things_in_the_output_folder(project: Project, option: tuple[str, ...]) -> None:
    project.write(SEEDED)
    project.output.mkdir()
    (project.output / "thesis.tex").write_text("years of work")
    project.diagnose(*option, "train.py").refused("output-not-empty", "nondet-report", "name a new")
    assert [path.name for path in project.output.iterdir()] == ["thesis.tex"]


def test_a_file_where_the_output_should_go(project: Project) -> None:
    project.write(SEEDED)
    project.output.write_text("a file")
    project.diagnose().refused("output-not-a-folder", "nondet-report", "name a new")
    assert project.output.read_text() == "a file"


def test_the_script_inside_the_output_folder(project: Project) -> None:
    project.write(SEEDED)
    ran = project.diagnose("--output", "..", "train.py")
    ran.refused("output-not-empty", "..")


def test_without_root_s_rights(project: Project, unprivileged: tuple[str, ...]) -> None:
    furnish(project)
    own(project)
    before = tree(project.folder)
    ran = project.diagnose(*QUICK, "train.py", prefix=unprivileged)
    assert ran.code == 1, ran.err
    assert [cause.factor for cause in ran.diagnosis.causes] == ["python-random"]
    assert tree(project.folder) == before


def test_what_is_written_is_the_user_s_alone(project: Project) -> None:
    project.write(UNSEEDED)
    previous = os.umask(0)
    try:
        assert project.diagnose(*QUICK, "train.py").code == 1
    finally:
        os.umask(previous)
    closed(project.output)


def closed(*paths: Path) -> None:
    """Nobody else can read any of it."""
    for path in (below for top in paths for below in (top, *top.rglob("*"))):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_what_is_written_while_trials_run(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(
        "import os, nondet, time\nos.umask(0)\nopen('made', 'w').close()\n"
        "nondet.checkpoint('a', [1.5, 2.5])\nprint('said', flush=True)\ntime.sleep(600)\n"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    previous = os.umask(0)
    try:
        with project.started("--quiet", "--jobs", "1", "train.py"):
            trial = project.output / "trials/t01"
            until(lambda: (trial / "stdout.log").exists(), "the first trial")
            until(lambda: (trial / "stdout.log").read_bytes(), "its output")
            assert [path.read_bytes() for path in (project.output / "values").iterdir()]
            closed(project.output)
            rooms = list(scratch.iterdir())
            assert rooms
            # What trials write of their own lies within, with the modes that they give it.
            assert not any(room.stat().st_mode & 0o077 for room in rooms)
    finally:
        os.umask(previous)


def test_what_is_written_by_every_command(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(UNSEEDED)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    previous = os.umask(0)
    try:
        assert project.run("repeat", "-n", "2", "train.py").code == 0
        for name in ("a.nd", "b.nd"):
            assert project.run("record", "-o", name, "train.py").code == 0
        assert project.run("diff", "--html", "diff.html", "a.nd", "b.nd").code == 1
        assert project.run("check", "train.py").code == 1
        assert project.run("run", "train.py").code == 0
        (project.folder / "nondet-repeat/repeat.html").chmod(0o644)
        assert project.run("report", "nondet-repeat").code == 0
    finally:
        os.umask(previous)
    made = {path.name: path for path in project.folder.iterdir() if path.name != "train.py"}
    assert made.keys() == {"a.nd", "b.nd", "diff.html", "nondet-repeat"}
    closed(*made.values())
    assert list(scratch.iterdir()) == []


def test_scripts_keep_the_user_s_umask(project: Project) -> None:
    project.write(
        "import os, nondet\nopen('made', 'w').close()\n"
        "nondet.checkpoint('mode', os.stat('made').st_mode)\nprint(oct(os.stat('made').st_mode))\n"
    )
    previous = os.umask(0o002)
    try:
        assert project.diagnose("--max-trials", "2", "train.py").code == 4
    finally:
        os.umask(previous)
    assert (project.output / "trials/t01/stdout.log").read_text() == "0o100664\n"


def test_the_report_can_be_rendered_again(project: Project) -> None:
    project.write(UNSEEDED)
    ran = project.diagnose()
    page = project.output / "report.html"
    # Its commands to copy name the folder where it lies.
    elsewhere = project.folder.parent / "elsewhere"
    before = page.read_bytes().replace(b"nondet-report", str(elsewhere).encode())
    page.unlink()
    shutil.move(project.output, elsewhere)
    (project.folder / "train.py").unlink()
    again = project.run("report", str(elsewhere))
    assert again.code == 0
    assert (elsewhere / "report.html").read_bytes() == before
    assert again.out.splitlines()[:3] == ran.out.splitlines()[:3]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a diagnosis"),
        (b'{"schema": 999}', "upgrade"),
        (b'{"schema": 1}', "not a diagnosis of schema 1"),
    ],
)
def test_a_record_that_can_t_be_read(project: Project, data: bytes, words: str) -> None:
    project.output.mkdir()
    (project.output / "diagnosis.json").write_bytes(data)
    project.run("report", "nondet-report").refused("diagnosis-unreadable", "diagnosis.json", words)


def test_a_record_whose_parts_do_not_go_together(project: Project) -> None:
    sure = record.Confidence(
        agreeing_trials=6, divergence_probability_bound=1e308, level=0.95, rate=0.5
    )
    project.output.mkdir()
    data = record.encode(structs.replace(samples.reproducible(), confidence=sure))
    (project.output / "diagnosis.json").write_bytes(data)
    ran = project.run("report", "nondet-report")
    ran.refused("diagnosis-inconsistent", "diagnosis.json", "don't go together")


def test_every_factor_is_listed(project: Project) -> None:
    ran = project.run("factors")
    assert ran.code == 0
    for factor in REGISTRY:
        assert factor.name in ran.out
        assert factor.title in ran.out


def test_the_scratch_of_a_killed_host_is_swept(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("import nondet, time\nnondet.checkpoint('a', 1)\ntime.sleep(600)\n")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    with project.started("--quiet", "--jobs", "2", "train.py") as process:
        second = project.output / "trials/t02/events.jsonl"
        until(lambda: second.exists() or process.poll() is not None, "the second trial")
        process.kill()
        process.wait()
    assert any(scratch.glob("nondet-scratch-*/rooms"))
    project.write(SEEDED)
    ran = project.diagnose("--force", "--max-trials", "2", "train.py")
    assert ran.code == 4
    assert list(scratch.iterdir()) == []
