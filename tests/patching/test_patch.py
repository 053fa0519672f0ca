"""The patch of a prescription: what `git apply` makes of it is what was meant."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nondet import record
from nondet.patching.patch import patch

SCRIPT = "import keras\nimport numpy as np\nfrom lib.data import rows\n\nfit(rows())\n"
LIBRARY = "import os\n\n\ndef rows():\n    return os.listdir('.')"
SEED = "import keras\nkeras.utils.set_random_seed(42)"
SORTED = record.Edit(file="lib/data.py", line=5, code="", call="listdir", template="sorted({call})")
UUID = record.Edit(
    file="lib/data.py",
    line=5,
    code="",
    call="listdir",
    template="RANDOM.choice({call})",
    top="import random\nRANDOM = random.Random(42)",
)


def written(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(text, newline="")


def reader(folder: Path):  # type: ignore[no-untyped-def]
    return lambda name: (folder / name).read_text() if (folder / name).exists() else None


@pytest.mark.parametrize("mark", ["\f\n", "# \f\n", "# a\u2028b\n", "# \x1c\x85\r\n"])
def test_what_is_no_end_of_a_line_ends_none_in_the_diff(tmp_path: Path, mark: str) -> None:
    text = "import os\n" + mark * 3 + "def rows():\n    return os.listdir('.')\n"
    (tmp_path / "lib.py").write_bytes(text.encode())
    edit = record.Edit(file="lib.py", line=6, code="", call="listdir", template="sorted({call})")
    made = patch("train.py", [], [edit], [], lambda name: text if name == "lib.py" else "")
    assert made.left == ()
    (tmp_path / "p.diff").write_bytes(made.diff.encode())
    subprocess.run(["git", "apply", "--unsafe-paths", "p.diff"], cwd=tmp_path, check=True)
    (changed,) = made.files
    assert (tmp_path / "lib.py").read_bytes() == changed.after.encode()
    assert changed.after == text.replace("os.listdir('.')", "sorted(os.listdir('.'))")


@pytest.mark.parametrize("mark", ["\ufeff", "\f", "\ufeff\f"])
def test_lines_that_are_not_changed_stay_as_they_are(mark: str) -> None:
    """Parsers pass over a mark of the byte order, and form feeds before a line's first word."""
    text = f"{mark}import keras\n\fimport os\n\n\ffit()\n\fdef rows():\n    return os.listdir()\n"
    edit = record.Edit(file="train.py", line=6, code="", call="listdir", template="sorted({call})")
    (changed,) = patch("train.py", [SEED], [edit], [], lambda name: text).files
    seeded = text.replace("import os\n\n", "import os\n\nkeras.utils.set_random_seed(42)\n\n")
    assert changed.after == seeded.replace("os.listdir()", "sorted(os.listdir())")


@pytest.mark.parametrize("end", ["", "\n"])
def test_the_diff_gives_the_new_files(tmp_path: Path, end: str) -> None:
    written(tmp_path, train=SCRIPT, lib__data=LIBRARY + end)
    made = patch("train.py", [SEED], [SORTED], [], reader(tmp_path))
    assert made.left == ()
    (tmp_path / "p.diff").write_text(made.diff)
    subprocess.run(["git", "apply", "--unsafe-paths", "p.diff"], cwd=tmp_path, check=True)
    assert [changed.file for changed in made.files] == ["train.py", "lib/data.py"]
    for changed in made.files:
        assert (tmp_path / changed.file).read_text() == changed.after
    assert "\n\nkeras.utils.set_random_seed(42)\n\nfit(rows())\n" in made.files[0].after
    assert (
        made.files[1].after == LIBRARY.replace("os.listdir('.')", "sorted(os.listdir('.'))") + end
    )


def test_what_a_change_needs_goes_to_the_top_of_its_file(tmp_path: Path) -> None:
    written(tmp_path, train=SCRIPT, lib__data=LIBRARY)
    (changed,) = patch("train.py", [], [UUID], [], reader(tmp_path)).files
    assert changed.file == "lib/data.py"
    assert changed.after.startswith("import os\n\nimport random\nRANDOM = random.Random(42)\n\n")
    assert changed.after.endswith("    return RANDOM.choice(os.listdir('.'))")


def test_a_file_without_the_call_is_left_as_it_is(tmp_path: Path) -> None:
    written(tmp_path, train=SCRIPT, lib__data="x = 1\n")
    made = patch("train.py", [], [UUID], [], reader(tmp_path))
    assert made.files == ()
    assert made.left == ("lib/data.py:5: there is no call of listdir.",)


@pytest.mark.parametrize(
    ("package", "drawing", "other", "draws"),
    [
        ("", "data", "import os.path", "from data import *"),
        ("", "lib.data", "from library import data", "import lib.data"),
        ("pkg", "pkg.data", "from .config import rate", "from .data import rows"),
        ("pkg", "pkg.data", "from . import config", "from . import data"),
        ("pkg", "pkg.data", "import pkg.config", "import pkg.data as data"),
        ("pkg", "pkg.data", "import data", "from pkg.data.sub import *"),
        ("pkg.sub", "pkg.data", "from .data import rate", "from ..data import rows"),
        ("pkg.sub", "lib.data", "from ..lib.data import rate", "from lib import data"),
    ],
)
def test_the_seed_comes_before_the_import_that_draws_and_behind_others(
    package: str, drawing: str, other: str, draws: str
) -> None:
    text = f"{other}\n{draws}\n\nfit()\n"
    (changed,) = patch("t.py", [SEED], [], [drawing], lambda _: text, package).files
    seed = changed.after.index("set_random_seed")
    assert changed.after.index(other) < seed < changed.after.index(draws)


def test_what_draws_while_it_is_imported_comes_after_the_seed(tmp_path: Path) -> None:
    written(tmp_path, train=SCRIPT)
    (changed,) = patch("train.py", [SEED], [], ["lib"], reader(tmp_path)).files
    assert changed.after.index("set_random_seed") < changed.after.index("from lib")


def test_what_can_t_be_changed_is_told(tmp_path: Path) -> None:
    written(tmp_path, train="print 'old'\n")
    gone = patch("train.py", [SEED], [SORTED], [], reader(tmp_path))
    assert gone.files == ()
    assert len(gone.left) == 2
    assert gone.left[0].startswith("train.py can't be parsed: ")
    assert gone.left[1] == "lib/data.py can't be read."
    written(tmp_path, train=SCRIPT, lib__data="x = 1\n")
    (left,) = patch("train.py", [], [SORTED], [], reader(tmp_path)).left
    assert left == "lib/data.py:5: there is no call of listdir."


def test_an_edit_for_people_changes_nothing(tmp_path: Path) -> None:
    written(tmp_path, train=SCRIPT)
    told = record.Edit(file="train.py", line=5, code="# think about it")
    assert patch("train.py", [], [told], [], reader(tmp_path)).diff == ""
