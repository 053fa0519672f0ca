"""What can't be diagnosed: one clear line or a record that says why, and the right exit code."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from nondet import record
from tests.command.running import QUICK, SEEDED, Project, marked

ECHO = """
import subprocess
import sys
import nondet
nondet.checkpoint("args", ascii(sys.argv[1:]))
print(ascii(sys.argv), flush=True)
"""


def test_no_such_script(project: Project) -> None:
    ran = project.diagnose("nope.py")
    ran.refused("no-such-script", "nope.py", str(project.folder), "options go before SCRIPT")
    assert not project.output.exists()


def test_the_options_are_written_down_as_they_were_given(project: Project) -> None:
    project.write("import nondet\nnondet.checkpoint('a', 1)\n")
    given = (
        *("--python", sys.executable, "--jobs", "1", "--budget", "1200000.5", "--confidence"),
        *("0.75", "--no-fork", "--no-verify", "--factors", "hash-seed,clock", "--granularity"),
        *("step", "--timeout", "90"),
    )
    shown = ("--quiet", "--output", "there", "--force")
    ran = project.run("diagnose", *shown, *given, "train.py", "--budget", "its own")
    assert ran.code == 0, ran.err
    found = record.decode((project.folder / "there/diagnosis.json").read_bytes())
    assert found.options == given
    assert found.subject.args == ("--budget", "its own")


@pytest.mark.parametrize("folder", ["", "./"])
def test_a_name_that_is_too_long(project: Project, folder: str) -> None:
    project.diagnose(folder + "a" * 300).refused("script-unreadable", "name too long")


def test_a_folder_is_no_script(project: Project) -> None:
    (project.folder / "src").mkdir()
    project.diagnose("src").refused("script-is-a-folder", "src is a folder", "name the script")


def test_a_binary_file_is_no_script(project: Project) -> None:
    (project.folder / "model.bin").write_bytes(b"\x7fELF\0\0")
    project.diagnose("model.bin").refused("not-python", "model.bin", "name a .py file")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--factors", "pyton-random"), ("'pyton-random'", "did you mean python-random?")),
        (("--skip", "qqqq"), ("'qqqq' is no factor", "nondet factors")),
        (("--budget", "soon"), ("'soon'", "90s, 20m or 2h")),
        (("--timeout", "-3s"), ("'-3s'", "90s, 20m or 2h")),
        (("--max-trials", "1"), ("--max-trials", "x>=2")),
        (("--confidence", "95"), ("--confidence", "0.5<=x<=0.9999")),
        (("--rate", "0"), ("--rate", "0.001<=x<=1")),
        (("--rate", "1.5"), ("--rate", "0.001<=x<=1")),
        (("--epochs", "0"), ("--epochs", "x>=1")),
        (("--steps", "few"), ("--steps", "few")),
    ],
)
def test_bad_options(project: Project, options: tuple[str, ...], words: tuple[str, ...]) -> None:
    project.write(SEEDED)
    ran = project.diagnose(*options, "train.py")
    ran.refused("usage", *words, "see `nondet diagnose --help`")


def test_options_that_do_not_fit_together(project: Project) -> None:
    project.write(SEEDED)
    both = project.diagnose("--epochs", "2", "--steps", "9", "train.py")
    both.refused("two-horizons", "--epochs and --steps")
    unseen = project.diagnose("--steps", "9", "--granularity", "epoch", "train.py")
    unseen.refused("steps-not-recorded", "--granularity epoch")
    assert not project.output.exists()


def test_bad_commands(project: Project) -> None:
    project.run("diagnose").refused("usage", "SCRIPT", "nondet diagnose --help")
    project.run("diagnoze").refused("usage", "'diagnoze'", "nondet --help")
    project.run("report", "nowhere").refused("no-diagnosis", "nowhere")


@pytest.mark.parametrize(
    ("python", "slug"),
    [
        ("/nowhere/python", "no-such-interpreter"),
        (".", "no-such-interpreter"),
        ("/bin/false", "interpreter-does-not-start"),
        ("/bin/true", "interpreter-does-not-start"),
        ("/bin/cat", "interpreter-does-not-start"),
    ],
)
def test_what_is_no_interpreter(project: Project, python: str, slug: str) -> None:
    project.write(SEEDED)
    project.diagnose("--python", python, "train.py").refused(slug, f"--python {python}", "ython")


def test_a_syntax_error_is_told_in_the_interpreter_s_words(project: Project) -> None:
    project.write("import keras\n\ndef f(:\n    pass\n")
    ran = project.diagnose()
    assert ran.code == 5
    diagnosis = ran.diagnosis
    assert diagnosis.verdict == "broken"
    assert diagnosis.error is not None
    assert diagnosis.error.slug == "syntax-error"
    assert "train.py is not valid Python 3" in diagnosis.error.message
    for text in (diagnosis.error.traceback, ran.out):
        assert "SyntaxError: invalid syntax" in text
        assert "line 3" in text
        assert "def f(:" in text
    assert diagnosis.trials == ()
    assert (project.output / "report.html").exists()


@pytest.mark.parametrize(("depth", "words"), [(5_000, "RecursionError"), (7_000, "MemoryError")])
def test_a_script_is_nested_too_deeply(project: Project, depth: int, words: str) -> None:
    """It was the interpreter that was said not to start."""
    project.write("x = " + "-" * depth + "1\n")
    told = subprocess.run(
        [sys.executable, "train.py"],
        cwd=project.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if words not in told.stderr:
        pytest.skip("this interpreter takes it, or says it otherwise")
    ran = project.diagnose()
    assert ran.code == 5
    assert ran.diagnosis.error is not None
    assert ran.diagnosis.error.slug == "syntax-error"
    assert words in ran.diagnosis.error.traceback


def test_an_interpreter_without_keras(project: Project, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", symlinks=True, with_pip=False)
    project.write("import keras\n")
    ran = project.diagnose("--python", str(tmp_path / "bare/bin/python"), "train.py")
    assert ran.code == 5
    error = ran.diagnosis.error
    assert error is not None
    assert error.slug == "crash"
    assert "ModuleNotFoundError: No module named 'keras'" in error.message
    assert "ModuleNotFoundError: No module named 'keras'" in ran.out
    assert ran.diagnosis.subject.python == str(tmp_path / "bare/bin/python")


def test_a_crash_midway_is_the_script_s_own(project: Project) -> None:
    project.write(
        "import nondet\n\n\ndef train(epoch):\n"
        "    nondet.checkpoint('epoch', epoch)\n"
        "    if epoch == 2:\n        raise ValueError(f'epoch {epoch}: out of data')\n\n\n"
        "for epoch in range(4):\n    train(epoch)\n"
    )
    ran = project.diagnose()
    assert ran.code == 5
    diagnosis = ran.diagnosis
    error = diagnosis.error
    assert error is not None
    assert error.slug == "crash"
    assert "ValueError: epoch 2: out of data" in error.message
    assert "epoch 2: out of data" in diagnosis.summary
    assert 'train.py", line 7, in train' in error.traceback
    assert "/nondet/guest/" not in error.traceback
    assert "ValueError: epoch 2: out of data" in ran.out
    assert {trial.outcome for trial in diagnosis.trials} <= {"crashed", "stopped-early"}
    assert diagnosis.confidence is None


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("import sys\nsys.exit(3)\n", "exit code 3"),
        ("import sys\nsys.exit('no data in /data')\n", "no data in /data"),
        ("import os\nos.abort()\n", "signal 6"),
    ],
)
def test_other_ways_to_fail(project: Project, script: str, words: str) -> None:
    project.write(script)
    ran = project.diagnose()
    assert ran.code == 5
    error = ran.diagnosis.error
    assert error is not None
    assert words in error.message + error.traceback


def test_a_script_that_shows_nothing_is_run_no_more_often_than_needed(project: Project) -> None:
    project.write("import random\nprint(random.random())\n")
    ran = project.diagnose("--jobs", "1", "train.py")
    assert ran.code == 5
    error = ran.diagnosis.error
    assert error is not None
    assert error.slug == "nothing-recorded"
    assert "nondet.checkpoint()" in error.message
    assert len(ran.diagnosis.trials) == 1


def test_a_script_that_hangs(project: Project) -> None:
    project.write("import nondet, time\nnondet.checkpoint('a', 1)\ntime.sleep(600)\n")
    ran = project.diagnose("--timeout", "1.5s", "train.py")
    assert ran.code == 5
    error = ran.diagnosis.error
    assert error is not None
    assert error.slug == "timeout"
    assert "time limit of 1.5 s" in error.message
    assert "timed-out" in {trial.outcome for trial in ran.diagnosis.trials}
    assert marked(project.mark) == []


def test_what_follows_the_script_belongs_to_it(project: Project) -> None:
    project.write(ECHO)
    args = [
        "--json",
        "--quiet",
        "two words",
        "-x",
        "--output=é",
        "",
        "--",
        "train.py",
        "--",
        "$HOME",
    ]
    ran = project.diagnose(*QUICK, "--factors", "python-random", "train.py", *args)
    assert ran.code == 0
    assert list(ran.diagnosis.subject.args) == args
    seen = (project.output / "trials/t01/stdout.log").read_text()
    assert seen == ascii(["train.py", *args]) + "\n"


def test_an_argument_that_is_no_text(project: Project) -> None:
    project.write(ECHO)
    ran = project.diagnose(*QUICK, "train.py", b"\xff\xfe")
    assert ran.code == 0
    seen = (project.output / "trials/t01/stdout.log").read_text()
    assert seen == ascii(["train.py", "\udcff\udcfe"]) + "\n"
    assert ran.diagnosis.subject.args == ("\\udcff\\udcfe",)
    assert record.decode(record.encode(ran.diagnosis)) == ran.diagnosis


def test_json_is_the_record_and_nothing_else(project: Project) -> None:
    project.write(SEEDED)
    ran = project.diagnose("--json", "--max-trials", "2", "train.py")
    assert ran.code == 4
    assert ran.out.encode() == (project.output / "diagnosis.json").read_bytes()
    assert json.loads(ran.out)["verdict"] == "unsure"
    assert ran.err == ""


def test_quiet_and_loud(project: Project) -> None:
    project.write(SEEDED)
    quiet = project.diagnose("--quiet", "--max-trials", "2", "train.py")
    assert quiet.code == 4
    assert quiet.err == ""
    assert "Not sure yet" in quiet.out
    loud = project.diagnose("--force", "--max-trials", "2", "train.py")
    assert "trial t02: completed" in loud.err
    assert loud.out.splitlines()[:2] == quiet.out.splitlines()[:2]
