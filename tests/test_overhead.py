"""The bench that measures what the pins cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import overhead


def test_each_pin_is_measured_against_a_plain_run_beside_it(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import os, random\nassert os.environ.get('PYTHONHASHSEED') in ('0', None)\n")
    bench = overhead.Bench(script, tmp_path / "room")
    names = ["python-random", "hash-seed"]
    nothing, *held = overhead.measure(bench, names, rounds=2)
    assert nothing.name == overhead.NOTHING
    assert [measured.name for measured in held] == names
    for measured in (nothing, *held):
        assert len(measured.wall) == len(measured.cpu) == 2
        assert min(measured.wall + measured.cpu) > 0


def test_a_run_that_fails_is_no_measurement(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("raise SystemExit('no data')\n")
    with pytest.raises(overhead.Failed, match="no data"):
        overhead.Bench(script, tmp_path / "room").plain()


def test_the_page_has_medians_and_reasons() -> None:
    measured = overhead.Measured("hash-seed", wall=(1.3, 1.0, 1.1), cpu=(1.2, 1.0, 1.4))
    absent = overhead.Measured("device", reason="this machine has no GPU")
    page = overhead.page([measured, absent], rounds=3)
    assert "| hash-seed | 1.10 | 1.00 to 1.30 | 1.20 |" in page
    assert "| device | not run: this machine has no GPU | | |" in page
