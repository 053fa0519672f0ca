"""What runs that agree have printed: what is worth a word, and what varies anyway."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from nondet.host import printed
from nondet.host.trials import Trial
from tests.host.written import Written

SITE = {"file": "/train.py", "line": 3, "function": "main"}
DRAW = {"factor": "numpy-global", "detail": "np.random.rand", "unseeded": True, "site": SITE}


def ran(folder: Path, name: str, output: str, **sighting: Any) -> Trial:
    written = Written(folder, name).model()
    written.emit("exercised", **{"consumer": None, **DRAW, **sighting})
    (folder / name / "stdout.log").write_text(output)
    return written.heard("completed")


def told(folder: Path, *outputs: str, **sighting: Any) -> str:
    found = [ran(folder, f"t{i:02d}", text, **sighting) for i, text in enumerate(outputs, 1)]
    return printed.differing(found)


def test_different_lines_are_told_with_the_first_of_them(tmp_path: Path) -> None:
    same = "start\naccuracy 0.88\n"
    note = told(tmp_path, same + "loss 0.5\n", same + "loss 0.5\n", same + "loss 0.25\nend\n")
    assert "(t01 and t03, first at line 3)" in note
    assert "nondet.checkpoint()" in note


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("run 3f2a lucky 0.25", "run 99c1 lucky 0.5"),
        ("run 4c0f12e6 lucky 0.25", "run 99c1acc3 lucky 0.5"),
        ("1/1 - 0s 12ms/step - loss: 0.5", "1/1 - 1s 1.5s/step - loss: 0.5"),
        ("epoch 1 in 3.2 s, 120 it/s", "epoch 1 in 3.7 s, 97.3 it/s"),
        ("epoch 1: 40 samples/s", "epoch 1: 41.5 samples/s"),
        ("2026-11-28 18:40:11,123 INFO done", "2026-11-28 18:40:15,001 INFO done"),
        ("[18:40:11] done 0:00:03.1", "[18:40:15] done 0:00:02.9"),
        ("started 1764355211.25", "started 1764355213.5"),
        ("<object at 0x7f0012ab>", "<object at 0x7f99aa00>"),
        ("written to /tmp/tmpab12/model", "written to /tmp/tmpzz99/model"),
        ("used 12.5 MB", "used 13 MB"),
        ("Elapsed: 12", "Elapsed: 13"),
        ("pid 812", "pid 915"),
        ("  1%\r 50%\r100% done", "  1%\r100% done"),
        ("\x1b[32m3 ms\x1b[0m", "4 ms"),
        ("a\nb", "b\na"),
    ],
)
def test_what_varies_anyway_is_no_difference(one: str, other: str, tmp_path: Path) -> None:
    assert not told(tmp_path, one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("loss 0.5 in 3.2 s", "loss 0.5 in 3.7 s"),
        ("2026-11-28 18:40:11,123 loss 0.5", "2026-11-28 18:40:15,001 loss 0.5"),
        ("loss of <object at 0x7f0012ab>", "loss of <object at 0x7f99aa00>"),
        ("weights in /tmp/tmpab12/model", "weights in /tmp/tmpzz99/model"),
        ("weights of 12.5 MB", "weights of 13 MB"),
        ("loss 0.5 at 1,234.5 img/s", "loss 0.5 at 987.5 img/s"),
        ("loss: 0.5 | tok/sec: 17500.12", "loss: 0.5 | tok/sec: 16999.5"),
        ("| ms/batch  5.23 | loss 0.5 |", "| ms/batch 14.10 | loss 0.5 |"),
        ("{'loss': 0.5, 'train_runtime': 1.2}", "{'loss': 0.5, 'train_runtime': 1.3}"),
        ("{'loss': 0.5, 'samples_per_second': 7}", "{'loss': 0.5, 'samples_per_second': 8}"),
        ("{'fit_time': [0.02], 'test_score': [1]}", "{'fit_time': [0.03], 'test_score': [1]}"),
        ("time_total_s=1.5, loss=0.5", "time_total_s=1.7, loss=0.5"),
        ("weights: out/2026-11-28/18-40-11/w", "weights: out/2026-11-28/18-40-15/w"),
        ("weights: 2026-11-28_18-40-11.h5", "weights: 2026-11-28_18-40-15.h5"),
        ("weights: run-20261128-184011.h5", "weights: run-20261128-184015.h5"),
        ("weights: runs/Nov28_18-40-11_pc/w", "weights: runs/Nov28_18-40-15_pc/w"),
        ("\x1b[32mloss 1\x1b[0m", "loss 1"),
        ("loss 1\nloss 2", "loss 2\nloss 1"),
    ],
)
def test_what_varies_beside_a_result_is_no_difference(one: str, other: str, tmp_path: Path) -> None:
    assert not told(tmp_path, one, other)


@pytest.mark.parametrize(
    "line",
    [
        "loss: {}",
        "val_loss={}",
        "Test accuracy {} of 3 epochs",
        "best_score {}",
        "MSE {}",
        "loss2 {}",
        "loss after 10 time_steps {}",
        "loss at step 20261128 {}",
    ],
)
def test_lines_that_tell_a_result(line: str, tmp_path: Path) -> None:
    assert told(tmp_path, line.format(0.5), line.format(0.25))


def test_a_checksum_is_no_time_for_having_its_digits(tmp_path: Path) -> None:
    now = int(time.time())
    assert not told(tmp_path / "seconds", f"{now}.25 loss 1", f"{now + 2}.5 loss 1")
    assert not told(tmp_path / "millis", f"[{now}123] loss 1", f"[{now + 2}007] loss 1")
    assert told(tmp_path / "checksum", "checksum 1500000001", "checksum 1500000002")


@pytest.mark.parametrize(
    "sighting",
    [{"unseeded": False}, {"unseeded": None}, {"factor": "clock"}, {"site": None}],
    ids=str,
)
def test_without_draws_of_the_scripts_own_nothing_is_said(
    sighting: dict[str, Any], tmp_path: Path
) -> None:
    assert told(tmp_path / "drawn", "loss 1", "loss 2")
    assert not told(tmp_path / "other", "loss 1", "loss 2", **sighting)


def test_of_many_runs_some_are_looked_at(tmp_path: Path) -> None:
    some = ["loss 1"] * (printed.MOST_RUNS - 1)
    assert told(tmp_path / "some", *some, "loss 2")
    assert not told(tmp_path / "many", *some, "loss 1", "loss 2")


def test_nothing_is_said_of_runs_that_did_not_end_or_of_endless_output(tmp_path: Path) -> None:
    whole = ran(tmp_path, "t01", "loss 1")
    stopped = ran(tmp_path, "t02", "loss 2")
    stopped.outcome = "stopped-early"
    assert not printed.differing([whole, stopped])
    endless = ran(tmp_path, "t03", "x" * (printed.MOST + 1))
    assert not printed.differing([whole, endless])
    assert not printed.differing([endless, whole])
    assert not printed.differing([])
