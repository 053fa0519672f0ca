"""The launch line: what several factors ask for, and what the user has set, stay side by side."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path

import pytest

from nondet import record
from nondet.guest.factors import by_name
from nondet.host import launching, planning
from nondet.host.mending import Mending
from tests.host.acting import laboratory, settings

SHOW = "printenv XLA_FLAGS"
NOTHING = record.Prescription(snippet="", verified_trials=())
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


def test_what_a_launch_line_has_started_is_no_trial_of_the_script_as_it_is(tmp_path: Path) -> None:
    """Not even where no line of it is changed: `--resume` tells them apart."""
    same = settings(tmp_path)
    patched = Mending(NOTHING, launch={"PYTHONHASHSEED": "0"}).settings(same)
    assert patched.environ["PYTHONHASHSEED"] == "0"
    hashes = {planning.plan_hash(each, {}) for each in (same, patched)}
    other = dataclasses.replace(patched, launch={"PYTHONHASHSEED": "1"})
    assert len(hashes | {planning.plan_hash(other, {})}) == 3


def test_what_has_imported_without_the_variables_starts_none_that_has_them(tmp_path: Path) -> None:
    lab, _ = laboratory(tmp_path)
    same = lab.settings
    patched = Mending(NOTHING, launch={"OMP_NUM_THREADS": "1"}).settings(same)
    assert lab.beside(dataclasses.replace(same, granularity="step")).warming is lab.warming
    beside = lab.beside(patched)
    assert beside.warming is not lab.warming and not beside.warming.wanted


def test_other_variables_are_replaced() -> None:
    assert launching.within({"A": "1", "PYTHONHASHSEED": "random"}, {"PYTHONHASHSEED": "0"}) == {
        "A": "1",
        "PYTHONHASHSEED": "0",
    }
    assert launching.line({"PYTHONHASHSEED": "0"}, "python t.py") == "PYTHONHASHSEED=0 python t.py"
    assert launching.line({"A": "1 2"}, "python t.py") == "A='1 2' python t.py"
    assert launching.line({}, "python t.py") == ""
