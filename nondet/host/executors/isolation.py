"""How a trial's files are kept from other trials: overlay, copy, or not at all."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from nondet.host.executors import folders as trees
from nondet.host.executors.interface import ExecutorError

TEMPORARY = "temporary"
"""In a room: what the trial makes in its own folder for temporary files. Nothing hands it on."""


class Isolation(Protocol):
    """Prepares and clears the folders of a trial. `room` is a private folder for one trial."""

    name: str

    def prepare(self, room: Path, leftovers: Path | None) -> dict[str, Any] | None:
        """Fill the room; the mounts that the supervisor makes."""

    def put(self, room: Path, path: Path, data: bytes) -> str:
        """Replace a file of the user's folders for this trial alone, once the room is filled. The
        name that `wrote` has for it. Raises ExecutorError where that can't be had."""

    def wrote(self, room: Path) -> list[str]:
        """What the trial changed, made and deleted."""

    def map_path(self, room: Path, path: Path) -> Path:
        """A path in the user's folders as the trial of this room sees it."""


class Overlay:
    """A writable layer over each folder, in mounts that only the trial sees."""

    name = "overlay"

    def __init__(
        self,
        folders: Sequence[Path],
        output: Path,
        runtime: Path,
        variant: tuple[bool, str],
        temporary: Path | None = None,
    ) -> None:
        """`temporary`: where each trial has a folder for temporary files of its own."""
        self.folders, self.output, self.runtime, self.variant = folders, output, runtime, variant
        self.temporary = temporary

    def prepare(self, room: Path, leftovers: Path | None) -> dict[str, Any] | None:
        if leftovers is not None:
            (room / "below").symlink_to(leftovers)
        hidden, overlays = [], []
        for number, folder in enumerate(self.folders):
            layers = [below / str(number) / "upper" for below in self._below(room)]
            upper, work = room / str(number) / "upper", room / str(number) / "work"
            upper.mkdir(parents=True)
            work.mkdir()
            if self.output.is_relative_to(folder) and not self._erase(folder, upper):
                hidden.append(str(self.output))
            # The layer's own top is what the trial sees as the folder's mode, owner and age.
            trees.like(layers[0] if layers else folder, upper)
            overlays.append(
                {"folder": str(folder), "layers": [str(layer) for layer in layers]}
                | {"upper": str(upper), "work": str(work)}
            )
        user_namespace, options = self.variant
        binds = [[str(self.output), str(self.runtime)]]
        if self.temporary is not None:
            (room / TEMPORARY).mkdir(0o700)
            binds.append([str(room / TEMPORARY), str(self.temporary)])
        return {
            "user_namespace": user_namespace,
            "options": options,
            "binds": binds,
            "overlays": overlays,
            "hidden": hidden,
        }

    def _below(self, room: Path) -> Iterator[Path]:
        """The rooms that this one builds on, newest first."""
        while (room / "below").is_symlink():
            room = (room / "below").readlink()
            yield room

    def _erase(self, folder: Path, upper: Path) -> bool:
        """Make the output folder look deleted, which also hides its name.

        Only right below the top: a layer's other folders would need the looks of the originals.
        """
        if self.output.parent != folder:
            return False
        try:
            os.mknod(upper / self.output.name, stat.S_IFCHR, os.makedev(0, 0))
        except OSError:
            return False
        return True

    def put(self, room: Path, path: Path, data: bytes) -> str:
        folder, name = within(self.folders, path)
        upper = room / str(self.folders.index(folder)) / "upper"
        for parent in reversed(name.parents):
            if not (upper / parent).exists():
                (upper / parent).mkdir()
                trees.like(folder / parent, upper / parent)
        place = upper / name
        trees.replace_file(path, place, data)
        return str(name)

    def wrote(self, room: Path) -> list[str]:
        found = []
        for number, folder in enumerate(self.folders):
            upper = room / str(number) / "upper"
            found += [path for path in trees.files_below(upper) if folder / path != self.output]
        return found

    def map_path(self, room: Path, path: Path) -> Path:
        return path


class Copy:
    """A copy of each folder, at another path."""

    name = "copy"

    def __init__(self, folders: Sequence[Path], output: Path) -> None:
        self.folders, self.output = folders, output
        self._before: dict[Path, dict[str, tuple[int, int]]] = {}

    def _place(self, room: Path, folder: Path) -> Path:
        return room / str(self.folders.index(folder)) / (folder.name or "root")

    def prepare(self, room: Path, leftovers: Path | None) -> dict[str, Any] | None:
        before: dict[str, tuple[int, int]] = {}
        for folder in self.folders:
            place = self._place(room, folder)
            source = folder if leftovers is None else self._place(leftovers, folder)
            try:
                trees.copy_tree(source, place, self.output)
            except (OSError, shutil.Error) as error:
                raise ExecutorError(
                    "copy-failed",
                    f"could not copy {folder} for a trial: {error}. Free some space, or point "
                    "TMPDIR at a larger disk.",
                ) from error
            before |= trees.stamps(place)
        self._before[room] = before
        return None

    def put(self, room: Path, path: Path, data: bytes) -> str:
        folder, name = within(self.folders, path)
        place = self._place(room, folder) / name
        trees.replace_file(path, place, data)
        return str(name)

    def wrote(self, room: Path) -> list[str]:
        before, after = self._before.pop(room, {}), dict[str, tuple[int, int]]()
        for folder in self.folders:
            after |= trees.stamps(self._place(room, folder))
        return [path for path in before | after if before.get(path) != after.get(path)]

    def map_path(self, room: Path, path: Path) -> Path:
        for known in (path, Path(os.path.realpath(path))):
            if known.is_relative_to(self.output):  # left out of copies
                return path
            for folder in self.folders:
                if known.is_relative_to(folder):
                    return self._place(room, folder) / known.relative_to(folder)
        return path


def within(folders: Sequence[Path], path: Path) -> tuple[Path, Path]:
    """The folder that a path lies in, and the way from there. Raises ExecutorError."""
    real = Path(os.path.realpath(path))
    for folder in folders:
        if real.is_relative_to(folder):
            return folder, real.relative_to(folder)
    raise ExecutorError("file-not-protected", f"{path} lies in none of the script's folders.")


class InPlace:
    """No isolation: trials share the user's folders."""

    name = "in-place"

    def prepare(self, room: Path, leftovers: Path | None) -> dict[str, Any] | None:
        return None

    def put(self, room: Path, path: Path, data: bytes) -> str:
        raise ExecutorError(
            "files-shared",
            f"trials run in the folder itself, so none can have a {path.name} of its own.",
        )

    def wrote(self, room: Path) -> list[str]:
        return []

    def map_path(self, room: Path, path: Path) -> Path:
        return path
