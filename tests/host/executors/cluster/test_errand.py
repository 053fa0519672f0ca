"""The folder that a worker's attendant lies in."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

import pytest

from nondet.host.executors.cluster import errand


@pytest.mark.parametrize("moment", ["before it is opened", "before it is locked"])
def test_a_folder_that_another_one_sweeps_is_made_anew(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    make, lock, made = tempfile.mkdtemp, fcntl.flock, list[str]()

    def mkdtemp(prefix: str) -> str:
        made.append(make(prefix=prefix))
        if len(made) == 1 and moment == "before it is opened":
            os.rmdir(made[0])
        return made[-1]

    def flock(handle: int, how: int) -> None:
        if len(made) == 1:
            os.rmdir(made[0])
        lock(handle, how)

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    monkeypatch.setattr(fcntl, "flock", flock)
    path, handle = errand.private_folder()
    assert (path, len(made)) == (made[1], 2)
    assert os.path.samestat(os.fstat(handle), os.stat(path))
    os.close(handle)
