"""Who reads the output stops, as `head` does: the result, its files and its code stay."""

from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest

from nondet.cli import frame
from tests.command.running import NONDET, PATIENCE, QUICK, SEEDED, UNSEEDED, Project


def unread(project: Project, *command: str, errors: bool = False) -> int:
    """The command's exit code where nobody reads standard output from the start; with `errors`, nor
    what goes beside it."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [NONDET, *command],
            cwd=project.folder,
            env=project.environ,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.STDOUT if errors else subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    finally:
        os.close(writer)
    assert "Traceback" not in (done.stderr or "")
    return done.returncode


@pytest.mark.parametrize("errors", [False, True])
@pytest.mark.parametrize("told", [(), ("--json",)])
@pytest.mark.parametrize(("text", "code"), [(SEEDED, 0), (UNSEEDED, 1)])
def test_a_verdict_is_what_it_is(
    project: Project, text: str, code: int, told: tuple[str, ...], errors: bool
) -> None:
    project.write(text)
    assert unread(project, "check", *told, "train.py", errors=errors) == code
    assert unread(project, "diagnose", *QUICK, *told, "train.py", errors=errors) == code
    assert {path.name for path in project.output.iterdir()} >= {"diagnosis.json", "report.html"}
    assert unread(project, "report", "nondet-report", errors=errors) == 0


@pytest.mark.parametrize("command", [("--help",), ("diagnose", "--help"), ("factors",)])
def test_what_is_only_told(project: Project, command: tuple[str, ...]) -> None:
    assert unread(project, *command) == 0


def test_a_mistake_is_one_still(project: Project) -> None:
    assert unread(project, "diagnose", "none.py", errors=True) == 2


def test_there_is_no_standard_output(project: Project) -> None:
    project.write(SEEDED)
    closed = (
        sys.executable,
        "-c",
        "import os, sys; os.close(1); os.execv(sys.argv[1], sys.argv[1:])",
    )
    assert project.run("check", "--json", "train.py", prefix=closed).code == 0


def test_another_pipe_that_breaks_is_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    """Click would say nothing and end with 1, which says that causes were found."""

    def broken() -> None:
        raise BrokenPipeError(32, "Broken pipe")

    group = frame.Main(commands={"broken": click.Command("broken", callback=broken)})
    with pytest.raises(SystemExit) as end:
        group.main(["broken"])
    assert end.value.code == frame.INTERNAL_ERROR
    assert capsys.readouterr().err.endswith("please report it [internal-error]\n")
