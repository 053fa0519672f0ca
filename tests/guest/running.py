"""Runs a script as the interpreter does, and under the guest, and tells what each showed."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nondet.host.executors.supervisor import fix_addresses
from nondet.host.subject import GUEST


@dataclasses.dataclass
class Shown:
    """What a run let the world see, and the events of its guest if it had one."""

    code: int
    out: str
    err: str
    events: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def of(self, event: str) -> list[dict[str, Any]]:
        return [e for e in self.events if e["event"] == event]

    @property
    def visible(self) -> tuple[int, str, str]:
        return self.code, self.out, self.err


def environment(**changes: str) -> dict[str, str]:
    environ = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "ABSL_MIN_LOG_LEVEL": "3"}
    return environ | changes


def plain(
    folder: Path,
    script: str,
    *args: str,
    python: str = sys.executable,
    environ: Mapping[str, str | None] | None = None,
) -> Shown:
    return run([python, script, *args], folder, environ)


def guided(
    folder: Path,
    script: str,
    *args: str,
    python: str = sys.executable,
    pinned: tuple[str, ...] = (),
    arms: dict[str, str] | None = None,
    granularity: str = "auto",
    digest: str = "sha256",
    environ: Mapping[str, str | None] | None = None,
    trial: str = "t01",
    fixed_addresses: bool = False,
    left: Sequence[str] = (),
    plugins: Sequence[str] = (),
    module: str = "",
    released: Sequence[str] = (),
    temporary: Path | None = None,
) -> Shown:
    """Run under the guest with a plan of our own; the plan lies beside the folder."""
    every = dict.fromkeys(pinned, "pinned") | (arms or {})
    plan = write_plan(
        folder, script, args, every, trial, granularity, digest, left, plugins, module
    )
    more = {"released": list(released), "temporary": str(temporary or "")}
    plan.write_text(json.dumps(json.loads(plan.read_text()) | more))
    command = [python, str(GUEST), str(plan)]
    shown = run(command, folder, environ or {}, fixed_addresses=fixed_addresses)
    events = plan.parent / "events.jsonl"
    if events.exists():
        shown.events = [json.loads(line) for line in events.read_text().splitlines()]
    return shown


def write_plan(
    folder: Path,
    script: str,
    args: Sequence[str],
    arms: Mapping[str, str],
    trial: str = "t01",
    granularity: str = "auto",
    digest: str = "sha256",
    left: Sequence[str] = (),
    plugins: Sequence[str] = (),
    module: str = "",
) -> Path:
    """The plan of a trial in this folder, with an event file that no trial has written to yet.

    `left`: files that a former trial has left in the folder."""
    room = folder.parent / f"{folder.name}-room"
    (room / "values").mkdir(parents=True, exist_ok=True)
    events = room / "events.jsonl"
    events.unlink(missing_ok=True)
    made = {
        "trial": trial,
        "hash": "h",
        "arms": dict(arms),
        "seed": 7,
        "script": script,
        "module": module,
        "args": list(args),
        "folders": [str(folder)],
        "left": list(left),
        "events": str(events),
        "values": str(room / "values"),
        "values_limit": 10**8,
        "digest": digest,
        "granularity": granularity,
        "plugins": list(plugins),
    }
    (room / "plan.json").write_text(json.dumps(made))
    return room / "plan.json"


def run(
    command: list[str],
    folder: Path,
    changes: Mapping[str, str | None] | None = None,
    *,
    fixed_addresses: bool = False,
) -> Shown:
    """Run a command in a folder; a change of the environment to None takes the variable out."""
    given = {name: value for name, value in (changes or {}).items() if value is not None}
    environ = environment(**given)
    for name in (changes or {}).keys() - given.keys():
        environ.pop(name, None)
    done = subprocess.run(
        command,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        preexec_fn=fix_addresses if fixed_addresses else None,
    )
    return Shown(done.returncode, done.stdout, done.stderr)
