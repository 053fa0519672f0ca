"""Where each trial has a folder for temporary files of its own, at a path that all trials share."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

from nondet.guest.factors.process_identity import MOUNT_POINT
from nondet.host.scratch import same, temporary

NAME = "nondet-temporary-{user}"


class MountPoint:
    """An empty folder over which trials mount theirs. Its path is the same in every diagnosis of a
    user, and those that run at once share it: it is gone when the last of them closes it."""

    def __init__(self, base: Path) -> None:
        """Raises OSError where it can't be had."""
        self.path = base / NAME.format(user=os.geteuid())
        while True:
            with contextlib.suppress(FileExistsError):
                self.path.mkdir(MOUNT_POINT)
            try:
                self._handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            except FileNotFoundError:
                continue  # somebody who has just closed it removed it
            try:
                if os.fstat(self._handle).st_uid != os.geteuid():
                    raise PermissionError(f"{self.path} is another user's")
                if os.listdir(self._handle):
                    raise FileExistsError(f"{self.path} is not empty, so none of ours")
                os.fchmod(self._handle, MOUNT_POINT)
                fcntl.flock(self._handle, fcntl.LOCK_SH)
                if same(self._handle, self.path):
                    return
            except OSError:
                os.close(self._handle)
                raise
            os.close(self._handle)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            # Removing it takes the mounts off, in trials of other diagnoses as well.
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if same(self._handle, self.path):
                self.path.rmdir()
        os.close(self._handle)


def mount_point(folders: Sequence[Path]) -> MountPoint | None:
    """One in the folder for temporary files. None where that is of no use, as it lies in a folder
    that each trial has for itself, and where it can't be had."""
    base = Path(os.path.realpath(temporary()))
    if any(base.is_relative_to(folder) for folder in folders):
        return None
    try:
        return MountPoint(base)
    except OSError:
        return None
