"""A process's number goes to another one as soon as nobody waits for it: none of those is hit."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from nondet.host.executors import running as module
from nondet.host.executors.running import LocalRunning
from tests.guest.forking import Forking, forking
from tests.host.executors.trying import ended, gone, until

WAITS = "import time\nprint('runs', flush=True)\ntime.sleep(600)\n"


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Forking]:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text(WAITS)
    with forking(folder) as made:
        yield made


def started(one: Forking, parent: str = "parent") -> LocalRunning:
    running = one.start("train.py", parent=parent)
    until(lambda: "runs" in (one.logs / "stdout.log").read_text(), "the trial")
    return running


def killed(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    until(lambda: gone(pid), "its end")


@pytest.mark.parametrize("parent", ["parent", ""], ids=["forked", "alone"])
def test_a_lost_supervisor_keeps_its_number_while_that_is_used(
    one: Forking, parent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill, seen = module.kill_related, list[str]()

    def kill_related(session: int | None, namespace: str) -> None:
        assert session is not None
        seen.append(psutil.Process(session).status())
        kill(session, namespace)

    monkeypatch.setattr(module, "kill_related", kill_related)
    running = started(one, parent)
    killed(running.supervisor)
    assert ended(running).exit_code is None
    assert seen == [psutil.STATUS_ZOMBIE]
    until(lambda: not psutil.pid_exists(running.supervisor), "its number to be free")


def test_no_ended_supervisor_is_left_by_trials_that_end_by_themselves(one: Forking) -> None:
    (one.folder / "train.py").write_text("")
    for _ in range(3):
        assert one.run("train.py").code == 0
    until(lambda: not psutil.Process(one.parent.pid).children(), "its children to be waited for")


STRANGER = """
import os, time
if os.fork() == 0:
    os.setsid()
    member = os.fork()
    if member:
        print(os.getpid(), member, flush=True)
    time.sleep(600)
"""


@contextlib.contextmanager
def stranger() -> Iterator[tuple[int, int]]:
    """The leader of another session, no child of ours, and a process in it."""
    command = [sys.executable, "-S", "-c", STRANGER]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as starting:
        assert starting.stdout is not None
        leader, member = map(int, starting.stdout.readline().split())
        try:
            yield leader, member
        finally:
            for pid in (leader, member):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def hit(running: LocalRunning, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Who is killed with a supervisor whose number is another's by now."""
    with stranger() as found:
        monkeypatch.setattr(running._supervisor, "pid", found[0])
        assert ended(running).exit_code is None
        return [pid for pid in found if gone(pid)]


def test_a_number_is_not_used_once_its_keeper_is_killed(
    one: Forking, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = started(one)
    supervisor = running.supervisor
    os.kill(supervisor, signal.SIGSTOP)  # or it might end in order before it is killed
    killed(one.parent.pid)
    killed(supervisor)
    assert hit(running, monkeypatch) == []


def test_a_number_is_not_used_where_none_is_kept(
    one: Forking, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        running = started(one, parent="")
        killed(running.supervisor)
        assert hit(running, monkeypatch) == []
    finally:
        signal.signal(signal.SIGCHLD, former)


def test_a_number_that_was_another_s_from_the_beginning_is_not_used(
    one: Forking, monkeypatch: pytest.MonkeyPatch
) -> None:
    hear: Callable[[float], object] = one.parent._hear

    def lost(seconds: float) -> object:
        hear(seconds)
        killed(one.parent.pid)
        return {"pid": leader}

    with stranger() as (leader, member):
        monkeypatch.setattr(one.parent, "_hear", lost)
        forked = one.parent.fork(one.folder / "log")
        assert not forked.held
        forked.kill()
        forked.wait()
        forked.stdin.close()
        forked.stdout.close()
        assert not gone(leader)
        assert not gone(member)
