"""nondet from Python: the same as the commands, as functions."""

from __future__ import annotations

import concurrent.futures
import errno
import itertools
import json
import os
import re
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nondet
from nondet import library, record, runs
from nondet.host import output
from nondet.host.errors import BrokenSubject, UsageError
from nondet.host.executors.interface import Launch
from nondet.host.executors.local import LocalExecutor
from nondet.host.executors.running import LocalRunning
from tests.command.running import SEEDED, UNSEEDED
from tests.notebooks import in_a_kernel, written
from tests.report import samples

DOCS = Path(__file__).parents[1] / "docs" / "library.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "train.py").write_text(UNSEEDED)
    (tmp_path / "seeded.py").write_text(SEEDED)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_diagnosis_is_a_record_and_leaves_nothing(folder: Path) -> None:
    found = nondet.diagnose("train.py", confidence=0.75, verify=False)
    assert isinstance(found, record.Diagnosis)
    assert [cause.factor for cause in found.causes] == ["python-random"]
    assert sorted(os.listdir(folder)) == ["seeded.py", "train.py"]


@pytest.mark.parametrize("names", [("numpy-globl",), "python-random,numpy-globl", ("",)])
def test_a_name_that_is_no_factor_is_refused(folder: Path, names: Any) -> None:
    for ask in (
        lambda: nondet.diagnose("train.py", output="out", factors=names),
        lambda: nondet.diagnose("train.py", output="out", skip=names),
        lambda: library.record("train.py", output="a.nd", pins=names),
    ):
        with pytest.raises(UsageError) as refused:
            ask()
        assert refused.value.slug == "no-such-factor"
    assert sorted(os.listdir(folder)) == ["seeded.py", "train.py"]
    run = library.record("train.py", output="a.nd", pins="python-random, clock")
    assert list(run.pins) == ["python-random", "clock"]


def test_a_run_is_recorded_from_any_thread(folder: Path) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        ran = pool.submit(library.record, "seeded.py", output="a.nd").result()
    assert ran.checkpoints


def test_a_run_is_not_waited_for_where_it_can_not_be_written(folder: Path) -> None:
    (folder / "train.py").write_text("open('ran', 'w').close()\n")
    for place in ("no/such/a.nd", "."):
        with pytest.raises(UsageError) as refused:
            library.record("train.py", output=place)
        assert refused.value.slug == "output-not-writable"
    assert not (folder / "ran").exists()


def test_a_diagnosis_is_written_where_that_is_asked_for(folder: Path) -> None:
    given: dict[str, Any] = {"output": "out", "confidence": 0.75, "verify": False}
    found = nondet.diagnose("train.py", **given)
    assert record.decode((folder / "out" / "diagnosis.json").read_bytes()) == found
    assert (folder / "out" / "report.html").exists()
    with pytest.raises(UsageError) as refused:
        nondet.diagnose("train.py", **given)
    assert refused.value.slug == "output-exists"
    with (
        output.prepared(folder / "out", resume=True, force=False),
        pytest.raises(UsageError) as refused,
    ):
        nondet.diagnose("train.py", force=True, **given)
    assert refused.value.slug == "output-in-use"
    assert nondet.diagnose("train.py", force=True, **given).verdict == "causes-found"


def test_a_broken_script_is_a_diagnosis_too(folder: Path) -> None:
    (folder / "train.py").write_text("def\n")
    assert nondet.diagnose("train.py").verdict == "broken"
    with pytest.raises(BrokenSubject):
        nondet.check("train.py")


def test_a_check(folder: Path) -> None:
    assert nondet.check("seeded.py", count=2).verdict == "agrees"
    found = nondet.check("train.py")
    assert isinstance(found, runs.Check)
    assert found.verdict == "parts"
    (folder / "seeded.py").write_text(SEEDED + "\nopen('log', 'w').close()\n")
    assert nondet.check("seeded.py", count=2).runs == 2


def test_two_recorded_runs(folder: Path) -> None:
    library.record("train.py", output="a.nd")
    library.record("train.py", output="b.nd")
    assert not nondet.diff("a.nd", "b.nd").agree
    for name in ("c.nd", "d.nd"):
        library.record("train.py", output=name, pins=["python-random"])
    assert nondet.diff("c.nd", "d.nd").agree
    (folder / "train.py").write_text("raise SystemExit(2)\n")
    with pytest.raises(UsageError) as refused:
        library.record("train.py", output="e.nd")
    assert refused.value.slug == "not-recorded"
    assert not (folder / "e.nd").exists()


def test_a_notebook_shows_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[type, Any] = {}
    formatter = types.SimpleNamespace(for_type=shown.__setitem__)
    shell = types.SimpleNamespace(
        display_formatter=types.SimpleNamespace(formatters={"text/html": formatter})
    )
    fake = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", fake)
    library.in_notebooks()
    page = shown[record.Diagnosis](samples.hostile())
    assert page.startswith("<iframe srcdoc=")
    assert page.count('"') == page.count('="') * 2  # no attribute ends early
    assert "<script" not in page


SHOWN = """
from nondet import library, record
found = record.decode(open("diagnosis.json", "rb").read())
found
"""


def test_a_real_kernel_is_given_the_page(tmp_path: Path) -> None:
    diagnosis = samples.one_cause()
    (tmp_path / "diagnosis.json").write_bytes(record.encode(diagnosis))
    path = written(tmp_path / "shown.ipynb", SHOWN)
    in_a_kernel(path, keep=True)
    (output,) = json.loads(path.read_text())["cells"][1]["outputs"]
    page = "".join(output["data"]["text/html"])
    assert page == library.framed(diagnosis)


@pytest.mark.subject
def test_the_examples_of_the_docs_run(folder: Path) -> None:
    examples = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
    assert examples
    (folder / "example.py").write_text("\n".join(examples))
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "python-random" in done.stdout


@pytest.mark.parametrize(("last", "verdict"), [("t04", "unsure"), ("", "causes-found")])
def test_where_the_disk_is_full_it_gives_what_is_known(
    last: str, verdict: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a last one, that is where the patched script is to be run.
    filling(monkeypatch, lambda launch: launch.trial > last if last else bool(launch.files))
    found = nondet.diagnose(
        "train.py", confidence=0.75, output="out", factors=("python-random",), stress=True, jobs=1
    )
    assert (found.verdict, found.interrupted) == (verdict, True)
    assert [w for w in found.warnings if "no space left" in w] != []
    assert (found.prescription is not None) == (verdict == "causes-found")
    assert record.decode((folder / "out/diagnosis.json").read_bytes()) == found


def test_nothing_is_provoked_on_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = itertools.count()
    filling(monkeypatch, lambda launch: next(begun) >= 3)
    found = nondet.diagnose("seeded.py", confidence=0.75, rate=0.9, stress=True, jobs=1)
    assert found.stress is not None
    assert found.stress.note
    assert len(found.trials) == 3


def test_a_disk_that_is_full_from_the_start_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filling(monkeypatch, lambda launch: True)
    with pytest.raises(OSError, match="full"):
        nondet.diagnose("train.py")


def filling(monkeypatch: pytest.MonkeyPatch, refuses: Callable[[Launch], bool]) -> None:
    """There is no room on the disk for these trials."""
    plain = LocalExecutor.start

    def start(self: LocalExecutor, launch: Launch) -> LocalRunning:
        if refuses(launch):
            raise OSError(errno.ENOSPC, "full")
        return plain(self, launch)

    monkeypatch.setattr(LocalExecutor, "start", start)
