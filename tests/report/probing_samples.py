"""What probes showed of machines, for tests of the terminal and the page."""

from __future__ import annotations

from typing import Any

from nondet.machines import Probed, Probing
from nondet.record import Divergence
from tests.host.checkups import T4, checkup, library

FIRST = Divergence(
    checkpoint="step", model="sequential", epoch=1, step=3, tensor="dense/kernel", kind="weights"
)


def probed(probe: str, state: str, **changes: Any) -> Probed:
    plain: dict[str, Any] = {
        "probe": probe,
        "title": "SGD's scatter-add races",
        "factors": ("op-determinism",),
        "state": state,
    }
    if state == "live":
        plain |= {"runs": 4, "distinct": 4, "held": "holds", "held_runs": 3, "first": FIRST}
        plain |= {"max_abs": 1e-7, "max_rel": 2.5e-6, "max_ulp": 114}
    elif state == "quiet":
        plain |= {"runs": 6, "distinct": 1, "bound": 0.451}
    else:
        plain |= {"note": "needs a GPU"}
    return Probed(**{**plain, **changes})


def probing(*probes: Probed, **changes: Any) -> Probing:
    libraries = (library("keras", "3.15.1", backend="tensorflow"),)
    plain: dict[str, Any] = {
        "nondet": "0",
        "started": "2026-01-01T00:00:00+00:00",
        "seconds": 312.0,
        "checkup": checkup(gpus=(T4,), libraries=libraries),
        "probes": probes,
    }
    return Probing(**{**plain, **changes})


MIXED = probing(
    probed("op_determinism", "live"),
    probed("cpu_threads", "live", held="parts", factors=("cpu-threads",), max_ulp=1 << 40),
    probed("control_seeded", "quiet", factors=(), title="every source seeded"),
    probed("cudnn", "skipped"),
    probed("own", "broken", note="it ended with <script>alert(1)</script>\x1b[31m"),
)
"""One of each kind."""
