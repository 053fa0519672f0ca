"""Comparisons of two runs, for tests of the page and the terminal."""

from __future__ import annotations

from typing import Any

from nondet.record import Environment, Subject
from nondet.runs import Comparison, Facts, Far, Gap, Measured, Parting, RecordedRun

HOSTILE = "</script><script>alert(1)</script>"


def recorded(script: str = "train.py", **changes: Any) -> RecordedRun:
    environment = Environment(python="3.12.1", platform="Linux", cpu="A processor", cores=4)
    plain: dict[str, Any] = {
        "nondet": "0",
        "subject": Subject(script=script, sha256="0" * 64),
        "facts": Facts(environment=environment, threads=4, frameworks={"keras": "3.15.1"}),
        "started": "2026-01-01T00:00:00+00:00",
        "seconds": 12.0,
        "granularity": "epoch",
        "seed": 1,
        "checkpoints": 4,
    }
    return RecordedRun(**{**plain, **changes})


def comparison(**changes: Any) -> Comparison:
    plain: dict[str, Any] = {
        "nondet": "0",
        "files": ("with.nd", "without.nd"),
        "one": recorded(),
        "other": recorded(),
        "agree": True,
        "summary": "The runs agree bit for bit in all 4 checkpoints.",
        "compared": 4,
    }
    return Comparison(**{**plain, **changes})


APART = Far(tensor="m/dense/kernel", max_abs=1e-7, max_rel=2e-6, max_ulp=12_000, share=0.25)
FIRST = Parting(
    checkpoint="epoch", label="epoch 1", model="m", epoch=1, step=8, tensors=4, differing=3,
    apart=(APART, Far(tensor="m/dense/bias", other="m/other/bias")),
)  # fmt: skip
LAST = Parting(
    checkpoint="epoch", label="epoch 4", model="m", epoch=4, step=32, tensors=4, differing=4,
    apart=(APART,),
)  # fmt: skip
PARTED = comparison(
    agree=False,
    summary="The runs part at epoch 1: 3 of 4 tensors differ. Around them, oneDNN differs.",
    first=FIRST,
    last=LAST,
    shape=("only the second has epoch 5",),
    gaps=(
        Gap(kind="variable", name="TF_ENABLE_ONEDNN_OPTS", one="not set", other="0", effect="x"),
        Gap(kind="package", name="rich", one="13", other="14"),
    ),
    metrics=(Measured(name="loss", one=0.5, other=None),),
)
HOSTILE_ONE = comparison(
    agree=False,
    files=(HOSTILE, "b\x1b[31m.nd"),
    one=recorded(HOSTILE),
    other=recorded("train.py", pins={HOSTILE: "pinned"}),
    summary=f"The runs part at {HOSTILE}: all.",
    first=FIRST.__class__(
        checkpoint="user", label=HOSTILE, model=HOSTILE, epoch=0, step=0, tensors=1, differing=1,
        apart=(Far(tensor=HOSTILE, other='" onmouseover="x'),),
    ),
    gaps=(Gap(kind="variable", name=HOSTILE, one=HOSTILE, other="", effect=HOSTILE),),
    metrics=(Measured(name=HOSTILE, one=1.0, other=2.0),),
)  # fmt: skip
ALL = {
    "agree": comparison(),
    "part": PARTED,
    "unlike": comparison(agree=False, shape=("only the first has epoch 4",)),
    "hostile": HOSTILE_ONE,
}
