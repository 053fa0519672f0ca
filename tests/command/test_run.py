"""``nondet run``: the script once, in its own folder and terminal, with pins and no edit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import structs

from nondet import record
from tests.command.running import NONDET, PATIENCE, QUICK, Project, until

DRAWS = """\
import os
import random
import sys

import nondet

print(random.random(), os.urandom(3).hex(), hash("nondet"), sys.argv[1:])
nondet.checkpoint("drawn", random.random())
open("made", "w").close()
"""
PINS = "python-random,os-entropy,hash-seed"


def recorded(err: str) -> str:
    (line,) = [line for line in err.splitlines() if line.startswith("nondet: recorded ")]
    return line.split()[2].rstrip(",")


def test_pinned_runs_repeat_and_others_do_not(project: Project) -> None:
    project.write(DRAWS)
    free = [project.run("run", "train.py", "--pin", "x") for _ in range(2)]
    held = [project.run("run", "--pin", PINS, "train.py", "--pin", "x") for _ in range(2)]
    other = project.run("run", "--pin", PINS, "--seed", "7", "train.py", "--pin", "x")
    for ran in (*free, *held, other):
        assert ran.code == 0, ran.err
        assert ran.out.endswith("['--pin', 'x']\n")
    assert free[0].out != free[1].out
    assert held[0].out == held[1].out
    assert other.out != held[0].out
    assert recorded(free[0].err) != recorded(free[1].err)
    assert recorded(held[0].err) == recorded(held[1].err)
    assert "nondet: held python-random, os-entropy, hash-seed\n" in held[0].err
    assert (project.folder / "made").exists()
    assert not project.output.exists()


def test_it_repeats_the_trials_of_a_diagnosis(project: Project) -> None:
    project.write(DRAWS)
    found = project.diagnose(*QUICK, "train.py").diagnosis
    assert found.prescription is not None
    pins = found.prescription.pins
    assert "python-random" in pins
    held = [t for t in found.trials if {n for n, arm in t.plan.items() if arm != "free"} == {*pins}]
    trial = next(t for t in held if t.outcome == "completed")
    ran = project.run("run", "--quiet", "--pin", ",".join(pins), "train.py")
    printed = (project.output / "trials" / trial.id / "stdout.log").read_text()
    # The other two numbers are compared by nobody, and may be free in both.
    assert ran.out.split()[0] == printed.split()[0]
    assert ran.err == ""


def test_it_holds_what_a_diagnosis_prescribes(project: Project) -> None:
    project.write(DRAWS)
    found = project.diagnose(*QUICK, "train.py").diagnosis
    assert found.prescription is not None
    ran = [project.run("run", "--from", "nondet-report", "train.py") for _ in range(2)]
    assert recorded(ran[0].err) == recorded(ran[1].err)
    assert f"held {', '.join(found.prescription.pins)}" in ran[0].err


def test_what_no_single_run_can_hold_is_left_out_of_what_is_prescribed(project: Project) -> None:
    project.write(DRAWS)
    found = project.diagnose(*QUICK, "train.py").diagnosis
    assert found.prescription is not None
    pins = found.prescription.pins
    for more, code in ((("leftovers", *pins), 0), (("leftovers",), 2)):
        other = structs.replace(found.prescription, pins=more)
        changed = structs.replace(found, prescription=other)
        (project.output / "diagnosis.json").write_bytes(record.encode(changed))
        ran = project.run("run", "--from", "nondet-report", "train.py")
        assert ran.code == code, ran.err
        assert "leftovers" in ran.err and "no single run can" in ran.err
        assert (f"held {', '.join(pins)}" in ran.err) == (code == 0)


def test_nothing_prescribed(project: Project) -> None:
    project.write("import nondet\nnondet.checkpoint('a', 1)\n")
    assert project.diagnose(*QUICK, "train.py").code == 0
    ran = project.run("run", "--from", "nondet-report", "train.py")
    ran.refused("nothing-prescribed", "reproducible", "--pin")


def test_a_pin_that_has_nothing_to_act_on_is_not_said_to_hold(project: Project) -> None:
    project.write(DRAWS)
    # Keras is installed here, and this script does not import it.
    ran = project.run("run", "--pin", "python-random,clock,python-workers,dropout", "train.py")
    assert "nondet: held python-random, clock (not used: clock)\n" in ran.err
    assert "nondet: not seen to act: python-workers, dropout\n" in ran.err


@pytest.mark.parametrize(
    ("options", "slug", "words"),
    [
        (["--pin", "leftovers"], "cannot-pin", ["fresh folder"]),
        (["--pin", "cudnn"], "cannot-pin", ["cudnn"]),
        (["--ablate", "hash-seed"], "cannot-ablate", ["hash-seed", "--pin"]),
        (["--pin", "pyhton-random"], "usage", ["did you mean python-random"]),
        (["--from", "nowhere"], "no-diagnosis", ["nowhere"]),
    ],
)
def test_what_cannot_be_held_is_refused(
    project: Project, options: list[str], slug: str, words: list[str]
) -> None:
    project.write("print('ran')\n")
    if options[1] == "cudnn" and os.path.exists("/dev/nvidia0"):
        pytest.skip("this machine has what cudnn needs")
    project.run("run", *options, "train.py").refused(slug, *words)


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("sys.exit(7)", 7),
        ("raise ValueError('of the script')", 1),
        ("os.kill(os.getpid(), 9)", 128 + 9),
    ],
)
def test_the_exit_code_is_the_scripts(project: Project, ending: str, code: int) -> None:
    project.write(f"import os, sys\nprint('ran')\nsys.stdout.flush()\n{ending}\n")
    ran = project.run("run", "--pin", "hash-seed", "train.py")
    assert (ran.code, ran.out) == (code, "ran\n")


def test_a_syntax_error_is_no_usage_error(project: Project) -> None:
    project.write("def\n")
    ran = project.run("run", "train.py")
    assert ran.code == 5
    assert "[syntax-error]" in ran.err


def test_it_reads_the_terminals_input(project: Project) -> None:
    project.write("print(input())\n")
    done = subprocess.run(
        [NONDET, "run", "train.py"],
        cwd=project.folder,
        input="typed\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout == "typed\n"


SLEEPS = """\
import signal, sys, time
signal.signal(signal.{name}, lambda number, frame: sys.exit(9))
open("ready", "w").close()
time.sleep(600)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_a_signal_is_the_scripts(project: Project, name: str) -> None:
    project.write(SLEEPS.format(name=name))
    with subprocess.Popen([NONDET, "run", "train.py"], cwd=project.folder) as process:
        until((project.folder / "ready").exists, "the script")
        process.send_signal(getattr(signal, name))
        assert process.wait(PATIENCE) == 9


