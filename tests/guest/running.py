"""Runs a script as the interpreter does, and under the guest, and tells what each showed."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def plain(folder: Path, script: str, *args: str, python: str = sys.executable) -> Shown:
    return run([python, script, *args], folder)


def guided(
    folder: Path,
    script: str,
    *args: str,
    python: str = sys.executable,
    pinned: tuple[str, ...] = (),
    arms: dict[str, str] | None = None,
    granularity: str = "auto",
    digest: str = "sha256",
    environ: dict[str, str] | None = None,
) -> Shown:
    """Run under the guest with a plan of our own; the plan lies beside the folder."""
    room = folder.parent / f"{folder.name}-room"
    (room / "values").mkdir(parents=True, exist_ok=True)
    events = room / "events.jsonl"
    events.unlink(missing_ok=True)
    plan = {
        "trial": "t01",
        "hash": "h",
        "arms": dict.fromkeys(pinned, "pinned") | (arms or {}),
        "seed": 7,
        "script": script,
        "args": list(args),
        "folders": [str(folder)],
        "events": str(events),
        "values": str(room / "values"),
        "values_limit": 10**8,
        "digest": digest,
        "granularity": granularity,
    }
    (room / "plan.json").write_text(json.dumps(plan))
    shown = run([python, str(GUEST), str(room / "plan.json")], folder, environ or {})
    if events.exists():
        shown.events = [json.loads(line) for line in events.read_text().splitlines()]
    return shown


def run(command: list[str], folder: Path, changes: dict[str, str] | None = None) -> Shown:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(**(changes or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return Shown(done.returncode, done.stdout, done.stderr)
