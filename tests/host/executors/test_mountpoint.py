"""Each trial has a folder for temporary files of its own, at a path that all trials share."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from nondet.host import scratch
from nondet.host.executors import choice, mountpoint
from nondet.host.executors.mountpoint import MountPoint, mount_point
from tests.host.executors.trying import ended, trying, until

MAKES = """
import os, sys, time
place = {place!r}
print(oct(os.stat(place).st_mode & 0o777), os.listdir(place))
open(place + "/file", "x").close()
print(os.listdir(place), flush=True)
while not os.path.exists({go!r}):
    time.sleep(0.01)
print(os.listdir(place))
"""
MADE = "0o700 []\n['file']\n"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, with nothing in it."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("user_namespace", [False, True])
def test_trials_side_by_side_make_the_same_files(
    user_namespace: bool, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variants = [variant for variant in choice.OVERLAYS if variant[0] == user_namespace]
    monkeypatch.setattr(choice, "OVERLAYS", variants)
    with trying(tmp_path, "overlay") as one:
        place, go = one.executor.temporary, tmp_path / "go"
        assert place is not None and place.parent == temporary
        script = MAKES.format(place=str(place), go=str(go))
        begun = []
        for _ in range(2):
            running = one.start(script, keep_leftovers=True)
            said = one.logs / "stdout.log"
            until(lambda said=said: said.read_text() == MADE, "the trial's file")  # type: ignore[misc]
            begun.append((running, said))
        assert os.listdir(place) == []
        go.touch()
        for running, said in begun:
            end = ended(running)
            assert (end.exit_code, end.wrote) == (0, ())
            assert said.read_text() == MADE + "['file']\n"
            # The next trial finds nothing of it, whatever else is handed on.
            assert end.leftovers is not None
            assert list(end.leftovers.rglob("file")) == []
    assert os.listdir(temporary) == []


def test_one_that_others_use_stays(tmp_path: Path, temporary: Path) -> None:
    go = tmp_path / "go"
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with trying(tmp_path / "one", "overlay") as one:
        script = MAKES.format(place=str(one.executor.temporary), go=str(go))
        running, said = one.start(script), one.logs / "stdout.log"
        until(lambda: said.read_text() == MADE, "the trial's file")
        with trying(tmp_path / "other", "overlay") as other:
            assert other.executor.temporary == one.executor.temporary
        go.touch()
        assert ended(running).exit_code == 0
        assert said.read_text() == MADE + "['file']\n"
    assert os.listdir(temporary) == []


@pytest.mark.parametrize("isolation", ["copy", "in-place"])
def test_without_mounts_there_is_none(
    isolation: choice.Mode, tmp_path: Path, temporary: Path
) -> None:
    with trying(tmp_path, isolation) as one:
        assert one.executor.temporary is None
        assert not list(temporary.glob("nondet-temporary-*"))


def test_where_overlays_fail_nothing_is_left(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "rehearse", lambda *_: "refused")
    (tmp_path / "project").mkdir()
    assert choice.try_overlay([tmp_path / "project"], tmp_path / "out") == (None, "refused")
    assert os.listdir(temporary) == []


def test_one_that_lies_in_the_script_s_folder_is_of_no_use(temporary: Path) -> None:
    assert mount_point([temporary.parent]) is None
    assert os.listdir(temporary) == []


def test_what_somebody_put_there_is_left_alone(tmp_path: Path, temporary: Path) -> None:
    place = temporary / mountpoint.NAME.format(user=os.geteuid())
    place.symlink_to(tmp_path)
    before = tmp_path.stat().st_mode
    assert mount_point([]) is None
    assert tmp_path.stat().st_mode == before
    place.unlink()
    place.mkdir(0o755)
    (place / "file").touch()
    assert mount_point([]) is None
    assert (os.listdir(place), stat.S_IMODE(place.stat().st_mode)) == (["file"], 0o755)


def test_one_that_a_killed_diagnosis_left_is_taken_over(temporary: Path) -> None:
    place = temporary / mountpoint.NAME.format(user=os.geteuid())
    place.mkdir(0o700)
    point = MountPoint(temporary)
    assert stat.S_IMODE(place.stat().st_mode) == 0o500
    point.close()
    assert os.listdir(temporary) == []


def test_one_that_was_removed_meanwhile_is_made_again(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another host, which closed it between two of our steps."""
    first, real = MountPoint(temporary), scratch.same
    seen: list[bool] = []

    def looked(handle: int, path: Path) -> bool:
        if not seen:
            path.rmdir()
        seen.append(real(handle, path))
        return seen[-1]

    monkeypatch.setattr(mountpoint, "same", looked)
    second = MountPoint(temporary)
    assert seen == [False, True]
    first.close()
    assert second.path.is_dir()
    second.close()
    assert os.listdir(temporary) == []
