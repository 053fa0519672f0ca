"""The doctor's screen, as a function of what was found."""

from __future__ import annotations

import io

import msgspec
from rich.console import Console

from nondet.host import remarks
from nondet.machines import Checkup
from nondet.report.machine.doctor import print_checkup
from tests.host.checkups import H100, T4, checkup, library


def screen(found: Checkup, width: int = 100) -> str:
    out = io.StringIO()
    print_checkup(Console(file=out, width=width), found)
    return out.getvalue()


def test_nothing_to_say() -> None:
    text = screen(checkup())
    assert "Nothing known stands in the way" in text
    assert "To set" not in text


def test_all_of_a_gpu_is_told() -> None:
    text = screen(checkup(gpus=(H100, T4), cuda="12.4"))
    assert "H100, 80 GiB, compute capability 9.0, ECC on, MIG off" in text
    assert "T4, 15 GiB, compute capability 7.5, ECC off" in text


def test_remarks_and_what_to_set() -> None:
    found = checkup(variables={"OMP_DYNAMIC": "true"}, gpus=(H100, T4))
    found = msgspec.structs.replace(found, remarks=tuple(remarks.of(found)))
    text = screen(found)
    assert "2 things stand in the way of runs that repeat." in text
    assert "  export OMP_DYNAMIC=false\n" in text
    assert text.index("OMP_DYNAMIC  ") < text.index("PYTHONHASHSEED  ")


def test_a_line_to_copy_is_never_broken() -> None:
    found = checkup(gpus=(T4,), libraries=(library("jax", "0.10", GPUs="1"),))
    found = msgspec.structs.replace(found, remarks=tuple(remarks.of(found)))
    assert "  export XLA_FLAGS=--xla_gpu_deterministic_ops=true\n" in screen(found, 30)


def test_hostile_text_is_shown_and_not_obeyed() -> None:
    text = screen(checkup(variables={"TF_X": "\x1b[31mred\x1b]8;;http://x\x07"}))
    assert "\x1b" not in text and "\x07" not in text
