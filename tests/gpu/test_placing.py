"""Trials of the real command on a real GPU: what is written down of it."""

from __future__ import annotations

import time
from pathlib import Path

from nondet.host.placing import placing_trials
from tests.gpu import needs, needs_gpu
from tests.guest.running import plain

pytestmark = needs_gpu

TAKES = """
import time
import torch
x = torch.zeros(1 << 28, device="cuda")
torch.cuda.synchronize()
time.sleep(2.5)
"""


@needs("torch")
def test_memory_and_clocks_of_a_trial(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TAKES)
    with placing_trials(1) as placing:
        assert placing is not None
        assert placing.spot({}) == ""
        placing.started("t01", {}, "")
        placing.looked = time.monotonic() - 10
        import threading

        done = threading.Thread(target=lambda: plain(tmp_path, "train.py"))
        done.start()
        while done.is_alive():
            placing.look()
            time.sleep(0.05)
        found = placing.ended("t01", ())
    taken = max(gpu.memory or 0 for gpu in found)
    assert taken >= 4 * (1 << 28)
    assert all(gpu.uncorrected in (0, None) for gpu in found)
    assert any(gpu.sm_clock for gpu in found)
