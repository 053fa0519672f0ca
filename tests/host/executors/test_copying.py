"""A folder is copied while somebody else works in it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nondet.host.executors import folders

REMOVED = {
    "file": ("shutil.copy2", "ckpt.tmp"),
    "folder that is not read yet": ("os.scandir", "trials"),
    "folder that is read": ("like", "trials"),
    "link": ("redirected", "latest"),
}
"""The step before which somebody removes what it is for, and the name of that."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "trials").mkdir(parents=True)
    (folder / "trials" / "t01").write_text("1")
    (folder / "train.py").write_text("2")
    (folder / "ckpt.tmp").write_text("3")
    (folder / "latest").symlink_to("ckpt.tmp")
    return folder


def removing(monkeypatch: pytest.MonkeyPatch, step: str, name: str) -> None:
    module: Any = folders
    *way, last = step.split(".")
    for part in way:
        module = getattr(module, part)
    act: Callable[..., Any] = getattr(module, last)
    removed = list[Path]()

    def act_(which: Any, *others: Any) -> Any:
        if not removed and Path(which).name == name:
            removed.append(Path(which))
            shutil.rmtree(which) if os.path.isdir(which) else os.unlink(which)
        return act(which, *others)

    monkeypatch.setattr(module, last, act_)


@pytest.mark.parametrize("what", REMOVED)
def test_what_vanishes_is_left_out(
    what: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, name = REMOVED[what]
    with monkeypatch.context() as patched:
        removing(patched, step, name)
        folders.copy_tree(project, tmp_path / "copy", project / "out")
    assert not os.path.lexists(project / name)
    expected = {"trials", "train.py", "ckpt.tmp", "latest"}
    # It had been copied already.
    expected -= set() if what == "folder that is read" else {name}
    assert set(os.listdir(tmp_path / "copy")) == expected


def test_what_vanishes_is_not_measured(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        removing(patched, "os.scandir", "trials")
        assert folders.measure([project], project / "out", 9) == (2 + len("ckpt.tmp"), 3)


def test_a_file_that_another_machine_removes_while_it_is_read_is_left_out(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copy2

    def copy2(source: str, target: Path) -> None:
        copy(source, target)
        if source.endswith("ckpt.tmp"):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(shutil, "copy2", copy2)
    folders.copy_tree(project, tmp_path / "copy", project / "out")
    assert set(os.listdir(tmp_path / "copy")) == {"trials", "train.py", "latest"}


def test_a_copy_that_vanishes_is_told(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copy2

    def copy2(source: str, target: Path) -> None:
        shutil.rmtree(tmp_path / "copy")
        copy(source, target)

    monkeypatch.setattr(shutil, "copy2", copy2)
    with pytest.raises(FileNotFoundError):
        folders.copy_tree(project, tmp_path / "copy", project / "out")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        folders.copy_tree(tmp_path / "project", tmp_path / "copy", tmp_path / "out")
