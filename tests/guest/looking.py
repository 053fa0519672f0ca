"""Runs a script under a guest that looks into its steps, and reads what it wrote like the host."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from nondet.host.subject import GUEST
from nondet.host.trials import Trial
from tests.guest.running import Shown, run, write_plan

BACKENDS = ("tensorflow", "jax", "torch")


def need(backend: str) -> None:
    """Skip the test where a backend is not installed: two of them are extras."""
    pytest.importorskip(backend, reason=f"{backend} is an extra")


def alone(folder: Path, script: Path, *args: str, backend: str) -> Shown:
    """Run it without a guest."""
    folder.mkdir(exist_ok=True)
    return run([sys.executable, str(script), *args], folder, {"KERAS_BACKEND": backend})


def look(
    folder: Path,
    script: Path,
    *args: str,
    backend: str,
    window: tuple[int, int] | None = None,
    granularity: str = "auto",
) -> tuple[Shown, Trial]:
    """Run it as a trial; with a window, the steps from its first to its last are looked into."""
    folder.mkdir(exist_ok=True)
    plan = write_plan(folder, str(script), args, {}, granularity=granularity)
    if window is not None:
        told = json.loads(plan.read_text())
        told["zoom"] = {"first": window[0], "last": window[1]}
        plan.write_text(json.dumps(told))
    shown = run([sys.executable, str(GUEST), str(plan)], folder, {"KERAS_BACKEND": backend})
    trial = Trial("t01", {}, "h", "?", plan.parent)
    trial.listen()
    return shown, trial
