"""A whole diagnosis on a machine whose driver tells of two GPUs, with real processes that use
none of them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

import nondet
from nondet.host import gpus
from nondet.report import html
from tests.host.nvml import Card, Library, installed

SECOND = "GPU-77aa0c3d-0000-0000-0000-000000000002"
SCRIPT = """
import os
import random
import nondet
nondet.checkpoint("draw", random.random())
nondet.checkpoint("gpus", len(os.environ.get("CUDA_VISIBLE_DEVICES", "")))
"""
FACTORS = ("python-random", "cudnn", "device", "cuda-streams", "nccl", "gpu-count")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_diagnosis_beside_gpus(tmp_path: Path, jobs: int) -> None:
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(SCRIPT))
    with installed(Library(Card(errors=(1, 0)), Card(uuid=SECOND))) as library:
        assert gpus.found().driver == "550.54.15"
        found = nondet.diagnose(
            script, output=tmp_path / "out", jobs=jobs, factors=FACTORS, verify=False
        )
        assert library.open == 0
    assert [cause.factor for cause in found.causes] == ["python-random"]
    assert found.environment.gpus == ("NVIDIA H100 80GB HBM3",) * 2
    reasons = {item.factor: item.why for item in found.not_tested}
    seen = [len(trial.gpus) for trial in found.trials if trial.plan.get("device") != "pinned"]
    if jobs == 1:
        assert not {"nccl", "gpu-count"} & set(reasons)
        (held,) = {
            tuple(gpu.uuid for gpu in trial.gpus)
            for trial in found.trials
            if trial.plan.get("gpu-count") == "pinned" and trial.plan.get("device") != "pinned"
        } or {(Card.uuid,)}
        assert held == (Card.uuid,)
        assert set(seen) == {2}
        assert found.warnings == ()
    else:
        assert reasons["nccl"] == reasons["gpu-count"]
        assert reasons["nccl"] == "each trial sees one GPU; --jobs 1 lets it see all"
        assert set(seen) == {1}
        assert {gpu.uuid for trial in found.trials for gpu in trial.gpus} == {Card.uuid, SECOND}
        # That trials ran on different GPUs is no matter where they used none.
        (text,) = found.warnings
        assert text.startswith("each trial sees one of the 2 GPUs")
    assert not any(gpu.used for trial in found.trials for gpu in trial.gpus)
    assert "NVIDIA H100 80GB HBM3 (GPU-1c1d9e4b" in html.render(found)
