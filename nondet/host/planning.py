"""From the arms of a plan to a trial's environment, plan file and command."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from nondet.guest.factors import by_name
from nondet.guest.factors.base import FIRST
from nondet.host.horizon import Horizon
from nondet.host.plugins import Plugin
from nondet.host.subject import GUEST, Subject
from nondet.record import Arm


class Place(Protocol):
    """Where a trial runs, as far as its paths go: an executor is one."""

    @property
    def runtime(self) -> Path:
        """The output folder as the guest sees it."""

    @property
    def temporary(self) -> Path | None:
        """Where each trial has a folder for temporary files of its own; None where none has."""

    def map_path(self, trial: str, path: Path) -> Path:
        """A path in the user's folders as that trial sees it."""


SEED = 20_150_801
"""Every pinned stream of every trial derives from it; recorded with the diagnosis."""
VALUES_LIMIT = 256 * 2**20
"""Bytes of tensor values that one trial adds to the store, unless it is said otherwise."""


@dataclasses.dataclass(frozen=True)
class Window:
    """Steps of training that are looked into, the first and the last included."""

    first: int
    last: int


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is the same in every trial of a diagnosis."""

    subject: Subject
    output: Path
    environ: Mapping[str, str]
    """The user's environment, as it was when nondet started."""
    seed: int
    digest: str
    granularity: str
    plugins: tuple[Plugin, ...] = ()
    horizon: Horizon | None = None
    """Where trials are ended; None when they run to their end."""
    zoom: Window | None = None
    """The steps that are looked into; None when none are."""
    released: tuple[str, ...] = ()
    """Patterns of operations that keep their usual kernels where `op-determinism` is pinned."""
    files: tuple[tuple[Path, bytes], ...] = ()
    """Files of the subject that trials find with this content: those of a patch."""
    launch: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Variables of `environ` that the launch line of a patch sets."""
    values_limit: int = VALUES_LIMIT
    """Bytes of tensor values that one trial may add to the store."""
    machine: str = ""
    """The kind of machine that trials are kept on; empty where they run here."""


def plan_key(held: Mapping[str, Arm]) -> tuple[tuple[str, Arm], ...]:
    """Plans are equal when they hold the same factors in the same arms, in whatever order."""
    return tuple(sorted(held.items()))


def plan_hash(settings: Settings, held: Mapping[str, Arm]) -> str:
    """Names a plan of this subject; the trial repeats it, which shows that it ran this plan."""
    subject = settings.subject
    same: list[object] = [settings.seed, settings.digest, settings.granularity]
    same += [plugin.sha256 for plugin in settings.plugins]
    same += [settings.horizon.key] if settings.horizon is not None else []
    same += [settings.zoom.first, settings.zoom.last] if settings.zoom is not None else []
    same += ["released", *settings.released] if settings.released else []
    same += [[str(path), hashlib.sha256(data).hexdigest()] for path, data in settings.files]
    same += ["with", *map(list, sorted(settings.launch.items()))] if settings.launch else []
    same += ["on", settings.machine] if settings.machine else []
    same += [subject.script, subject.sha256, *subject.args]
    packages = sorted(subject.description.packages.items())
    same += ["-m", subject.module] if subject.module else []
    text = json.dumps([plan_key(held), same, subject.python, subject.description.python, packages])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fixed_addresses(held: Mapping[str, Arm]) -> bool:
    """Whether a plan needs processes without address space randomisation."""
    return any(arm == "pinned" and by_name(name).fixed_addresses for name, arm in held.items())


def loads(held: Mapping[str, Arm]) -> bool:
    """Whether a plan needs the machine kept busy."""
    return any(arm == "varied" and by_name(name).loads for name, arm in held.items())


def environment(settings: Settings, held: Mapping[str, Arm], trial: str) -> dict[str, str]:
    """The user's environment with the changes that the plan's arms ask for."""
    environ = dict(settings.environ)
    for name, arm in held.items():
        # A pinned arm gets one number, a varied one another in each trial.
        salt = "" if arm == "pinned" else trial
        digest = hashlib.sha256(f"{settings.seed}/{name}/{salt}".encode()).digest()
        changes = by_name(name).environment(arm, int.from_bytes(digest[:6], "big"))
        for variable, value in changes.items():
            if value is None:
                environ.pop(variable, None)
            elif value == FIRST:
                environ[variable] = environ.get(variable, "0").split(",")[0].strip()
            else:
                environ[variable] = value
    return environ


def plan_file(
    settings: Settings,
    held: Mapping[str, Arm],
    trial: str,
    place: Place,
    left: Sequence[str] = (),
) -> dict[str, Any]:
    """What the guest reads, with every path as the guest sees it. `left`: files that former trials
    have left, relative to the subject's folders."""
    subject, runtime = settings.subject, place.runtime
    script = Path(subject.script)
    inside = Path(os.path.normpath(subject.cwd / script)).is_relative_to(subject.cwd)
    copied = place.map_path(trial, subject.cwd) != subject.cwd
    if copied and not inside and not script.is_absolute():
        # Copies of two folders do not lie to each other as the folders do.
        script = subject.path
    if script.is_absolute():
        script = place.map_path(trial, script)
    folders = [place.map_path(trial, folder) for folder in subject.folders]
    return {
        "trial": trial,
        "hash": plan_hash(settings, held),
        "arms": dict(held),
        "seed": settings.seed,
        "script": str(script) if script.is_absolute() else subject.script,
        "module": subject.module,
        "args": list(subject.args),
        "folders": [str(folder) for folder in folders],
        "left": [str(folder / name) for folder in folders for name in left],
        "packages": [package] if (package := subject.description.package) else [],
        "plugins": [str(place.map_path(trial, plugin.path)) for plugin in settings.plugins],
        "events": str(runtime / "trials" / trial / "events.jsonl"),
        "temporary": str(place.temporary) if place.temporary is not None else "",
        "values": str(runtime / "values"),
        "values_limit": settings.values_limit,
        "digest": settings.digest,
        "granularity": settings.granularity,
        "zoom": dataclasses.asdict(settings.zoom) if settings.zoom is not None else None,
        "released": list(settings.released),
    }


def command(settings: Settings, trial: str, runtime: Path) -> tuple[str, ...]:
    """The command line of a trial: the subject's interpreter, the guest, the plan."""
    plan = runtime / "trials" / trial / "plan.json"
    return (settings.subject.python, str(GUEST), str(plan))
