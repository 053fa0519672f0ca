"""Folders of the host's own: private scratch, copies, and what is in them."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from nondet.host.scratch import Private, temporary

NOT_COPIED = frozenset({"__pycache__", ".git", "node_modules"})
"""Large, and not what a trial works on: a copy links to them. So are virtual environments."""


class Scratch(Private):
    """A private temporary folder: `runtime`, a room for each trial, and what trials left."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.runtime = self.path / "run"
        self.rooms, self.leftovers = self.path / "rooms", self.path / "leftovers"
        self.rooms.mkdir()
        self.leftovers.mkdir()


def bases(folders: Sequence[Path]) -> Iterator[Path]:
    """Where a scratch folder can be: writable, and in none of the folders."""
    for name in dict.fromkeys((str(temporary()), "/var/tmp", "/dev/shm")):  # noqa: S108
        base = Path(os.path.realpath(name))
        inside = any(base.is_relative_to(folder) for folder in folders)
        if not inside and os.access(base, os.W_OK | os.X_OK):
            yield base


def outermost(folders: Sequence[Path]) -> tuple[Path, ...]:
    """The folders without those that lie in another one, as real paths."""
    real = dict.fromkeys(Path(os.path.realpath(folder)) for folder in folders)
    return tuple(
        one for one in real if not any(one != other and one.is_relative_to(other) for other in real)
    )


def like(original: Path, folder: Path) -> None:
    """Give a folder the mode, age and, where allowed, owner of another."""
    state = original.stat()
    with contextlib.suppress(OSError):
        os.chown(folder, state.st_uid, state.st_gid)
    shutil.copystat(original, folder)


def replace_file(original: Path, place: Path, data: bytes) -> None:
    """Write a file like the original, but for its content, and a second younger: bytecode that was
    compiled of the original is told by its age."""
    place.unlink(missing_ok=True)
    place.write_bytes(data)
    like(original, place)
    state = original.stat()
    os.utime(place, ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))


def files_below(folder: Path) -> Iterator[str]:
    """All that is not a folder, as relative paths; bytecode left out."""
    for root, names, files in os.walk(folder):
        links = [name for name in names if os.path.islink(os.path.join(root, name))]
        names[:] = [name for name in names if name != "__pycache__"]
        for name in files + links:
            if not name.endswith(".pyc") and name != "__pycache__":
                yield os.path.relpath(os.path.join(root, name), folder)


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and age of each file."""
    found = {}
    for name in files_below(folder):
        with contextlib.suppress(OSError):
            state = os.lstat(folder / name)
            found[name] = (state.st_size, state.st_mtime_ns)
    return found


def linked(entry: os.DirEntry[str]) -> bool:
    """Whether a copy has a link in place of this folder."""
    return entry.name in NOT_COPIED or os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))


def measure(folders: Sequence[Path], output: Path, files: int) -> tuple[int, int]:
    """Bytes and files that a copy takes; stops counting above that many files."""
    size = count = 0
    waiting = [str(folder) for folder in folders]
    while waiting and count <= files:
        unseen = contextlib.suppress(PermissionError, FileNotFoundError)
        with unseen, os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.path != str(output) and not linked(entry):
                        waiting.append(entry.path)
                else:
                    count += 1
                    with contextlib.suppress(FileNotFoundError):
                        size += entry.stat(follow_symlinks=False).st_size
    return size, count


def copy_tree(source: Path, place: Path, output: Path) -> None:
    """Copy a folder to a new place, leaving out the output folder, and what somebody else removes
    from it meanwhile."""
    pairs, made = [(source, place)], list[tuple[Path, Path]]()
    for here, there in pairs:  # grows while folders are found
        try:
            found = os.scandir(here)
        except OSError as error:
            if here == source:
                raise
            if isinstance(error, PermissionError):
                there.symlink_to(here)  # closed there too, as in the original
            elif not vanished(error, here):
                raise
            continue
        there.mkdir(parents=True)
        made.append((here, there))
        with found as entries:
            for entry in entries:
                target = there / entry.name
                if entry.is_symlink():
                    copy_link(entry, target, source, place)
                elif entry.is_dir():
                    if linked(entry):
                        target.symlink_to(entry.path)
                    elif entry.path != str(output):
                        pairs.append((Path(entry.path), target))
                elif entry.is_file():  # sockets and pipes have nothing to copy
                    copy_file(entry.path, target)
    for here, there in reversed(made):  # a folder's age changes until all in it is made
        try:
            like(here, there)
        except OSError as error:
            if not vanished(error, here):
                raise


def copy_file(source: str, target: Path) -> None:
    try:
        shutil.copy2(source, target)
    except PermissionError:
        target.unlink(missing_ok=True)
        target.symlink_to(source)  # unreadable there too, as in the original
    except OSError as error:
        if not vanished(error, source):
            raise
        target.unlink(missing_ok=True)


def copy_link(entry: os.DirEntry[str], target: Path, source: Path, place: Path) -> None:
    try:
        text = redirected(entry, source, place)
    except OSError as error:
        if not vanished(error, entry.path):
            raise
    else:
        target.symlink_to(text)


def vanished(error: OSError, path: str | Path) -> bool:
    """Whether that is for want of what was to be copied: somebody else, on this machine or on
    another, has removed it since it was seen."""
    if error.errno == errno.ENOENT:  # of the two paths, it may be the other one that is missing
        return os.fspath(error.filename or "") == os.fspath(path)
    return error.errno == errno.ESTALE


def redirected(entry: os.DirEntry[str], source: Path, place: Path) -> str:
    """Where a copied link points: into the copy if it pointed into the original."""
    text = os.readlink(entry.path)
    goal = Path(os.path.normpath(os.path.join(os.path.dirname(entry.path), text)))
    if not goal.is_relative_to(source):
        return str(goal)
    return str(place / goal.relative_to(source)) if os.path.isabs(text) else text
