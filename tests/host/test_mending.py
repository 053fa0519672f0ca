"""The patch of a prescription: whose files it changes, under which names."""

from __future__ import annotations

import dataclasses
import errno
from pathlib import Path

import msgspec
import pytest

from nondet import record
from nondet.host import events, fixing, mending, planning, trials
from nondet.host.executors.isolation import Copy
from nondet.host.mending import drawing, package, patched
from nondet.host.prescribing import Written
from tests.host.acting import settings
from tests.report.found import base

SCRIPT = """\
import uuid
import data

run = str(uuid.uuid4())
"""
SEED = "import random\nrandom.seed(42)"


def edit(file: str) -> record.Edit:
    return record.Edit(
        file=file,
        line=4,
        code="",
        call="uuid4",
        template="uuid.UUID(int=FIXED.getrandbits(128))",
        top="import random\nFIXED = random.Random(42)",
    )


def project(folder: Path, **files: str) -> None:
    """Files by their names without ``.py``, in which ``__`` parts a folder."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(text)


def drawn(folder: Path, subject: record.Subject, *sites: str) -> list[str]:
    """The modules that draw at these places, where the subject's folders are as when it ran."""
    cause = record.Cause(
        factor="python-random",
        sites=tuple(record.Site(file=file, line=1, function="<module>") for file in sites),
    )
    return drawing([cause], subject, [folder])


@pytest.mark.parametrize(
    "script", ["train.py", "./train.py", "{}/train.py", "sub/../train.py", "link.py"]
)
def test_a_file_is_changed_once_whatever_it_is_called(tmp_path: Path, script: str) -> None:
    project(tmp_path, train=SCRIPT, data="", sub__x="")
    (tmp_path / "link.py").symlink_to("train.py")
    subject = record.Subject(script=script.format(tmp_path), cwd=str(tmp_path))
    file = "link.py" if script == "link.py" else "train.py"
    prescription = record.Prescription(snippet=SEED, top=(SEED,), edits=(edit(file),))
    made = patched(subject, prescription, [tmp_path])
    (changed,) = made.files
    assert (changed.file, made.left) == ("train.py", ())
    assert "random.seed(42)" in changed.after
    assert "uuid.UUID(int=FIXED.getrandbits(128))" in changed.after
    assert made.diff.startswith("--- a/train.py\n+++ b/train.py\n")


def test_it_is_applied_once(tmp_path: Path) -> None:
    project(tmp_path, train=SCRIPT, data="")
    subject = record.Subject(script="./train.py", cwd=str(tmp_path))
    prescription = record.Prescription(snippet=SEED, top=(SEED,), edits=(edit("train.py"),))
    made = patched(subject, prescription, [tmp_path])
    prescription = msgspec.structs.replace(prescription, patch=made.diff)
    diagnosis = base(subject=subject, prescription=prescription, verdict="causes-found")
    assert fixing.apply(diagnosis) == ((tmp_path / "train.py", tmp_path / "train.py.orig"),)
    assert (tmp_path / "train.py").read_text() == made.files[0].after
    assert (tmp_path / "train.py.orig").read_text() == SCRIPT


@pytest.mark.parametrize("function", ["write_whole", "_copy"])
def test_all_files_are_changed_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    """The patch would fit no more, where the disk is full behind the first of them."""
    project(tmp_path, train=SCRIPT, data=SCRIPT)
    subject = record.Subject(script="train.py", cwd=str(tmp_path))
    edits = (edit("train.py"), edit("data.py"))
    prescription = record.Prescription(snippet=SEED, top=(SEED,), edits=edits)
    diff = patched(subject, prescription, [tmp_path]).diff
    prescription = msgspec.structs.replace(prescription, patch=diff)
    diagnosis = base(subject=subject, prescription=prescription, verdict="causes-found")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    works, calls = getattr(fixing, function), []

    def full(path: Path, *more: object) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        works(path, *more)

    monkeypatch.setattr(fixing, function, full)
    with pytest.raises(OSError, match="No space left"):
        fixing.apply(diagnosis)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert len(fixing.apply(diagnosis)) == 2


