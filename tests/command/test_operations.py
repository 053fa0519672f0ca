"""Which operation it is that needs a deterministic kernel, through the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from nondet.host.releasing import ONE
from tests.command.running import Project

FACTORS = "op-determinism,python-random,cpu-threads"
SCRIPT = """
import nondet
import torch

torch.manual_seed(1)
index = torch.randint(0, 50, (400_000,))  # long enough to race on a busy machine
table = torch.randn(50, 16, requires_grad=True)
bins = torch.bincount(index)  # also known to have several kernels
picked = torch.sin(table[index] * torch.randn(400_000, 16))
picked.sum().backward()
nondet.checkpoint("gradient", table.grad)
"""


@pytest.mark.subject
@pytest.mark.long
def test_the_operation_that_races_is_named_with_its_line(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    project = Project(tmp_path / "project")
    project.write(SCRIPT)
    found = project.diagnose("--factors", FACTORS, "--no-verify", "train.py").diagnosis
    (cause,) = found.causes
    assert cause.factor == "op-determinism"
    assert cause.fix == "import torch\ntorch.use_deterministic_algorithms(True)"
    (kernel,) = found.kernels
    assert kernel.words == cause.operation == "scatter-add by `index_put`"
    assert "released" in kernel.seen
    assert kernel.site is not None
    assert kernel.site.line == SCRIPT.splitlines().index("picked.sum().backward()") + 1
    asked = [question.text for question in found.questions]
    assert asked[-2:] == [ONE.format("index_put"), ONE.format("bincount")]
    # All is held beside but what holds the same as deterministic kernels do.
    assert {question.pinned for question in found.questions[-3:]} == {("python-random",)}
    released = {trial.id: trial.released for trial in found.trials if trial.released}
    assert {released[name] for name in kernel.trials} == {("index_put",)}
