"""Applies the patch of a diagnosis to the user's files."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from nondet import notebook, record
from nondet.host import files
from nondet.host.errors import UsageError
from nondet.host.mending import patched, where
from nondet.host.output import write_whole
from nondet.host.subject import own_folder


def apply(diagnosis: record.Diagnosis) -> tuple[tuple[Path, Path], ...]:
    """Write the patched files, all of them or none; each with the place of what it was before.

    Raises UsageError when they are no longer what was diagnosed, and OSError.
    """
    from nondet.patching.patch import essence

    prescription = diagnosis.prescription
    if prescription is None or not prescription.patch:
        raise UsageError("nothing-to-apply", "this diagnosis has no patch: nothing was changed")
    folders = folders_of(diagnosis.subject)
    made = patched(diagnosis.subject, prescription, folders)
    if essence(made.diff) != essence(prescription.patch) or not same_script(diagnosis.subject):
        raise UsageError(
            "changed-since",
            "the files are no longer what was diagnosed, so the patch is not sure to fit: diagnose "
            "again, or apply the shown patch by hand",
        )
    done: list[tuple[Path, Path]] = []
    try:
        for changed in made.files:
            path = where(folders, changed.file).resolve()
            kept = backup(path)
            _copy(path, kept)
            done.append((path, kept))
            mode = path.stat().st_mode
            write_whole(path, changed.after.encode())
            path.chmod(mode)
    except BaseException:
        # Of files that are changed in part, no patch is sure to fit any more.
        for path, kept in done:
            os.replace(kept, path)
        raise
    return tuple(done)


def _copy(path: Path, kept: Path) -> None:
    """All of it, or nothing."""
    try:
        shutil.copy2(path, kept)
    except BaseException:
        kept.unlink(missing_ok=True)
        raise


def same_script(subject: record.Subject) -> bool:
    """Whether the script is the one that was diagnosed, also where the patch changes nothing: what
    was verified is that one."""
    if not subject.sha256:
        return True
    try:
        source = files.read(Path(subject.cwd, subject.script), files.MOST_SOURCE)
        if notebook.is_notebook(subject.script):
            source = notebook.read(source.decode()).code
    except (OSError, ValueError):
        return False
    return hashlib.sha256(source).hexdigest() == subject.sha256


def folders_of(subject: record.Subject) -> tuple[Path, ...]:
    """The folder that the script was diagnosed in, and its own."""
    cwd = Path(subject.cwd)
    own = own_folder((cwd / subject.script).resolve(), subject.module)
    return tuple(dict.fromkeys((cwd, own)))


def backup(path: Path) -> Path:
    """A free name beside the file."""
    kept = path.with_name(f"{path.name}.orig")
    number = 1
    while os.path.lexists(kept):
        number += 1
        kept = path.with_name(f"{path.name}.orig{number}")
    return kept
