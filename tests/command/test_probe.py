"""``nondet probe`` as a user runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from nondet.cli import machine
from tests.command.running import PATIENCE
from tests.report.probing_samples import probed, probing


def probe(folder: Path, *args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nondet", "probe", *args],
        cwd=folder,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environ},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )


def names(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.split()[0] for line in done.stdout.splitlines()]


def test_by_default_it_runs_what_depends_on_the_machine(tmp_path: Path) -> None:
    listed = names(probe(tmp_path, "--list"))
    assert {"control_seeded", "op_determinism", "cpu_threads", "data_threads"} <= set(listed)
    assert not {"numpy_global", "classic_unseeded", "kernels_stress"} & set(listed)
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_of_a_probe_or_of_a_factor(tmp_path: Path) -> None:
    assert names(probe(tmp_path, "--list", "op_determinism_crop")) == ["op_determinism_crop"]
    assert {"clock", "clock_budget"} <= set(names(probe(tmp_path, "--list", "clock")))
    assert "numpy_global" in names(probe(tmp_path, "--list", "--all"))
    (one,) = json.loads(probe(tmp_path, "--list", "--json", "clock_budget").stdout)
    assert one["name"] == "clock_budget" and one["factors"] == ["clock"] and one["what"]


def test_no_such_probe(tmp_path: Path) -> None:
    done = probe(tmp_path, "no_such_thing")
    assert done.returncode == 2
    assert "[no-such-probe]" in done.stderr


def test_a_folder_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "diagnosis.json").write_text("{}")
    done = probe(tmp_path, "-o", "out", "control_seeded")
    assert done.returncode == 2
    assert "[output-of-another-kind]" in done.stderr


@pytest.mark.parametrize(
    ("states", "code"),
    [(("live", "quiet"), 0), (("live", "skipped"), 0), (("live", "unsure"), 4), (("live",), 130)],
)
def test_a_spent_budget_is_not_all_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, states: tuple[str, ...], code: int
) -> None:
    found = probing(*(probed("clock", state) for state in states))
    monkeypatch.setattr(machine, "probed", lambda *asked: found)
    options = {
        **{"every": False, "listing": False, "as_json": False, "quiet": True},
        **{"output": tmp_path / "out", "resume": False, "force": False},
    }
    assert machine.run_probe(["clock_budget", "clock_extra_draws"], options) == code


@pytest.mark.long
@pytest.mark.subject
def test_what_is_live_is_told_and_kept(tmp_path: Path, cut_off: Mapping[str, str]) -> None:
    room = tmp_path / "room"
    room.mkdir()
    given = {**cut_off, "CUDA_VISIBLE_DEVICES": "", "TF_TOKEN": "xyzzy"}
    before = os.umask(0)
    try:
        done = probe(room, "--runs", "3", "numpy_generator", "cudnn", **given)
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    assert not Path(cut_off["NETWORK_LOG"]).exists(), "it asks the network"
    for path in (room / "nondet-probe").rglob("*"):
        assert path.stat().st_mode & 0o777 == 0o600, path
        assert b"xyzzy" not in path.read_bytes(), path
    # Of those that cudnn is planted in, whatever their number.
    assert re.match(r"1 of \d+  numpy_generator: live, ", done.stderr)
    assert "numpy_generator" in done.stdout
    folder = room / "nondet-probe"
    found = json.loads((folder / "probing.json").read_text())
    live = {one["probe"]: one for one in found["probes"]}["numpy_generator"]
    assert (live["state"], live["held"]) == ("live", "holds")
    assert live["distinct"] == live["runs"] >= 3
    assert live["max_rel"] > 0
    assert (folder / "probing.html").stat().st_size > 10_000
    assert sorted(path.name for path in room.iterdir()) == ["nondet-probe"]

    again = probe(room, "numpy_generator")
    assert again.returncode == 2 and "--resume" in again.stderr
    resumed = probe(room, "--resume", "--json", "numpy_generator", **given)
    assert json.loads(resumed.stdout)["probes"] == [live]
