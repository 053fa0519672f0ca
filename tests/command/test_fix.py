"""The fix: a patch of the user's own files, run by itself, shown and applied."""

from __future__ import annotations

import json
import subprocess

from tests.command.running import QUICK, Project

SCRIPT = """\
# Draws in three ways.
import numpy as np

import nondet
from helper import number

rng = np.random.default_rng()  # the data
words = " ".join({"one", "two", "three", "four", "five", "six"})
nondet.checkpoint("data", rng.normal(size=3))
nondet.checkpoint("number", number)
nondet.checkpoint("words", words)
"""
HELPER = "import random\n\nnumber = random.random()\n"
PATCHED = """\
# Draws in three ways.
import numpy as np

import nondet

import random
random.seed(42)

from helper import number

rng = np.random.default_rng(42)  # the data
"""


def test_a_patch_is_made_run_shown_and_applied(project: Project) -> None:
    project.write(SCRIPT)
    project.write(HELPER, "helper.py")
    ran = project.diagnose(*QUICK, "--verify", "train.py")
    assert ran.code == 1, ran.err
    found = ran.diagnosis
    assert {cause.factor for cause in found.causes} == {
        "python-random", "numpy-generator", "hash-seed"
    }  # fmt: skip
    fix = found.prescription
    assert fix is not None
    assert fix.patch_verified, fix.patch_note
    assert len(fix.patch_trials) == 3
    by_id = {trial.id: trial for trial in found.trials}
    assert all(set(by_id[trial].plan.values()) == {"free"} for trial in fix.patch_trials)
    assert "Verified: 3 runs of the patched script" in ran.out
    assert "Verified: 3 runs" in (project.output / "report.html").read_text()

    shown = project.run("fix", "nondet-report")
    assert fix.patch
    assert (shown.code, shown.out) == (0, fix.patch)
    assert "PYTHONHASHSEED=0 python train.py" in shown.err
    assert (project.folder / "train.py").read_text() == SCRIPT

    applied = project.run("fix", "--apply", "nondet-report")
    assert applied.code == 0, applied.err
    patched = (project.folder / "train.py").read_text()
    assert patched == PATCHED + SCRIPT.partition("# the data\n")[2]
    assert (project.folder / "train.py.orig").read_text() == SCRIPT
    assert (project.folder / "helper.py").read_text() == HELPER
    subprocess.run(["git", "apply", "-R"], cwd=project.folder, input=fix.patch.encode(), check=True)
    assert (project.folder / "train.py").read_text() == SCRIPT

    # The patch would fit the second; it was not verified for that.
    for changed in (patched, SCRIPT + "nondet.checkpoint('more', np.random.normal())\n"):
        (project.folder / "train.py").write_text(changed)
        refused = project.run("fix", "--apply", "nondet-report")
        assert refused.code == 2
        assert "[changed-since]" in refused.err
        assert (project.folder / "train.py").read_text() == changed
    (project.folder / "train.py").write_text(patched)
    again = project.diagnose("--force", *QUICK, "train.py", environ={"PYTHONHASHSEED": "0"})
    assert again.code == 0, again.out


CLOCK = """\
import time

import nondet

nondet.checkpoint("now", time.time())
"""


def test_a_patch_that_does_not_hold_all_is_no_fix(project: Project) -> None:
    project.write(CLOCK)
    ran = project.diagnose(*QUICK, "--verify", "train.py")
    fix = ran.diagnosis.prescription
    assert fix is not None
    assert (fix.patch, fix.patch_verified, fix.patch_trials) == (None, False, ())
    assert fix.left == ("what holds clock is no line of code that can be changed by itself",)
    shown = project.run("fix", "nondet-report")
    assert (shown.code, shown.out) == (0, "")
    assert "What holds clock is no line of code" in shown.err
    assert "[nothing-to-apply]" in project.run("fix", "--apply", "nondet-report").err


def test_other_readers_are_told(project: Project) -> None:
    project.write(CLOCK)
    project.diagnose("--quiet", *QUICK, "train.py")
    sarif = json.loads(project.run("report", "--format", "sarif", "nondet-report").out)
    (result,) = sarif["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "train.py"
    assert place["region"]["startLine"] == 5
    assert project.run("report", "--format", "junit", "nondet-report").out.startswith("<?xml")
    assert project.run("report", "--format", "markdown", "nondet-report").out.startswith("### ")
    told = project.run("report", "--format", "json", "nondet-report").out
    assert told == (project.output / "diagnosis.json").read_text()


NAMING = """\
import uuid

import nondet
import data

nondet.checkpoint("data", data.ROWS)
nondet.checkpoint("name", str(uuid.uuid4()))
"""
NAMED = """\
import uuid

import nondet

import random
random.seed(42)
FIXED = random.Random(42)

import data

nondet.checkpoint("data", data.ROWS)
nondet.checkpoint("name", str(uuid.UUID(int=FIXED.getrandbits(128), version=4)))
"""


def test_a_script_in_a_folder_below_is_changed_once_and_before_what_draws(project: Project) -> None:
    (project.folder / "src").mkdir()
    project.write("import random\n\nROWS = random.random()\n", "src/data.py")
    project.write(NAMING, "src/train.py")
    ran = project.diagnose(*QUICK, "--verify", "./src/train.py")
    fix = ran.diagnosis.prescription
    assert fix is not None, ran.err
    assert (fix.drawing, fix.left, fix.patch_verified) == (("data",), (), True)
    applied = project.run("fix", "--apply", "nondet-report")
    assert applied.code == 0, applied.err
    assert (project.folder / "src/train.py").read_text() == NAMED
    assert (project.folder / "src/train.py.orig").read_text() == NAMING
