"""Threads below Python: held against the script's own settings, and asked of the libraries."""

from __future__ import annotations

from pathlib import Path

import pytest

from nondet.guest.factors import by_name
from tests.guest.running import Shown, guided

SETTING = """
import os
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "3"
import nondet
import numpy as np
nondet.checkpoint("value", np.ones(3))
print(os.environ["OMP_NUM_THREADS"])
"""
PLAIN = """
import sys
import nondet
nondet.checkpoint("value", 1)
print("ctypes" in sys.modules)
"""


def pinned(folder: Path, text: str, *names: str) -> Shown:
    folder.mkdir()
    (folder / "train.py").write_text(text)
    environ: dict[str, str | None] = {}
    for name in names:
        environ |= by_name(name).environment("pinned", 7)
    shown = guided(folder, "train.py", pinned=names, environ=environ)
    assert (shown.code, shown.of("guest-error")) == (0, []), shown.err
    return shown


def test_what_the_script_sets_above_its_imports_gives_way(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    shown = pinned(tmp_path / "subject", SETTING, "cpu-threads")
    assert shown.out == "1\n"
    environment, libraries = shown.of("pin")
    assert environment["ok"] and libraries["ok"]
    assert {count for _, count in libraries["seen"]} == {1}


def test_a_script_without_such_libraries_is_not_made_to_load_any(tmp_path: Path) -> None:
    shown = pinned(tmp_path / "subject", PLAIN, "cpu-threads")
    assert shown.out == "False\n"
    assert [pin["ok"] for pin in shown.of("pin")] == [True]


def test_what_we_look_up_ourselves_is_no_suspect(tmp_path: Path) -> None:
    shown = pinned(tmp_path / "subject", PLAIN, "cpu-isa")
    assert [pin["ok"] for pin in shown.of("pin")] == [True]
    assert [one for one in shown.of("exercised") if one["factor"] == "unknown"] == []
