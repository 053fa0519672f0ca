"""Scripts that start the one that trains in a Python of its own, as launchers do."""

from __future__ import annotations

import pytest

from nondet.record import EXIT_CODES, Program
from tests.command.running import QUICK, SEEDED, Project, tree

TRAIN = """
import os
import random
import sys
import nondet

nondet.checkpoint("args", " ".join(sys.argv))
nondet.checkpoint("value", random.random())
print("trained", os.environ.get("RANK"), flush=True)
sys.exit(3 if "--fail" in sys.argv else 0)
"""
LAUNCH = """
import os
import subprocess
import sys

command = [sys.executable, "-u", {named}, *sys.argv[1:]]
child = subprocess.Popen(command, env=dict(os.environ, RANK="0"), stdout=subprocess.PIPE, text=True)
assert child.args == command, child.args
out, _ = child.communicate()
assert out == "trained 0\\n", out
sys.exit(child.returncode)
"""


@pytest.mark.parametrize(
    "named",
    [
        pytest.param('"train.py"', id="script"),
        pytest.param('"-m", "train"', id="module", marks=pytest.mark.long),
    ],
)
def test_what_a_launcher_starts_is_the_trial(project: Project, named: str) -> None:
    project.write(TRAIN)
    project.write(LAUNCH.format(named=named), "launch.py")
    before = tree(project.folder)
    ran = project.diagnose("--confidence", "0.75", "launch.py", "--epochs", "3")
    assert ran.code == 1, ran.out + ran.err
    assert tree(project.folder) == before
    diagnosis = ran.diagnosis
    assert (diagnosis.subject.script, diagnosis.subject.trains) == ("launch.py", "train.py")
    (cause,) = diagnosis.causes
    assert cause.factor == "python-random"
    assert (cause.sites[0].file, cause.sites[0].line) == ("train.py", 8)
    assert diagnosis.prescription is not None
    assert diagnosis.prescription.patch_verified, diagnosis.prescription.patch_note
    assert "Put at the top of train.py" in ran.out
    assert "+++ b/train.py" in project.run("fix", "nondet-report").out
    assert diagnosis.warnings == ()


def test_what_the_launcher_draws_is_a_cause_as_well(project: Project) -> None:
    """A seed that is made up here and handed on."""
    project.write(SEEDED + "\nimport sys\nnondet.checkpoint('argument', sys.argv[1])\n")
    project.write(
        "import random, subprocess, sys\n"
        "seed = str(random.randrange(10**9))\n"
        "subprocess.run([sys.executable, 'train.py', seed], check=True)\n",
        "launch.py",
    )
    ran = project.diagnose("--confidence", "0.75", "launch.py")
    assert ran.code == 1, ran.out + ran.err
    (cause,) = ran.diagnosis.causes
    assert cause.factor == "python-random"
    assert "launch.py" in {site.file for site in cause.sites}
    assert ran.diagnosis.subject.trains == "train.py"
    assert "Put at the top of launch.py" in ran.out
    found = ran.diagnosis.prescription
    assert found is not None and found.patch is not None
    assert "+++ b/launch.py" in found.patch and "+++ b/train.py" not in found.patch
    assert found.patch_verified, found.patch_note


def test_a_child_that_records_nothing_goes_before_the_one_that_trains(project: Project) -> None:
    project.write("import pathlib\npathlib.Path('data.txt').write_text('1')\n", "prepare.py")
    project.write(TRAIN)
    project.write(
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, 'prepare.py'], check=True)\n"
        "subprocess.run([sys.executable, '-c', 'print(1)'], check=True)\n"
        "subprocess.run([sys.executable, 'train.py'], check=True)\n",
        "launch.py",
    )
    ran = project.diagnose(*QUICK, "launch.py")
    assert ran.code == 1, ran.out + ran.err
    assert ran.diagnosis.subject.trains == "train.py"
    assert not (project.folder / "data.txt").exists()


@pytest.mark.parametrize("draws", [False, True])
def test_a_script_that_has_data_prepared_and_trains_itself(project: Project, draws: bool) -> None:
    project.write("import pathlib\npathlib.Path('data.txt').write_text('1')\n", "prepare.py")
    value = "random.random()" if draws else "1"
    project.write(
        "import random, subprocess, sys\n"
        "import nondet\n"
        "subprocess.run([sys.executable, 'prepare.py'], check=True)\n"
        "nondet.checkpoint('data', open('data.txt').read())\n"
        f"nondet.checkpoint('value', {value})\n"
    )
    ran = project.diagnose("--confidence", "0.75", "train.py")
    assert ran.code == draws, ran.out + ran.err
    diagnosis = ran.diagnosis
    assert diagnosis.subject.trains == ""
    assert {t.checkpoints for t in diagnosis.trials if t.outcome == "completed"} == {2}
    if draws:
        (cause,) = diagnosis.causes
        assert (cause.sites[0].file, cause.sites[0].line) == ("train.py", 5)
        assert diagnosis.prescription is not None
        assert diagnosis.prescription.patch_verified


