"""Who reads the output stops, as `head` does, or there is none: the result, its files and its code
stay."""

from __future__ import annotations

import os
import pty
import select
import socket
import subprocess
import sys
import threading
from pathlib import Path

import click
import pytest

from nondet.cli import frame, reader
from tests.command.running import NONDET, PATIENCE, QUICK, SEEDED, UNSEEDED, Project, until

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="there is no file that is always full")


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


def without(*handles: int) -> tuple[str, ...]:
    """How to start a command where these descriptors are closed."""
    close = f"[os.close(handle) for handle in {handles}]"
    start = f"import os, sys; {close}; os.execv(sys.argv[1], sys.argv[1:])"
    return (sys.executable, "-c", start)


def test_there_is_no_standard_output(project: Project) -> None:
    project.write(SEEDED)
    assert project.run("check", "--json", "train.py", prefix=without(1)).code == 0


def test_there_is_no_standard_error(project: Project) -> None:
    project.write(UNSEEDED)
    ran = project.run("check", "train.py", prefix=without(2))
    assert ran.code == 1
    assert ran.out.startswith("It does not repeat.")
    ran = project.run("check", "none.py", prefix=without(2))
    assert (ran.code, ran.out) == (2, "")


def test_there_is_nothing_at_all(project: Project) -> None:
    project.write(UNSEEDED)
    assert project.diagnose(*QUICK, "train.py", prefix=without(0, 1, 2)).code == 1
    assert {path.name for path in project.output.iterdir()} >= {"diagnosis.json", "report.html"}


WRITES = """
import os
import nondet
nondet.checkpoint("value", 1)
for handle in (1, 2):
    os.write(handle, b'{"event": "of the script"}\\n')
nondet.checkpoint("value", 2)
"""


def test_what_the_script_writes_is_not_taken_for_what_is_recorded(project: Project) -> None:
    """The next files that are opened get the numbers of descriptors that are closed."""
    project.write(WRITES)
    told = project.run("run", "train.py").err
    assert "at 2 checkpoints" in told
    assert project.run("run", "train.py", prefix=without(0, 1)).err == told


def full(project: Project, *command: str, stream: str) -> subprocess.CompletedProcess[bytes]:
    """The command where a stream is on a disk that is full."""
    # Python's own buffers are what is written again as it ends, and then with another exit code.
    environ = {k: v for k, v in project.environ.items() if k != "PYTHONUNBUFFERED"}
    with FULL.open("w") as disk:
        return subprocess.run(
            [NONDET, *command],
            cwd=project.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=disk if stream == "stdout" else subprocess.PIPE,
            stderr=disk if stream == "stderr" else subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )


@needs_full
def test_standard_error_is_on_a_full_disk(project: Project) -> None:
    """A message that can't be written ended with 1, which says that runs part."""
    project.write(SEEDED)

    def code(*command: str) -> int:
        return full(project, *command, stream="stderr").returncode

    assert code("check", "train.py") == 0
    assert code("run", "train.py") == 0
    assert code("check", "none.py") == 2
    assert code("nothing") == 2
    assert code("diff", "one.nd", "other.nd") == 2


@needs_full
@pytest.mark.parametrize("command", [("--help",), ("factors",), ("check", "--quiet", "train.py")])
def test_standard_output_is_on_a_full_disk(project: Project, command: tuple[str, ...]) -> None:
    project.write(UNSEEDED)
    done = full(project, *command, stream="stdout")
    assert done.returncode == 2
    assert done.stderr.endswith(b"try again [disk-full]\n")
    assert done.stderr.count(b"\n") == 1


def test_a_terminal_that_is_closed(project: Project) -> None:
    """As the one is of a command in the background whose shell has ended."""
    project.write(UNSEEDED)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [NONDET, "diagnose", *QUICK, "train.py"],
        cwd=project.folder,
        env=project.environ | {"TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    try:
        os.close(theirs)
        until(lambda: os.read(ours, 1), "the view of what runs")
        os.close(ours)
        assert process.wait(PATIENCE) == 1
    finally:
        process.kill()
        process.wait()
    assert {path.name for path in project.output.iterdir()} >= {"diagnosis.json", "report.html"}


def test_a_connection_that_is_reset(project: Project) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as ours,
    ):
        theirs, _ = server.accept()
        with theirs:
            ours.sendall(b"what nobody reads")  # with which the other end can't close in order
            theirs.close()
            done = subprocess.run(
                [NONDET, "factors"],
                env=project.environ,
                stdin=subprocess.DEVNULL,
                stdout=ours.fileno(),
                stderr=subprocess.PIPE,
                timeout=PATIENCE,
                check=False,
            )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_pipe_that_does_not_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that is larger than it is written whole; Python's own stream gives up."""
    there, here = os.pipe()
    os.set_blocking(here, False)
    got = []

    def read() -> None:
        until(lambda: not select.select([], [here], [], 0)[1], "a pipe that is full")
        with os.fdopen(there, "rb") as pipe:
            got.append(pipe.read())

    thread = threading.Thread(target=read)
    thread.start()
    with open(here, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with reader.may_leave():
            frame.write(b"x" * 1_000_000)
        monkeypatch.undo()
    thread.join()
    assert len(got[0]) == 1_000_000


def test_another_pipe_that_breaks_is_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    """Click would say nothing and end with 1, which says that causes were found."""

    def broken() -> None:
        raise BrokenPipeError(32, "Broken pipe")

    group = frame.Main(commands={"broken": click.Command("broken", callback=broken)})
    with pytest.raises(SystemExit) as end:
        group.main(["broken"])
    assert end.value.code == frame.INTERNAL_ERROR
    assert capsys.readouterr().err.endswith("please report it [internal-error]\n")
