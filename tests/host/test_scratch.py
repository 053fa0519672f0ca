"""Private folders: whoever holds one keeps it, and one whose host was killed goes."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nondet.host import scratch
from nondet.host.executors.cluster import errand
from nondet.host.executors.folders import Scratch

KILLED = """
import os, signal, sys
from pathlib import Path
from nondet.host import scratch

def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

base, moment = Path(sys.argv[1]), sys.argv[2]
if moment in ("_opened", "lock"):
    setattr(scratch, moment, die)
folder = scratch.Private(base)
(folder.path / "file").write_text("x")
os.mkdir(folder.path / "hidden", 0o000)
if moment == "removing":
    scratch.shutil.rmtree = die
if moment == "removed in part":
    (folder.path / "file").unlink()
    scratch.shutil.rmtree = die
if moment != "working":
    folder.close()
die()
"""
MOMENTS = ("_opened", "lock", "working", "removing", "removed in part")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_host_leaves_nothing_for_long(tmp_path: Path, moment: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), moment], check=False)
    assert done.returncode == -9
    assert len(list(tmp_path.iterdir())) == 1
    scratch.sweep(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_another_host_is_about_to_sweep_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has seen the folder before it was locked, and has locked it itself."""
    lock, sweeping = scratch.lock, list[threading.Thread]()

    def lock_(handle: int, wait: bool = False) -> bool | None:
        if sweeping:
            return lock(handle, wait)
        (folder,) = tmp_path.iterdir()
        other = scratch._opened(folder)
        assert other is not None and lock(other)
        assert not lock(handle)

        def sweep() -> None:
            scratch.remove(folder)
            os.close(other)

        sweeping.append(threading.Thread(target=sweep))
        sweeping[0].start()
        return wait and lock(handle, wait)

    monkeypatch.setattr(scratch, "lock", lock_)
    folder = scratch.Private(tmp_path)
    sweeping[0].join()
    assert list(tmp_path.iterdir()) == [folder.path]
    folder.close()


def test_folders_live_side_by_side(tmp_path: Path) -> None:
    first, second = Scratch(tmp_path), Scratch(tmp_path)
    assert first.path != second.path
    assert first.rooms.is_dir()
    assert first.path.stat().st_mode & 0o077 == 0
    first.close()
    assert second.rooms.is_dir()
    second.close()
    assert not os.listdir(tmp_path)


def test_a_folder_swept_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, gone = scratch.lock, list[Path]()

    def swept_first(handle: int, wait: bool = False) -> bool | None:
        if not gone:
            gone.extend(tmp_path.iterdir())
            gone[0].rmdir()
        return lock(handle, wait)

    monkeypatch.setattr(scratch, "lock", swept_first)
    with scratch.Private(tmp_path) as folder:
        assert folder.is_dir()
        assert gone
        assert folder not in gone
    assert not list(tmp_path.iterdir())


def test_a_folder_swept_before_it_was_opened_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, gone = scratch._opened, list[Path]()

    def swept_first(folder: Path) -> int | None:
        if not gone:
            gone.append(folder)
            scratch.sweep(tmp_path)
        return opened(folder)

    monkeypatch.setattr(scratch, "_opened", swept_first)
    with scratch.Private(tmp_path) as folder:
        assert folder.is_dir()
        assert folder not in gone
        scratch.sweep(tmp_path)
        assert folder.is_dir(), "it is locked"
    assert gone
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name",
    ["nondet-report", "nondet-1.0", f"{scratch.prefix()}mine", f"{scratch.prefix()}abcdefgh1"],
)
def test_what_a_user_named_alike_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir(0o700)
    scratch.sweep(tmp_path)
    assert (tmp_path / name).is_dir()


def test_what_is_open_to_others_or_only_a_link_stays(tmp_path: Path) -> None:
    shared, linked = (tmp_path / f"{scratch.prefix()}{name}" for name in ("abcdefgh", "hgfedcba"))
    shared.mkdir(0o755)
    goal = tmp_path / "goal"
    goal.mkdir(0o700)
    linked.symlink_to(goal)
    scratch.sweep(tmp_path)
    assert shared.is_dir()
    assert linked.is_dir()


def left_by_a_host() -> str:
    return tempfile.mkdtemp(prefix=scratch.prefix())


def left_by_a_worker() -> str:
    path, handle = errand.private_folder()
    os.close(handle)
    return path


@pytest.mark.parametrize("left", [left_by_a_host, left_by_a_worker])
def test_what_another_machine_made_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: Callable[[], str]
) -> None:
    """Its locks may not be seen here."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own = left()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(platform, "node", lambda: "another")
        other = left()
    scratch.sweep(tmp_path)
    assert os.path.isdir(other)
    assert not os.path.exists(own)


def test_where_folders_cannot_be_opened_it_works_and_sweeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_DIRECTORY")
    first = scratch.Private(tmp_path)
    with scratch.Private(tmp_path) as second:
        assert first.path.is_dir()
        assert second.is_dir()
    first.close()
    assert not list(tmp_path.iterdir())
