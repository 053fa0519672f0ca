"""What a script makes of its model after training counts as its result."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command.running import QUICK, Project

pytestmark = [pytest.mark.subject, pytest.mark.long]

PRUNED = """
import numpy as np
import torch
from torch import nn


def main():
    torch.manual_seed(0)
    x = torch.randn(64, 4)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range({steps}):
        optimizer.zero_grad()
        net(x).pow(2).mean().backward()
        optimizer.step()
    rng = np.random.default_rng()
    with torch.no_grad():
        for p in net.parameters():
            p *= torch.tensor(rng.random(p.shape) > 0.3)


main()
"""


# Of 101 steps, the last one is recorded only at the end.
@pytest.mark.parametrize("steps", [10, 101])
def test_a_model_that_is_pruned_at_random_does_not_repeat(steps: int, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is an extra")
    project = Project(tmp_path / "project")
    project.write(PRUNED.format(steps=steps))
    ran = project.diagnose(*QUICK, "train.py")
    assert ran.code == 1, (ran.out, ran.err)
    found = ran.diagnosis
    assert [cause.factor for cause in found.causes] == ["numpy-generator"]
    first = found.first_divergence
    assert first is not None
    assert (first.checkpoint, first.model, first.step) == ("end", "Sequential", steps)
    assert "Runs part after the last recorded step: the final weights of" in found.summary
    assert found.zooms == ()
    page = (ran.output / "report.html").read_text()
    assert "After the last recorded step" in page
    told = project.repeat("-n", "3")
    assert "3 runs ended with 3 different final weights" in told.out, (told.out, told.err)
