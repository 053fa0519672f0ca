"""What recording costs a step of ResNet-50 on a GPU, digests of its weights included.

``python -m tests.gpu.overhead BACKEND`` prints JSON. The plain script and the recorded one take
turns, so that a GPU that grows warmer does so for both.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from nondet.host.steps import StepTrace
from tests.guest.running import Shown, guided, plain

SCRIPT = Path(__file__).with_name("resnet.py")
STEPS, TURNS = 60, 3


def seconds(shown: Shown) -> float:
    if shown.code:
        raise RuntimeError(shown.err[-2000:])
    (line,) = [each for each in shown.out.splitlines() if each.startswith("step ")]
    return float(line.split()[1])


def measured(backend: str, steps: int = STEPS, turns: int = TURNS) -> dict[str, Any]:
    """The median of the turns' medians, plain and recorded, and how often steps were recorded."""
    environ = {"KERAS_BACKEND": backend}
    found: dict[str, list[float]] = {"plain": [], "recorded": []}
    logged = 0
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room) / "subject"
        folder.mkdir()
        (folder / SCRIPT.name).write_bytes(SCRIPT.read_bytes())
        for _ in range(turns):
            shown = plain(folder, SCRIPT.name, str(steps), environ=environ)
            found["plain"].append(seconds(shown))
            shown = guided(folder, SCRIPT.name, str(steps), environ=environ)
            found["recorded"].append(seconds(shown))
            logged = StepTrace(folder.with_name("subject-room"), 0).refresh()
    each = {name: statistics.median(values) for name, values in found.items()}
    return {
        "backend": backend,
        "steps": steps,
        "logged": logged,
        "plain": each["plain"],
        "recorded": each["recorded"],
        "ratio": each["recorded"] / each["plain"],
    }


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1])))