def test_each_script_that_draws_is_seeded_in_its_own_file(project: Project) -> None:
    (project.folder / "tools").mkdir()
    project.write(
        "import random\nopen('data.txt', 'w').write(str(random.random()))\n", "tools/prepare.py"
    )
    project.write(
        "import random, subprocess, sys\n"
        "import nondet\n"
        "subprocess.run([sys.executable, 'tools/prepare.py'], check=True)\n"
        "nondet.checkpoint('data', open('data.txt').read())\n"
        "nondet.checkpoint('value', random.random())\n"
    )
    ran = project.diagnose("--confidence", "0.75", "train.py")
    assert ran.code == 1, ran.out + ran.err
    found = ran.diagnosis.prescription
    assert found is not None and found.patch is not None
    seed = "import random\nrandom.seed(42)"
    assert (found.snippet, found.drawing) == (seed, ())
    assert found.programs == (Program(file="tools/prepare.py", top=(seed,)),)
    assert "+++ b/train.py" in found.patch and "+++ b/tools/prepare.py" in found.patch
    assert found.patch_verified, found.patch_note
    assert "And at the top of tools/prepare.py" in ran.out


def test_a_server_beside_the_training_is_none_of_the_trial(project: Project) -> None:
    project.write("import sys, time\nprint('ready', flush=True)\ntime.sleep(60)\n", "server.py")
    project.write(
        "import random, subprocess, sys\n"
        "import nondet\n"
        "command = [sys.executable, 'server.py']\n"
        "server = subprocess.Popen(command, stdout=subprocess.PIPE)\n"
        "server.stdout.readline()\n"
        "nondet.checkpoint('value', random.random())\n"
        "nondet.checkpoint('end', 1)\n"
        "server.kill()\n"
        "server.wait()\n"
    )
    ran = project.diagnose(*QUICK, "train.py")
    assert ran.code == 1, ran.out + ran.err
    diagnosis = ran.diagnosis
    assert diagnosis.subject.trains == ""
    (cause,) = diagnosis.causes
    assert cause.factor == "python-random"
    assert (cause.sites[0].file, cause.sites[0].line) == ("train.py", 6)
    assert {t.checkpoints for t in diagnosis.trials if t.outcome == "completed"} == {2}


AFTERWARDS = """
import subprocess, sys
server = subprocess.Popen([sys.executable, "server.py"], stdout=subprocess.PIPE)
server.stdout.readline()
for name in ("prepare.py", "other.py"):
    subprocess.run([sys.executable, name], check=True)
server.kill()
server.wait()
subprocess.run([sys.executable, "train.py"], check=True)
subprocess.run([sys.executable, "prepare.py"], check=True)
"""


@pytest.mark.long
def test_children_that_do_not_train_are_no_second_course(project: Project) -> None:
    """Before, beside and after the one that does."""
    project.write("import time\nprint('ready', flush=True)\ntime.sleep(60)\n", "server.py")
    project.write("x = 1\n", "prepare.py")
    project.write("x = 2\n", "other.py")
    project.write(TRAIN)
    project.write(AFTERWARDS, "launch.py")
    ran = project.diagnose(*QUICK, "launch.py")
    assert ran.code == 1, ran.out + ran.err
    assert ran.diagnosis.subject.trains == "train.py"
    assert [cause.factor for cause in ran.diagnosis.causes] == ["python-random"]


def test_the_exit_code_of_the_child_is_its_own(project: Project) -> None:
    project.write(TRAIN.replace("random.random()", "1"))
    project.write(LAUNCH.format(named='"train.py"'), "launch.py")
    ran = project.diagnose(*QUICK, "launch.py", "--fail")
    assert ran.code == EXIT_CODES["broken"]
    assert "ended with exit code 3" in ran.out


TWO = """
import subprocess, sys
children = [subprocess.Popen([sys.executable, "train.py", n]) for n in "12"]
sys.exit(max(child.wait() for child in children))
"""
IN_TURN = """
import subprocess, sys
for n in "12":
    subprocess.run([sys.executable, "train.py", n], check=True)
"""
SPAWNED = """
import os, sys
for n in "12":
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "train.py", n]) == 0
"""
BESIDE = """
import subprocess, sys
import nondet
subprocess.run([sys.executable, "train.py"], check=True)
nondet.checkpoint("own", 1)
"""


@pytest.mark.parametrize(
    "text", [TWO, IN_TURN, SPAWNED, BESIDE], ids=["two", "in turn", "spawned", "beside"]
)
def test_where_several_train_none_is_compared(project: Project, text: str) -> None:
    project.write(TRAIN)
    project.write(text, "launch.py")
    ran = project.diagnose(*QUICK, "launch.py")
    assert ran.code == EXIT_CODES["broken"], ran.out + ran.err
    assert ran.diagnosis.error is not None
    assert ran.diagnosis.error.slug == "several-courses"
    assert "by itself" in ran.out


def test_a_script_that_has_recorded_already_is_the_trial(project: Project) -> None:
    project.write(TRAIN)
    project.write(
        SEEDED + "\nimport subprocess, sys\nsubprocess.run([sys.executable, 'train.py'])\n",
        "launch.py",
    )
    ran = project.diagnose(*QUICK, "launch.py")
    assert ran.code == 0, ran.out + ran.err
    assert ran.diagnosis.subject.trains == ""
