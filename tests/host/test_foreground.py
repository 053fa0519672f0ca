"""A script in the foreground: its signals and its exit code, whatever nondet was started under."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nondet.host import foreground, subject
from nondet.host.subject import Subject
from nondet.record import Compared


def written(folder: Path, text: str) -> Subject:
    path = folder / "train.py"
    path.write_text(text)
    return subject.check(str(path), (), sys.executable, False)


@contextmanager
def handled(number: int, handler: Any) -> Iterator[None]:
    former = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, former)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_comes_while_the_script_is_started_is_the_scripts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    class Started(subprocess.Popen[bytes]):
        """A process; once the script's is there, and before anybody knows of it, a signal comes."""

        def __init__(self, command: Any, **options: Any) -> None:
            super().__init__(command, **options)
            if str(command[-1]).endswith("plan.json"):
                signal.raise_signal(number)

    sleeps = written(tmp_path, "import time\ntime.sleep(60)\n")
    monkeypatch.setattr(subprocess, "Popen", Started)
    with handled(number, signal.SIG_DFL):
        assert foreground.run(sleeps, {}, 0).code == 128 + number


def test_the_exit_code_is_heard_where_a_program_ignores_the_end_of_its_children(
    tmp_path: Path,
) -> None:
    """And goes on to do so."""
    fails = written(tmp_path, "raise SystemExit(3)\n")
    with handled(signal.SIGCHLD, signal.SIG_IGN):
        assert foreground.run(fails, {}, 0).code == 3
        assert signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN


def test_what_was_recorded_is_named() -> None:
    ran = foreground.Ran(0, {}, frozenset(), frozenset(), "f00d", True)
    again = "the same in every run that repeats this one"
    assert foreground.told(ran, {}) == [f"recorded f00d, {again}"]
    (line,) = foreground.told(replace(ran, code=128 + signal.SIGINT), {})
    assert line == "recorded f00d, up to where it was ended", "another run may come further"
    named = Compared(models=("net",), checkpoints=2)
    (line,) = foreground.told(replace(ran, recorded=named), {})
    assert line == f"recorded f00d (the weights of `net` at 2 checkpoints), {again}"
    scaler = Compared(models=("StandardScaler",), checkpoints=1, by_products=True)
    _, unseen = foreground.told(replace(ran, recorded=scaler), {})
    assert unseen.startswith("only `StandardScaler` was seen")
