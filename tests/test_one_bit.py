"""One flipped bit is found where it is; a thousand rounds of it are a benchmark."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nondet.guest import digests
from nondet.host import comparing
from tests.benchmarks import one_bit
from tests.benchmarks.one_bit import try_one
from tests.command.running import Project

ROUNDS = 50


def rounds(folder: Path, count: int, seed: int = 2) -> list[str]:
    faults = []
    for number in range(count):
        room = folder / str(number)
        room.mkdir()
        faults += try_one(number, seed, room)
    return faults


def test_one_bit_is_found_exactly_there_and_identical_runs_are_silent(tmp_path: Path) -> None:
    assert rounds(tmp_path, ROUNDS) == []


def test_a_bit_that_is_found_elsewhere_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another(value: Any, flip: one_bit.Flip) -> None:
        turned(value, dataclasses.replace(flip, bit=flip.bit ^ 1))

    turned = one_bit.turn
    monkeypatch.setattr(one_bit, "turn", another)
    assert any("what differs are" in fault for fault in rounds(tmp_path, 10))


FLIPPING = """
import os
import nondet
import numpy as np

moment, tensor, byte, bit = map(int, os.environ.get("FLIP", "-1,0,0,0").split(","))
weights = [np.arange(1, 9, dtype="float32") / 3 for _ in range(3)]
for now in range(4):
    weights = [array * np.float32(1.5) for array in weights]
    if now == moment:
        weights[tensor].view("uint8")[byte] ^= 1 << bit
    nondet.checkpoint(f"moment {now}", weights)
"""


@pytest.mark.parametrize(("moment", "tensor", "element", "bit"), [(0, 2, 0, 0), (3, 0, 7, 7)])
def test_one_bit_of_a_trial_in_a_process_of_its_own(
    tmp_path: Path, moment: int, tensor: int, element: int, bit: int
) -> None:
    project = Project(tmp_path / "project")
    project.write(FLIPPING)
    for name, flip in (("a.nd", ""), ("b.nd", f"{moment},{tensor},{4 * element},{bit}")):
        environ = {"FLIP": flip} if flip else {}
        assert project.run("record", "-o", name, "train.py", environ=environ).code == 0
    ran = project.run("diff", "--json", "a.nd", "b.nd")
    assert ran.code == 1, ran.err
    first = json.loads(ran.out)["first"]
    assert first["label"] == f"moment {moment}"
    (far,) = first["apart"]
    assert (far["tensor"], far["share"], far["max_ulp"]) == (str(tensor), 1 / 8, 1 << bit)


def test_a_recorder_that_overlooks_something_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw: Callable[[Any], Any] = digests.raw_bytes

    def half(array: Any) -> bytes:
        data = bytes(raw(array))
        return data[: len(data) // 2]

    monkeypatch.setattr(digests, "raw_bytes", half)
    assert any("was not found" in fault for fault in rounds(tmp_path, 10))


def test_a_comparison_that_comes_late_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "first_step", lambda *args: None)
    assert any("was found at" in fault for fault in rounds(tmp_path, 20))