def test_ctrl_c_is_the_scripts(project: Project) -> None:
    project.write(SLEEPS.format(name="SIGINT"))
    command = ["env", "--default-signal=INT", NONDET, "run", "train.py"]
    with subprocess.Popen(command, cwd=project.folder, start_new_session=True) as process:
        until((project.folder / "ready").exists, "the script")
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(PATIENCE) == 9


@pytest.mark.parametrize("name", ["HUP", "INT"])
def test_a_signal_that_is_ignored_stays_ignored(project: Project, name: str) -> None:
    """As under nohup, or in a shell's background."""
    project.write(f"import signal\nprint(signal.getsignal(signal.SIG{name}).name)\n")
    plain, under = (
        subprocess.run(
            ["env", f"--ignore-signal={name}", *command, "train.py"],
            cwd=project.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        ).stdout
        for command in ([sys.executable], [NONDET, "run"])
    )
    assert plain == under == "SIG_IGN\n"


def test_the_exit_code_is_heard_whatever_nondet_was_started_by(project: Project) -> None:
    """Some daemons ignore the end of what they start, which is inherited."""
    told = "signal.getsignal(signal.SIGCHLD).name"
    project.write(f"import signal, sys, nondet\nnondet.metric('a', 1)\nsys.exit({told})\n")
    ignoring = ("env", "--ignore-signal=CHLD")
    for command in (("run",), ("record", "-o", "a.nd")):
        ran = project.run(*command, "train.py", prefix=ignoring)
        assert ran.code == 1, ran.err
        assert "SIG_DFL\n" in ran.err, "as trials have it"
    assert not (project.folder / "a.nd").exists()


UNDOES = """\
import sys
guest = sys.modules["_nondet_guest"]
session = next(o for o in __import__("gc").get_objects() if type(o).__name__ == "Session")
session.read_back("hash-seed", "0", "random")
"""


def test_a_pin_that_did_not_take_is_an_error(project: Project) -> None:
    project.write(UNDOES)
    ran = project.run("run", "--pin", "hash-seed", "train.py")
    assert ran.code == record.EXIT_CODES["unsure"]
    assert "hash-seed (expected 0, found random)" in ran.err
    assert "[pin-did-not-take]" in ran.err
    assert "held" not in ran.err


def test_nothing_is_left_behind(project: Project, tmp_path: Path) -> None:
    project.write("print(1)\n")
    room = tmp_path / "temporary"
    room.mkdir()
    assert project.run("run", "train.py", environ={"TMPDIR": str(room)}).code == 0
    assert not list(room.iterdir())
    assert [path.name for path in project.folder.iterdir()] == ["train.py"]


def test_a_module_runs_as_python_would_run_it(project: Project) -> None:
    package = project.folder / "pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "train.py").write_text("from . import __name__ as name\nprint(name, __name__)\n")
    ran = project.run("run", "-m", "pkg.train")
    assert (ran.code, ran.out) == (0, "pkg __main__\n"), ran.err
