"""The launch line: what several factors ask for, and what the user has set, stay side by side."""

from __future__ import annotations

import os
import subprocess

import pytest

from nondet.guest.factors import by_name
from nondet.host import launching

SHOW = "printenv XLA_FLAGS"
JAX = {"jax": "0.10.2"}


def variables(*names: str) -> dict[str, str]:
    return launching.together(
        pair for name in names for pair in launching.launching(by_name(name), JAX)
    )


def test_flags_of_two_factors_stand_together() -> None:
    found = variables("precision", "cpu-isa")
    assert found == {
        "XLA_FLAGS": "--xla_allow_excess_precision=false --xla_cpu_max_isa=AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
    }
    assert launching.holds(by_name("precision"), found)
    assert launching.holds(by_name("cpu-isa"), found)
    assert not launching.holds(by_name("precision"), variables("cpu-isa"))
    assert not launching.holds(by_name("cpu-isa"), variables("precision"))
    assert not launching.holds(by_name("hash-seed"), found)


@pytest.mark.parametrize("given", ["", "--xla_dump_to=d", "--xla_allow_excess_precision=true"])
def test_the_users_own_flags_stay_and_the_last_wins(given: str) -> None:
    """As a shell starts it, and as the trials of the patched script have it."""
    added = variables("precision")
    line = launching.line(added, SHOW)
    environ = {"PATH": os.environ["PATH"], "XLA_FLAGS": given}
    shown = subprocess.run(["sh", "-c", line], env=environ, capture_output=True, text=True).stdout
    assert shown.split() == [*given.split(), "--xla_allow_excess_precision=false"]
    assert launching.within(environ, added)["XLA_FLAGS"].split() == shown.split()


def test_other_variables_are_replaced() -> None:
    assert launching.within({"A": "1", "PYTHONHASHSEED": "random"}, {"PYTHONHASHSEED": "0"}) == {
        "A": "1",
        "PYTHONHASHSEED": "0",
    }
    assert launching.line({"PYTHONHASHSEED": "0"}, "python t.py") == "PYTHONHASHSEED=0 python t.py"
    assert launching.line({"A": "1 2"}, "python t.py") == "A='1 2' python t.py"
    assert launching.line({}, "python t.py") == ""
