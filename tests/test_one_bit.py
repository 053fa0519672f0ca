"""One flipped bit is found where it is; a thousand rounds of it are a benchmark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nondet.guest import digests
from nondet.host import comparing
from tests.benchmarks.one_bit import try_one

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
