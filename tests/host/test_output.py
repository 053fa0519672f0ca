"""The output folder: one writes to it at a time, and readers don't ask who."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nondet import record
from nondet.host import output, scratch
from nondet.host.errors import UsageError
from tests.report import samples


def refused(folder: Path, kind: output.Kind = output.DIAGNOSIS, **ready: bool) -> str:
    """The slug with which a command is refused."""
    with (
        pytest.raises(UsageError) as error,
        output.prepared(folder, **{"resume": False, "force": False, **ready}, kind=kind),
    ):
        pass
    return error.value.slug


def write(folder: Path, kind: output.Kind = output.DIAGNOSIS) -> None:
    (folder / kind.record).write_bytes(record.encode(samples.reproducible()))


@pytest.mark.parametrize("kind", output.KINDS, ids=lambda kind: kind.noun)
@pytest.mark.parametrize("ready", [{}, {"force": True}, {"resume": True}], ids=str)
def test_a_folder_that_is_written_to_is_left_alone(
    tmp_path: Path, kind: output.Kind, ready: dict[str, bool]
) -> None:
    with output.prepared(tmp_path / "new" / "out", resume=False, force=False) as _:
        folder = tmp_path / "new" / "out"
        assert refused(folder, kind, **ready) == "output-in-use"
        write(folder)
        (folder / "trials").mkdir()
        assert refused(folder, kind, **ready) == "output-in-use"
        assert {path.name for path in folder.iterdir()} == {"diagnosis.json", "trials"}


def test_it_is_free_when_that_has_ended(tmp_path: Path) -> None:
    """However it has, and nothing was left: the folder still counts as new."""
    with pytest.raises(KeyError), output.prepared(tmp_path, resume=False, force=False):
        raise KeyError
    assert not list(tmp_path.iterdir())
    with output.prepared(tmp_path, resume=False, force=False):
        write(tmp_path)
    assert refused(tmp_path) == "output-exists"
    with output.prepared(tmp_path, resume=True, force=False):
        assert refused(tmp_path, force=True) == "output-in-use"
    with output.prepared(tmp_path, resume=False, force=True):
        assert not list(tmp_path.iterdir())


def test_what_is_refused_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    assert refused(tmp_path) == "output-not-empty"
    (tmp_path / "thesis.tex").unlink()
    with output.prepared(tmp_path, resume=False, force=False):
        pass


def test_it_is_held_by_whatever_name_it_has(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("out")
    with output.prepared(tmp_path / "link", resume=False, force=False):
        assert refused(tmp_path / "out") == "output-in-use"
    with output.prepared(tmp_path / "out", resume=False, force=False):
        assert refused(tmp_path / "link") == "output-in-use"


def test_what_is_in_it_is_looked_at_once_it_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another command may have begun and ended between the two."""
    held = scratch.held

    @contextmanager
    def written_before(folder: Path) -> Iterator[bool]:
        write(folder)
        with held(folder) as ours:
            yield ours

    monkeypatch.setattr(scratch, "held", written_before)
    assert refused(tmp_path / "out") == "output-exists"


def test_readers_do_not_ask(tmp_path: Path) -> None:
    with output.prepared(tmp_path, resume=False, force=False):
        write(tmp_path)
        assert output.read_diagnosis(tmp_path) == samples.reproducible()


HOLDS = """
import sys
from pathlib import Path
from nondet.host import output
with output.prepared(Path(sys.argv[1]), resume=False, force=False):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_killed_command_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        assert refused(tmp_path) == "output-in-use"
        process.kill()
        assert process.wait() == -signal.SIGKILL
        with output.prepared(tmp_path, resume=False, force=False):
            pass


def handles(folder: Path) -> list[int]:
    """Of this process, those of the folder itself."""
    return [
        int(name)
        for name in os.listdir("/proc/self/fd")
        if os.path.realpath(f"/proc/self/fd/{name}") == os.path.realpath(folder)
    ]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="handles are looked up in /proc")
def test_what_is_started_meanwhile_does_not_hold_it_on(tmp_path: Path) -> None:
    with output.prepared(tmp_path, resume=False, force=False):
        (handle,) = handles(tmp_path)
        assert not os.get_inheritable(handle), "a program that is started closes it"
        forked = os.dup(handle)  # as a process has it that is a fork of this one
    try:
        with output.prepared(tmp_path, resume=False, force=False):
            pass
    finally:
        os.close(forked)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF])
def test_where_nothing_can_be_locked_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def flock(handle: int, what: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    for _ in range(2):
        with output.prepared(tmp_path, resume=False, force=False):
            pass
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with output.prepared(tmp_path, resume=False, force=False):
        pass


def test_where_folders_cannot_be_opened_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_DIRECTORY")
    with output.prepared(tmp_path, resume=False, force=False):
        pass
