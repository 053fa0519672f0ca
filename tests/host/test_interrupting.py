"""Whatever interrupts a short command, it has ended then."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from nondet.host import interrupting

FOR_EVER = ("sleep", "600")


class Started(subprocess.Popen[bytes]):
    """A process; while it is started, a signal comes, if any."""

    all: list[Started] = []
    number: signal.Signals | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.all.append(self)
        if self.number is not None:
            signal.raise_signal(self.number)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Started]:
    monkeypatch.setattr(Started, "all", [])
    monkeypatch.setattr(subprocess, "Popen", Started)
    return Started.all


def test_ctrl_c_while_a_command_is_started_leaves_nothing(
    started: list[Started], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Started, "number", signal.SIGINT)
    # In a shell's background it is ignored, which is inherited.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupting.run(FOR_EVER, 600)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, former)
    assert [process.returncode for process in started] == [-signal.SIGKILL]


@pytest.mark.usefixtures("started")
def test_a_handler_of_the_caller_s_own_is_asked_once_and_may_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(Started, "number", signal.SIGTERM)
    former = signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    try:
        assert interrupting.run(("echo", "said"), 600).stdout == b"said\n"
    finally:
        signal.signal(signal.SIGTERM, former)
    assert asked == [signal.SIGTERM]


def test_a_command_that_takes_too_long_is_ended(started: list[Started]) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        interrupting.run(FOR_EVER, 0.01)
    assert [process.returncode for process in started] == [-signal.SIGKILL]


def test_what_a_command_said_is_handed_on_in_any_thread() -> None:
    code = "import sys; print(sys.stdin.read() == '', file=sys.stderr); sys.exit(3)"
    found = list[subprocess.CompletedProcess[str]]()

    def run() -> None:
        found.append(interrupting.run((sys.executable, "-c", code), 600, text=True))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    (done,) = found
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "True\n")


@pytest.mark.parametrize("number", interrupting.SIGNALS)
def test_what_would_end_the_process_interrupts_it(number: signal.Signals) -> None:
    former = signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(KeyboardInterrupt), interrupting.as_ctrl_c():
            signal.raise_signal(number)
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, former)


def test_what_is_ignored_stays_so() -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupting.as_ctrl_c(), interrupting.Interruption() as interruption:
            signal.raise_signal(signal.SIGHUP)
            interruption.check()
    finally:
        signal.signal(signal.SIGHUP, former)


def test_a_hangup_comes_twice() -> None:
    """The first one is still being taken then."""
    former = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with interrupting.as_ctrl_c():
            with interrupting.Interruption() as interruption:
                signal.raise_signal(signal.SIGHUP)
                signal.raise_signal(signal.SIGHUP)
            assert interruption.asked
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, former)
