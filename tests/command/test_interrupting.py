"""Ctrl-C, SIGTERM, SIGHUP and SIGKILL at several moments, and going on afterwards."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path

import pytest

from tests.command.running import QUICK, SEEDED, Gate, Project, Ran

STEADY = """
import random
import nondet
nondet.checkpoint("start", 1)
{waits}
nondet.checkpoint("value", random.random())
"""
JOBS = ("--jobs", "2")
STUBBORN = """
import signal
import subprocess
import time
import nondet
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen(["sleep", "600"], start_new_session=True)
nondet.checkpoint("start", 1)
time.sleep(600)
"""


def told(project: Project, word: str, trial: str) -> bool:
    """Whether that trial's event file holds this already."""
    path = project.output / "trials" / trial / "events.jsonl"
    return path.exists() and word in path.read_text()


def steady(project: Project, passing: int) -> Gate:
    """Write a script of which so many runs go on to their last checkpoint, and others wait."""
    gate = Gate(project.folder.parent / "gate")
    gate.shut(passing)
    project.write(STEADY.format(waits=gate.lines))
    return gate


def went_on(project: Project, gate: Gate, first: Ran | None = None) -> Ran:
    """Resume: the verdict of a diagnosis in one go, and no whole trial is run again. `first`: the
    interrupted one, which says how."""
    gate.open()
    command = ["diagnose", "--resume", *QUICK, *JOBS, "train.py"]
    if first is not None:
        name, *command = shlex.split(first.out.rstrip().splitlines()[-1])
        assert name == "nondet" and {*QUICK, *JOBS, "--resume"} <= {*command}
    before = project.trial_files()
    events = project.trial_files("events.jsonl")
    ran = project.run(*command)
    assert ran.code == 1, ran.err
    diagnosis = ran.diagnosis
    assert not diagnosis.interrupted
    assert [cause.factor for cause in diagnosis.causes] == ["python-random"]
    after = project.trial_files()
    assert {name: after[name] for name in before} == before
    assert {name: project.trial_files("events.jsonl")[name] for name in events} == events
    ids = [trial.id for trial in diagnosis.trials]
    assert len(set(ids)) == len(ids) == diagnosis.cost.trials
    whole = {name for name, data in before.items() if b'"outcome":"completed"' in data}
    assert whole <= set(ids)
    assert set(ids) <= set(after)
    # Three free ones, two held, six more free and one more held, and two that show how the
    # difference grows, unless whole ones did so before.
    assert len(ids) <= 14
    return ran


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_before_the_first_trial_is_over(project: Project, number: int) -> None:
    gate = steady(project, passing=0)
    ran = project.interrupted(lambda: told(project, "start", "t01"), number, *QUICK, *JOBS)
    assert ran.code == 130, ran.err
    diagnosis = ran.diagnosis
    assert diagnosis.interrupted
    assert diagnosis.verdict == "unsure"
    assert "nterrupted" in ran.out
    assert "--resume" in ran.out
    assert {trial.outcome for trial in diagnosis.trials} == {"stopped-early"}
    assert (project.output / "report.html").exists()
    went_on(project, gate)


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)]
)
def test_during_the_second_question(project: Project, number: int) -> None:
    gate = steady(project, passing=3)
    ran = project.interrupted(lambda: told(project, "start", "t04"), number, *QUICK, *JOBS)
    assert ran.code == 130, ran.err
    diagnosis = ran.diagnosis
    assert diagnosis.interrupted
    assert diagnosis.first_divergence is not None
    assert diagnosis.questions[0].verdict == "DIVERGES"
    assert {t.outcome for t in diagnosis.trials[:2]} <= {"completed", "stopped-early"}
    went_on(project, gate, ran)


def test_trials_that_won_t_listen_are_ended_too(project: Project) -> None:
    project.write(STUBBORN)
    ran = project.interrupted(lambda: told(project, "start", "t01"), signal.SIGINT)
    assert ran.code == 130
    assert ran.diagnosis.interrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_before_anything_has_begun(project: Project, number: int, tmp_path: Path) -> None:
    """What is being asked ends too, and leaves nothing."""
    project.write(SEEDED)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (project.folder / "python").write_text("#!/bin/sh\n: >asked\nexec sleep 600\n")
    (project.folder / "python").chmod(0o755)
    asked = project.folder / "asked"
    environ = {"TMPDIR": str(scratch)}
    ran = project.interrupted(asked.exists, number, "--python", "./python", environ=environ)
    assert ran.code == 130
    assert ran.err.strip().endswith("[interrupted]")
    assert "Traceback" not in ran.err
    assert not project.output.exists()
    assert not [*scratch.iterdir()]


def test_the_host_is_killed(project: Project) -> None:
    gate = steady(project, passing=3)
    ran = project.interrupted(lambda: told(project, "start", "t04"), signal.SIGKILL, *QUICK, *JOBS)
    assert ran.code == -signal.SIGKILL
    assert not (project.output / "diagnosis.json").exists()
    went_on(project, gate)


def test_what_is_resumed_must_be_the_same(project: Project) -> None:
    project.write("import nondet, sys\nnondet.checkpoint('args', len(sys.argv))\n")
    first = project.diagnose(*QUICK, "train.py")
    assert first.code == 0
    again = project.diagnose("--resume", *QUICK, "train.py")
    assert again.code == 0
    assert "resumed: 3 finished trials" in again.err
    assert [trial.id for trial in again.diagnosis.trials] == [
        trial.id for trial in first.diagnosis.trials
    ]
    other = project.diagnose("--resume", *QUICK, "train.py", "more")
    assert other.code == 0, "trials with other arguments count for nothing"
    assert "no finished trial there fits" in other.err
    assert [trial.id for trial in other.diagnosis.trials] == ["t04", "t05", "t06"]
