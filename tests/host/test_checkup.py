"""What is asked of the system and of libraries."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from nondet.host import checkup


@pytest.mark.parametrize(
    ("text", "expected"),
    [("max 100000\n", None), ("150000 100000\n", 1.5), ("1 0", None), ("", None), ("x y", None)],
)
def test_quota_of_a_control_group(tmp_path: Path, text: str, expected: float | None) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert checkup.quota(tmp_path) == expected


def test_no_control_group_is_no_quota(tmp_path: Path) -> None:
    assert checkup.quota(tmp_path) is None


def library(tmp_path: Path, text: str) -> dict[str, str]:
    """An environment in which `jax` is this."""
    (tmp_path / "jax.py").write_text(text)
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def test_what_can_not_be_asked_is_said(tmp_path: Path) -> None:
    environ = library(tmp_path, "__version__ = '9.9'\ndef default_backend(): return 'cpu'\n")
    found = checkup.examine(sys.executable, "jax", environ)
    assert (found.name, found.version, found.failure) == ("jax", "9.9", "")
    assert found.told["device"] == "cpu"
    assert found.told["GPUs"] == "not told (AttributeError)"


def test_a_library_that_is_broken(tmp_path: Path) -> None:
    environ = library(tmp_path, "raise ImportError('no such file: libcuda.so')\n")
    found = checkup.examine(sys.executable, "jax", environ)
    assert found.failure == "ImportError: no such file: libcuda.so"


def test_a_library_that_ends_the_process(tmp_path: Path) -> None:
    environ = library(tmp_path, "import os; os._exit(7)\n")
    assert checkup.examine(sys.executable, "jax", environ).failure == "it ended with code 7"


def test_a_library_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "SECONDS", 1)
    environ = library(tmp_path, "import time; time.sleep(60)\n")
    found = checkup.examine(sys.executable, "jax", environ)
    assert found.failure == "not imported within 1 s"