def test_a_file_beside_a_script_elsewhere_is_not_taken_for_one_here(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    project(here, utils=SCRIPT)
    project(there, utils=SCRIPT, train="import utils\n")
    subject = record.Subject(script="../there/train.py", cwd=str(here))
    prescription = record.Prescription(snippet=SEED, edits=(edit(str(there / "utils.py")),))
    folders = fixing.folders_of(subject)
    assert folders == (here, there)
    (changed,) = patched(subject, prescription, folders).files
    assert mending.where(folders, changed.file) == there / "utils.py"
    assert mending.where(folders, "train.py") == there / "train.py"


@pytest.mark.parametrize(
    ("script", "module", "file", "name"),
    [
        ("train.py", "", "data.py", "data"),
        ("train.py", "", "lib/data.py", "lib.data"),
        ("train.py", "", "lib/__init__.py", "lib"),
        ("src/train.py", "", "src/data.py", "data"),
        ("src/train.py", "", "src/lib/data.py", "lib.data"),
        ("src/train.py", "", "lib/data.py", "lib.data"),
        ("pkg/train.py", "pkg.train", "pkg/data.py", "pkg.data"),
        ("pkg/train.py", "pkg.train", "data.py", "data"),
        ("pkg/sub/__main__.py", "pkg.sub", "pkg/sub/data.py", "pkg.sub.data"),
        ("src/pkg/train.py", "pkg.train", "src/pkg/data.py", "pkg.data"),
        ("train.py", "train", "data.py", "data"),
    ],
)
def test_a_module_goes_by_the_name_that_it_is_imported_by(
    tmp_path: Path, script: str, module: str, file: str, name: str
) -> None:
    subject = record.Subject(script=script, cwd=str(tmp_path), module=module)
    for path in (script, file):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert drawn(tmp_path, subject, script, file) == [name]


@pytest.mark.parametrize("packaged", [True, False])
def test_of_a_script_that_another_starts(tmp_path: Path, packaged: bool) -> None:
    project(tmp_path, run="", src__train="", src__data="")
    if packaged:
        (tmp_path / "src/__init__.py").touch()
    subject = record.Subject(script="run.py", cwd=str(tmp_path), trains="src/train.py")
    assert package(tmp_path / "src/train.py", subject) == ("src" if packaged else "")
    name = "src.data" if packaged else "data"
    assert drawn(tmp_path, subject, "src/data.py") == [name]


def test_a_script_that_the_subject_starts_is_seeded_in_its_own_file(tmp_path: Path) -> None:
    project(
        tmp_path,
        train="import data\n",
        data="",
        tools__make="import os\nimport rows\nrows.draw()\n",
        tools__rows="",
    )
    numpy, python = "numpy-global", "python-random"
    causes = [
        record.Cause(
            factor=factor,
            sites=tuple(record.Site(file=file, line=1, function="<module>") for file in files),
        )
        for factor, files in ((numpy, ["data.py"]), (python, ["tools/rows.py", "tools/make.py"]))
    ]
    asked = record.Prescription(
        snippet=f"# {numpy}", programs=(record.Program(file="tools/make.py", top=(SEED,)),)
    )
    written = [
        Written(numpy, "import numpy as np\nnp.random.seed(42)"),
        Written(python, SEED, program="tools/make.py"),
    ]
    known = settings(tmp_path).subject
    made = mending.mend(asked, causes, written, known)
    found = made.prescription
    assert (found.drawing, found.left) == (("data",), ())
    assert [program.drawing for program in found.programs] == [("rows",)]
    texts = {path.name: text.decode() for path, text in made.files}
    assert texts.keys() == {"train.py", "make.py"}
    assert texts["train.py"].index("np.random.seed") < texts["train.py"].index("import data")
    assert "import random" not in texts["train.py"]
    assert texts["make.py"].index("random.seed") < texts["make.py"].index("import rows")
    assert "numpy" not in texts["make.py"]


def test_the_seed_comes_before_a_sibling_that_draws(tmp_path: Path) -> None:
    project(tmp_path, pkg__train="from .data import rows\n\nfit(rows)\n", pkg__data="")
    subject = record.Subject(script="pkg/train.py", cwd=str(tmp_path), module="pkg.train")
    prescription = record.Prescription(snippet=SEED, top=(SEED,), drawing=("pkg.data",))
    (changed,) = patched(subject, prescription, [tmp_path]).files
    assert changed.after.startswith("import random\nrandom.seed(42)\n\nfrom .data")


@dataclasses.dataclass
class InCopies:
    """Where a trial runs that is given copies of the subject's folders."""

    copies: Copy
    runtime: Path
    temporary: Path | None = None

    def map_path(self, trial: str, path: Path) -> Path:
        return self.copies.map_path(self.runtime / "rooms" / trial, path)


@pytest.mark.parametrize("script", ["../there/train.py", "train.py", "./train.py"])
def test_a_script_is_found_in_its_copy(tmp_path: Path, script: str) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    project(here, train="")
    project(there, train="")
    known = settings(tmp_path)
    subject = dataclasses.replace(known.subject, script=script, cwd=here)
    known = dataclasses.replace(known, subject=subject)
    place = InCopies(Copy(subject.folders, tmp_path / "out"), tmp_path)
    plan = planning.plan_file(known, {}, "t01", place)
    elsewhere = str(tmp_path / "rooms/t01/1/there/train.py")
    assert plan["script"] == (elsewhere if script.startswith("..") else script)


def test_a_script_that_was_started_in_a_copy_is_the_user_s(tmp_path: Path) -> None:
    roots = (("/rooms/t01/0/here", "/here"),)
    trial = trials.Trial("t01", {}, "h", "?", tmp_path, roots=roots)
    started = events.Started(trial="t01", plan="h", pid=1, python="3.11")
    for event in (started, events.Launched(script="/rooms/t01/0/here/train.py"), started):
        trial._take(event)
    assert trial.launched == "/here/train.py"
