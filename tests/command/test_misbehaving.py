"""Scripts that behave badly end in a right verdict or a clear statement, and leave nothing."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from nondet import record
from tests.command.misbehaving import CASES, script, surroundings
from tests.command.privileges import own, works
from tests.command.running import QUICK, UNSEEDED, Project, marked, tree


@pytest.mark.parametrize("name", CASES)
def test_it_ends_in_a_right_verdict_or_a_clear_statement(
    project: Project, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text, case = CASES[name]
    environ = surroundings(case, tmp_path_factory.mktemp("locales"))
    for module in ("events", "nondet_guest", "record", "session"):
        project.write(f"WHO = {module!r}\n", f"{module}.py")
    project.write("kept", "data.txt")
    project.write(script(text))
    before = tree(project.folder)
    ran = project.diagnose(*QUICK, "--jobs", "2", *case.options, "train.py", environ=environ)
    assert ran.code == case.code, ran.out + ran.err
    assert "Traceback" not in ran.err
    diagnosis = ran.diagnosis
    for word in case.words:
        assert diagnosis.error is not None
        assert word in diagnosis.error.message, diagnosis.error.message
    assert case.warns in "\n".join(diagnosis.warnings)
    whole = [trial for trial in diagnosis.trials if trial.outcome == "completed"]
    assert {trial.checkpoints for trial in whole} <= {case.seen}
    assert case.code == 5 or len(whole) >= 3
    assert tree(project.folder) == before
    assert marked(project.mark) == []


CLOSED = """
import os
import random
import nondet
os.umask(0o777)
os.makedirs("closed", exist_ok=True)
nondet.checkpoint("value", random.random())
"""


def test_files_closed_to_everybody_are_read_all_the_same(
    project: Project, unprivileged: tuple[str, ...]
) -> None:
    project.write(CLOSED)
    own(project)
    ran = project.diagnose(*QUICK, "train.py", prefix=unprivileged)
    assert ran.code == 1, ran.out + ran.err
    assert ran.diagnosis.first_divergence is not None
    assert ran.diagnosis.first_divergence.max_abs is not None, "the values could be read"


FILLING = """
import nondet
nondet.checkpoint("before", 1)
with open("full", "wb") as file:
    for _ in range(64):
        file.write(bytes(1 << 20))
"""


def test_a_script_that_fills_its_folder_is_told_its_own_error(project: Project) -> None:
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    if not works([*alone, "mount", "-t", "tmpfs", "none", "/mnt"]):
        pytest.skip("no user namespaces here, so no small disk to fill")
    project.write(FILLING)
    temporary = project.folder.parent / "tmp"
    temporary.mkdir()
    mount = f'mount -t tmpfs -o size=16m none {temporary} && exec "$@"'
    ran = project.diagnose(
        *QUICK,
        "train.py",
        environ={"TMPDIR": str(temporary)},
        prefix=(*alone, "sh", "-c", mount, "sh"),
    )
    assert ran.code == 5, ran.out + ran.err
    assert ran.diagnosis.error is not None
    assert "No space left on device" in ran.diagnosis.error.message
    assert not (project.folder / "full").exists()


SITE = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "made_up":
            import importlib.machinery
            return importlib.machinery.ModuleSpec(name, None, is_package=True)
sys.meta_path.insert(0, Finder())
print("customised")
"""


def test_an_interpreter_that_is_customised(project: Project) -> None:
    (project.folder / "site").mkdir()
    project.write(SITE, "site/sitecustomize.py")
    project.write("import sys\nprint('by the user')\n", "site/usercustomize.py")
    project.write("import made_up\n" + UNSEEDED)
    ran = project.diagnose(*QUICK, "train.py", environ={"PYTHONPATH": str(project.folder / "site")})
    assert ran.code == 1, ran.out + ran.err
    assert [cause.factor for cause in ran.diagnosis.causes] == ["python-random"]
    assert (project.output / "trials/t01/stdout.log").read_text().startswith("customised\n")


def test_names_of_every_kind(tmp_path: Path) -> None:
    project = Project(tmp_path / "mein Prøjekt 🧪 'x' \"y\"")
    (project.folder / "ein Unter-Ordner").mkdir()
    name = "ein Unter-Ordner/tráin $HOME.py"
    project.write("from größe import größe\n" + UNSEEDED.replace("draw", "zieh_ß"), name)
    project.write("größe = 3\n", "ein Unter-Ordner/größe.py")
    ran = project.diagnose(*QUICK, "--output", "bericht é", name, "größe=3", "🧪")
    project.output = project.folder / "bericht é"
    assert ran.code == 1, ran.out + ran.err
    diagnosis = record.decode((project.output / "diagnosis.json").read_bytes())
    assert [(site.file, site.line) for site in diagnosis.causes[0].sites[:1]] == [(name, 8)]
    assert diagnosis.causes[0].sites[0].function == "zieh_ß"


LOUD = """
import os
import nondet
for number in {order}:
    for _ in range({mebibytes}):
        os.write(number, (b"half a line of much output " * 38837)[:1 << 20])
nondet.checkpoint("value", 1)
"""


@pytest.mark.parametrize("mebibytes", [20, pytest.param(1024, marks=pytest.mark.long)])
@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_much_output(project: Project, order: tuple[int, int], mebibytes: int) -> None:
    """To each of both streams."""
    project.write(LOUD.format(order=order, mebibytes=mebibytes))
    peak = project.folder / "peak"
    measured = ("/usr/bin/env", sys.executable, "-c", MEASURED, str(peak))
    ran = project.diagnose(*QUICK, "train.py", prefix=measured, patience=600)
    assert ran.code == 0, ran.out + ran.err
    for log in ("stdout.log", "stderr.log"):
        found = project.output / "trials/t01" / log
        assert mebibytes << 20 <= found.stat().st_size < (mebibytes + 1) << 20
    assert int(peak.read_text()) < 300 << 20
    # The tests' folders are kept for a while, and this one is large.
    shutil.rmtree(project.output)


MEASURED = """
import os, pathlib, resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
pathlib.Path(sys.argv[1]).write_text(str(peak))
sys.exit(code)
"""
"""Runs a command, and writes the memory that its largest process took."""


@pytest.mark.parametrize("path", ["nondet.py", "nondet/__init__.py"])
def test_a_module_of_our_name_in_the_folder_is_left_alone(project: Project, path: str) -> None:
    (project.folder / path).parent.mkdir(exist_ok=True)
    project.write("raise SystemExit('the user')\n", path)
    assert project.run("factors").code == 0
    project.write("import nondet\n")
    ran = project.diagnose(*QUICK, "train.py")
    assert ran.code == 5, ran.out + ran.err
    assert ran.diagnosis.error is not None
    assert "the user" in ran.diagnosis.error.message + ran.diagnosis.error.traceback
