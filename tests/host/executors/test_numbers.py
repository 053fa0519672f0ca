"""A process's number goes to another one as soon as nobody waits for it: none of those is hit."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
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


@contextlib.contextmanager
def stranger() -> Iterator[tuple[int, int]]:
    """The leader of another session, and a process in it."""
    command = ["sh", "-c", "sleep 600 & echo $!; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as leader:
        assert leader.stdout is not None
        try:
            yield leader.pid, int(leader.stdout.readline())
        finally:
            os.killpg(leader.pid, signal.SIGKILL)


def test_a_number_that_nobody_keeps_is_not_used(
    one: Forking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that it was forked off was killed as well, and the number is another's by now."""
    running = started(one)
    supervisor = running.supervisor
    os.kill(supervisor, signal.SIGSTOP)  # or it might end in order before it is killed
    killed(one.parent.pid)
    killed(supervisor)
    with stranger() as (leader, member):
        monkeypatch.setattr(running._supervisor, "pid", leader)
        assert ended(running).exit_code is None
        assert not gone(leader)
        assert not gone(member)


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
