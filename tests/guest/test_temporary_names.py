"""Temporary names are held where they are free, and told as not held where they are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.guest.running import Shown, guided
from tests.guest.test_entropy import interpreter

FIRST, SECOND = "tmpa0000001", "tmpa0000002"
IMPORTS = """
import os, sys, tempfile
def mktemp():
    return tempfile.gettempdir()
"""
ASKED = {
    "mkstemp": "tempfile.mkstemp()[1]",
    "mkdtemp": "tempfile.mkdtemp()",
    "mktemp": "tempfile.mktemp()",
    "bytes": "os.fsdecode(tempfile.mkdtemp(prefix=b'tmp'))",
    "file": "tempfile.NamedTemporaryFile().name",
}


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


def trial(
    temporary: Path, asked: str, arm: str = "pinned", own: Path | None = None, **more: Any
) -> Shown:
    """A trial that prints the path of this expression, and has `own` for temporary files."""
    more.setdefault("arms", {"process-identity": arm})
    folder = temporary.parent / "project"
    folder.mkdir(exist_ok=True)
    (folder / "script.py").write_text(f"{IMPORTS}print({asked})\n")
    shown = guided(
        folder,
        "script.py",
        environ={"TMPDIR": str(temporary)},
        temporary=own,
        **more,
    )
    assert (shown.code, shown.of("guest-error")) == (0, []), shown.err
    return shown


def unheld(shown: Shown) -> list[object]:
    """What was seen in place of what is pinned."""
    return [pin["seen"] for pin in shown.of("pin") if not pin["ok"]]


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_a_name_that_somebody_else_has_is_told(temporary: Path, asked: str) -> None:
    first = trial(temporary, asked)
    assert (first.out, unheld(first)) == (f"{temporary / FIRST}\n", [])
    (temporary / FIRST).touch()
    other = trial(temporary, asked)
    assert other.out == f"{temporary / SECOND}\n"
    assert unheld(other) == [[f"the temporary name a0000001 in {temporary}", "taken"]]
    assert unheld(trial(temporary, asked, "free")) == []
    assert unheld(trial(temporary, asked, "varied")) == []


def test_a_name_that_lies_in_the_script_s_own_folder_is_passed_over(temporary: Path) -> None:
    """It lies there in each trial, or was handed on to it."""
    asked = "os.path.basename(tempfile.mkdtemp(dir='.'))"
    for name in (FIRST, SECOND):
        shown = trial(temporary, asked)
        assert (shown.out, unheld(shown)) == (f"{name}\n", [])


def test_candidates_that_the_script_takes_by_itself_are_nobody_s(temporary: Path) -> None:
    asked = "[next(names) for names in [tempfile._get_candidate_names()] for _ in range(3)]"
    shown = trial(temporary, asked)
    assert (shown.out, unheld(shown)) == ("['a0000001', 'a0000002', 'a0000003']\n", [])


def test_no_pin_of_generators_holds_temporary_names(temporary: Path) -> None:
    """Those of libraries are held with the script's own."""
    asked = "[next(tempfile._RandomNameSequence()) for _ in range(2)]"

    def told(arms: dict[str, str]) -> set[str]:
        return {trial(temporary, asked, arms=arms).out for _ in range(2)}

    assert len(told({"python-random": "pinned"})) == 2
    assert len(told({"process-identity": "pinned"})) == 1
    assert len(told({"python-random": "pinned", "process-identity": "pinned"})) == 1


# -- in a folder of the trial's own


@pytest.fixture
def own(temporary: Path) -> Path:
    folder = temporary / "own"
    folder.mkdir(0o700)
    return folder


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_what_names_no_folder_is_made_in_the_trial_s_own(
    temporary: Path, own: Path, asked: str
) -> None:
    (temporary / FIRST).mkdir()
    shown = trial(temporary, asked, own=own)
    assert (shown.out, unheld(shown)) == (f"{own / FIRST}\n", [])
    for arm in ("free", "varied"):
        assert trial(temporary, asked, arm, own=own).out.startswith(f"{temporary / 'tmp'}")


@pytest.mark.parametrize("version", ["3.7", "3.9", "3.12", "3.13"])
def test_so_it_is_on_other_pythons(temporary: Path, own: Path, version: str) -> None:
    asked = f"[{ASKED['mktemp']}, {ASKED['bytes']}]"
    shown = trial(temporary, asked, own=own, python=interpreter(version))
    made = [str(own / name) for name in (FIRST, SECOND)]
    assert (shown.out, unheld(shown)) == (f"{made}\n", [])


@pytest.mark.parametrize(
    "asked",
    [
        "tempfile.gettempdir()",
        "os.fsdecode(tempfile.gettempdirb())",
        "mktemp()",
        "os.path.dirname(tempfile.mkdtemp(dir=tempfile.gettempdir()))",
        "setattr(tempfile, 'tempdir', os.getcwd()) or tempfile.mktemp()",
    ],
)
def test_a_folder_that_the_script_names_is_the_one_it_gets(
    temporary: Path, own: Path, asked: str
) -> None:
    assert trial(temporary, asked, own=own).out == trial(temporary, asked).out


def test_a_library_s_own_files_stay_where_they_are(temporary: Path, own: Path) -> None:
    installed = temporary.parent / "site-packages"
    installed.mkdir()
    (installed / "library.py").write_text("import tempfile\nPLACE = tempfile.mkdtemp()\n")
    asked = f"sys.path.append({str(installed)!r}) or __import__('library').PLACE"
    assert trial(temporary, asked, own=own).out.startswith(f"{temporary / 'tmp'}")


def test_a_folder_that_is_not_there_is_told(temporary: Path, own: Path) -> None:
    own.chmod(0o500)
    assert unheld(trial(temporary, ASKED["mkdtemp"], own=own)) == [[str(own), False]]
