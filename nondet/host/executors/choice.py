"""Which isolation trials get here: the strongest that passes a rehearsal."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from nondet.host.executors import folders as trees
from nondet.host.executors.interface import ExecutorError
from nondet.host.executors.isolation import Copy, InPlace, Isolation, Overlay
from nondet.host.executors.mountpoint import MountPoint, mount_point
from nondet.host.scratch import remove

Mode = Literal["auto", "overlay", "copy", "in-place"]

SUPERVISOR = (
    *(sys.executable, "-I", "-S", "-B", "-X", f"utf8={sys.flags.utf8_mode}"),
    str(Path(__file__).with_name("supervisor.py")),
)
COPY_WARNING = (
    "each trial works in a copy of the folder, at another path: files that the script reaches by "
    "their absolute path are not kept apart"
)
IN_PLACE_WARNING = (
    "trials share the script's own folder, so what one leaves there can change the next, "
    "and the script can see the output folder grow"
)
OVERLAYS = (
    # The kernel's root may mount as it is; anybody else needs a user namespace of their own.
    # `volatile` spares a sync of the whole disk at each trial's end, on kernels that know it.
    # Without `redirect_dir`, which user namespaces can't have, renaming a folder that the trial
    # did not make fails with EXDEV: shutil.move and mv cope, os.rename does not.
    (False, "volatile,redirect_dir=on"),
    (False, "redirect_dir=on"),
    (True, "userxattr,volatile"),
    (True, "userxattr"),
)


@dataclasses.dataclass(frozen=True)
class CopyLimit:
    """How much may be copied for each trial."""

    size: int = 2 * 2**30
    files: int = 20_000


@dataclasses.dataclass(frozen=True)
class Choice:
    """The isolation in force, where it keeps its things, and what it can't keep apart."""

    isolation: Isolation
    scratch: trees.Scratch
    warning: str = ""
    mount_point: MountPoint | None = None
    """Where trials have a folder for temporary files of their own; None where they share one."""


def choose(mode: Mode, folders: Sequence[Path], output: Path, limit: CopyLimit) -> Choice:
    """The strongest isolation that works here, or the one asked for."""
    why_not = []
    if mode in ("auto", "overlay"):
        choice, reason = try_overlay(folders, output)
        if choice is not None:
            return choice
        if mode == "overlay":
            raise ExecutorError(
                "overlay-unavailable",
                f"overlay mounts don't work here ({reason}): choose isolation copy or in-place.",
            )
        why_not.append(f"overlay mounts don't work here ({reason})")
    if mode in ("auto", "copy"):
        reason = too_large(folders, output, limit)
        if not reason:
            reasons = "".join(f"{why}, so " for why in why_not)
            return Choice(Copy(folders, output), scratch(folders), reasons + COPY_WARNING)
        if mode == "copy":
            raise ExecutorError(
                "copy-too-large",
                f"{reason}: run from a smaller folder, or choose isolation in-place.",
            )
        why_not.append(reason)
    reasons = f"{' and '.join(why_not)}, so " if why_not else ""
    return Choice(InPlace(), scratch(()), reasons + IN_PLACE_WARNING)


def scratch(folders: Sequence[Path]) -> trees.Scratch:
    for base in trees.bases(folders):
        return trees.Scratch(base)
    raise ExecutorError(
        "no-scratch",
        "found no writable temporary folder outside the script's own folders: point TMPDIR at one.",
    )


def too_large(folders: Sequence[Path], output: Path, limit: CopyLimit) -> str:
    """Why the folders are not copied; empty when they can be."""
    if not any(trees.bases(folders)):
        return "there is no temporary folder outside the script's own folders"
    try:
        size, files = trees.measure(folders, output, limit.files)
    except OSError as error:
        return f"{error.filename} can't be read ({error.strerror})"
    if files > limit.files:
        return f"{folders[0]} holds more than {limit.files} files"
    if size > limit.size:
        return f"{folders[0]} holds {size / 2**20:.0f} MiB, more than {limit.size / 2**20:.0f}"
    return ""


def try_overlay(folders: Sequence[Path], output: Path) -> tuple[Choice | None, str]:
    """An overlay that passed a rehearsal on the very folders, or why none did."""
    if sys.platform != "linux":
        return None, "they need Linux"
    reason, refused = "no temporary folder outside the script's own folders", set()
    point = mount_point(folders)
    for base in trees.bases(folders):
        room = trees.Scratch(base)
        room.runtime.mkdir()
        for user_namespace, options in OVERLAYS:
            if user_namespace in refused or (os.geteuid() != 0 and not user_namespace):
                continue
            variant = user_namespace, options
            own = point.path if point is not None else None
            overlay = Overlay(folders, output, room.runtime, variant, own)
            reason = rehearse(overlay, room.rooms / f"rehearsal{len(os.listdir(room.rooms))}")
            if not reason:
                return Choice(overlay, room, mount_point=point), ""
            if reason.startswith("unshare"):
                refused.add(user_namespace)
        room.close()
    if point is not None:
        point.close()
    return None, reason


def rehearse(overlay: Overlay, room: Path) -> str:
    """Mount and write as a trial would; why it failed, empty when it worked."""
    room.mkdir()
    earlier = room.with_name(room.name + "-earlier")
    name = f".nondet-{room.parent.parent.name}"
    try:
        for number in range(len(overlay.folders)):
            (earlier / str(number) / "upper" / name / "old").mkdir(parents=True)
        mounts = overlay.prepare(room, earlier)
        order = {"rehearse": True, "mounts": {**(mounts or {}), "rehearsal": name}}
        done = subprocess.run(
            SUPERVISOR, input=json.dumps(order).encode() + b"\n", capture_output=True, timeout=30
        )
        answer = json.loads(done.stdout or b"{}")
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return str(error)
    if "error" in answer:
        number, text, step = answer["error"]
        return f"{step}: {text}"
    if "rehearsed" not in answer:
        return done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2] or "no answer"
    for number, folder in enumerate(overlay.folders):
        if (folder / name).exists() or not (room / str(number) / "upper" / name).is_dir():
            return "what was written did not stay in the layer"
    remove(room)
    remove(earlier)
    return ""
