"""Renaming out of a folder that is a mount of its own, as far as that shows without one."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from nondet.guest.crossing import Crossing, mounted


class Session:
    def failed(self, where: str, error: Exception, unheld: object = None) -> None:
        raise AssertionError(where) from error


def renaming(place: Path, lost: list[str]) -> Any:
    def rename(src: Any, dst: Any, **_: Any) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link", src, None, dst)

    return Crossing(Session(), str(place), lost.append).stand_in(rename)


@pytest.mark.parametrize(
    ("src", "dst", "told"),
    [
        ("own/file", "file", True),
        ("file", "own/folder/../file", True),
        (b"own/file", b"file", True),
        ("own/file", "own/other", False),
        ("file", "other", False),
        ("own/file", "/proc/file", False),
        ("own/file", "none/file", False),
    ],
)
def test_what_is_lost_by_the_mount_is_told(
    src: Any, dst: Any, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own" / "folder").mkdir(parents=True)
    lost: list[str] = []
    with pytest.raises(OSError, match="cross-device") as caught:
        renaming(tmp_path / "own", lost)(src, dst=dst)
    assert (caught.value.filename, caught.value.filename2) == (src, dst)
    assert lost == ([str(tmp_path / "own" / "file")] if told else [])


def test_a_folder_over_which_nothing_is_mounted(tmp_path: Path) -> None:
    assert mounted(str(tmp_path), os.path.dirname(tmp_path)) is None
