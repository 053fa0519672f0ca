"""Scripts on a GPU, diagnosed by the command: exactly what was planted, down to the operation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nondet import record
from nondet.host import shipped
from tests.gpu import needs, needs_gpu

pytestmark = needs_gpu

CHOSEN = [
    pytest.param("gpu_scatter", marks=needs("torch")),
    pytest.param("gpu_keras_torch", marks=needs("torch", "keras")),
    pytest.param("gpu_keras_jax", marks=needs("jax", "keras")),
]


def diagnosed(probe: shipped.Probe, output: Path) -> record.Diagnosis:
    command = [sys.executable, "-m", "nondet", "diagnose", "--quiet", "--no-verify"]
    done = subprocess.run(
        [*command, "--output", str(output), str(probe.path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode in record.EXIT_CODES.values(), done.stderr
    return record.decode((output / "diagnosis.json").read_bytes())


@pytest.mark.parametrize("name", CHOSEN)
def test_a_script_is_diagnosed_to_the_operation(name: str, tmp_path: Path) -> None:
    (probe,) = [each for each in shipped.all_probes() if each.name == name]
    found = diagnosed(probe, tmp_path / "out")
    kept = os.environ.get("OUT")
    if kept:
        (Path(kept) / f"{name}.json").write_bytes(record.encode(found))
    told = {
        "verdict": found.verdict,
        "causes": [cause.factor for cause in found.causes],
        "operations": [kernel.words for kernel in found.kernels],
    }
    print(json.dumps(told))
    assert found.environment.gpus
    assert all(trial.gpus for trial in found.trials if trial.plan.get("device") != "pinned")
    # Which of an operation's kernels a GPU takes is its own matter: one that repeats is no fault
    # of the diagnosis. What must not be is another cause, or none for runs that differ.
    assert found.verdict in ("causes-found", "reproducible"), told
    assert {cause.factor for cause in found.causes} <= probe.causes | probe.alternatives
    if found.causes and found.zooms and len(found.zooms[0].firsts) == 1:
        assert found.kernels, told
