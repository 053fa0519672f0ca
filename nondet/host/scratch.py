"""Folders that a host holds as long as it lives: private temporary ones, of which the next host
removes what a killed one left, and such as stay."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nondet.host.errors import UsageError

RANDOM = re.compile(r"[a-z0-9_]{8}")
"""As tempfile makes them: a folder that a user named alike is none of ours."""


def prefix() -> str:
    """What the names of this machine's private folders begin with. On some file systems that
    machines share, a lock is seen by the machine alone that took it."""
    machine = hashlib.sha256(os.fsencode(platform.node())).hexdigest()[:8]
    return f"nondet-scratch-{machine}-"


def temporary() -> Path:
    """The user's folder for temporary files. Raises UsageError when there is none to write in."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        raise UsageError(
            "no-scratch", "found no writable folder for temporary files: point TMPDIR at one"
        ) from error


class Private:
    """A folder that nobody else can read, locked as long as this process lives and holds it.

    The folder itself is locked, not a file in it: whenever the host is killed, from the folder's
    making until all of it is removed, it is one that nobody holds.
    """

    def __init__(self, base: Path) -> None:
        sweep(base)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=prefix(), dir=base))
            self._handle = _opened(self.path)
            # Another host may sweep it in the moment before it is locked: that one is waited for.
            if self._handle is None:
                if os.path.lexists(self.path):
                    break  # a system that can't lock folders, so none is swept there
            elif not lock(self._handle, wait=True) or same(self._handle, self.path):
                break
            else:
                os.close(self._handle)

    def close(self) -> None:
        remove(self.path)
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.close(self._handle)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *error: object) -> None:
        self.close()


@contextlib.contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Hold a folder that stays, and leave nothing in it. Gives False when somebody else holds it;
    where none can be held, True."""
    handle = _opened(folder.resolve())
    if handle is None:
        yield True
        return
    try:
        yield lock(handle) is not False
    finally:
        unlock(handle)
        os.close(handle)


def lock(handle: int, wait: bool = False) -> bool | None:
    """Take a lock that ends with this process. False when somebody else has it, unless that is to
    be waited for; None where the system or file system has no locks."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def unlock(handle: int) -> None:
    """Give a lock back. Closing alone leaves it with a process that was forked off meanwhile."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_UN)


def sweep(base: Path) -> None:
    """Remove private folders of this machine whose host was killed before it could do so."""
    start = prefix()
    for path in base.glob(start + "*"):
        if not RANDOM.fullmatch(path.name.removeprefix(start)):
            continue
        handle = _opened(path)
        if handle is None:
            continue
        try:
            state = os.fstat(handle)
            private = state.st_uid == os.geteuid() and stat.S_IMODE(state.st_mode) == 0o700
            if private and lock(handle) and same(handle, path):
                remove(path)
        finally:
            os.close(handle)


def remove(folder: Path) -> None:
    """Delete a folder with all in it, whatever modes a trial has set there."""
    for root, names, _ in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            if not os.path.islink(path) and not os.access(path, os.R_OK | os.W_OK | os.X_OK):
                with contextlib.suppress(OSError):
                    os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _opened(folder: Path) -> int | None:
    """A handle to lock the folder by; None where folders can't be opened, or not this one."""
    with contextlib.suppress(OSError, AttributeError):
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    return None


def same(handle: int, path: Path) -> bool:
    """Whether the path is still the folder that is open."""
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except OSError:
        return False
