"""Measures on this machine's GPU what docs/gpu.md shows, and writes it as JSON.

``python -m tests.gpu.measure RESULTS [--quick]``, then ``python -m tests.gpu.table`` for the page.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from nondet import machines
from nondet.host import gpus, shipped

ROOT = Path(__file__).parents[2]
PAIRS = 20
PROCESSES = 3
SECONDS = 240
DETERMINISTIC = {"XLA_FLAGS": "--xla_gpu_deterministic_ops=true"}
CUBLAS = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}


def asked(module: str, *args: str, **environ: str) -> dict[str, Any]:
    """What a program of this folder prints last, as JSON; its error where it fails."""
    command = [sys.executable, "-m", f"tests.gpu.{module}", *args]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found
    except (subprocess.TimeoutExpired, IndexError, ValueError) as error:
        tail = "" if isinstance(error, subprocess.TimeoutExpired) else done.stderr[-800:]
        return {"failure": f"{type(error).__name__}: {tail}"}


def kernels(framework: str, repeats: int) -> dict[str, Any]:
    """One process with many repeats, others whose first result is compared, one held."""
    module = f"{framework}_kernels"
    found = asked(module, str(repeats), **CUBLAS)
    others = [asked(module, "2", **CUBLAS) for _ in range(PROCESSES - 1)]
    held = asked(module, str(repeats), **DETERMINISTIC) if framework == "jax" else {}
    steady = {row["name"]: row["differing"] == 0 for row in held.get("kernels", ())}
    for row in found.get("kernels", ()):
        firsts = {row["first"]}
        for other in others:
            firsts |= {r["first"] for r in other.get("kernels", ()) if r["name"] == row["name"]}
        row["between_processes"] = len(firsts)
        if row["name"] in steady:
            row["held"] = "equal" if steady[row["name"]] else "differs"
    return found


def machine() -> dict[str, Any]:
    seen = gpus.found()
    return {"gpus": [device.name for device in seen.devices], "driver": seen.driver}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=Path)
    parser.add_argument("--quick", action="store_true", help="no overhead, and fewer pairs")
    parser.add_argument("--probes", action="store_true", help="the probes as well: takes long")
    chosen = parser.parse_args()
    repeats = 5 if chosen.quick else PAIRS + 1
    found: dict[str, Any] = {"machine": machine(), "frameworks": [], "overhead": []}
    for framework in ("torch", "jax"):
        if importlib.util.find_spec(framework):
            found["frameworks"].append(kernels(framework, repeats))
            # What there is so far stays, whatever ends the rest.
            chosen.results.write_text(json.dumps(found, indent=1))
    if importlib.util.find_spec("keras") and not chosen.quick:
        for backend in ("torch", "jax"):
            if importlib.util.find_spec(backend):
                found["overhead"].append(asked("overhead", backend))
                chosen.results.write_text(json.dumps(found, indent=1))
    if chosen.probes:
        found["probes"] = probed()
        chosen.results.write_text(json.dumps(found, indent=1))


def probed() -> dict[str, str]:
    """What the probes that need a GPU do here in as many runs, in words by name."""
    names = [probe.name for probe in shipped.all_probes() if probe.needs_gpu]
    command = [sys.executable, "-m", "nondet", "probe", "--quiet", "--runs", str(PAIRS + 1)]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--output", folder, "--force"]
        subprocess.run([*command, *options, *names], cwd=ROOT, check=False)
        found = machines.decode_probing(Path(folder, "probing.json").read_bytes())
    return {
        one.probe: f"{one.state}, {one.distinct} results in {one.runs} runs"
        for one in found.probes
        if one.runs
    }


if __name__ == "__main__":
    main()
