"""Places in a notebook: the cell and its line, and the line of the file."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from nondet.host.events import Place
from nondet.host.sites import Sites, shown
from nondet.host.subject import Description, Subject
from nondet.record import SourceLine
from tests.notebooks import written


def sites(folder: Path) -> Sites:
    description = Description(
        python="3.11", executable="", packages={}, found={}, syntax_error=None
    )
    return Sites(Subject("train.ipynb", (), "python", folder, "", description))


def test_a_place_in_a_cell(tmp_path: Path) -> None:
    path = written(tmp_path / "train.ipynb", "x = 1", "\n".join(f"y{n} = x" for n in range(1, 9)))
    place = Place(f"{path} cell 2", 6, "<cell line: 1>")
    site = sites(tmp_path).site(place, "something", 3, "Dense `d`")
    assert (site.file, site.cell, site.cell_line) == ("train.ipynb", 2, 6)
    assert path.read_text().splitlines()[site.line - 1].strip() == '"y6 = x\\n",'
    assert site.source == tuple(SourceLine(number=n, text=f"y{n} = x") for n in range(3, 9))
    assert (site.text, site.place) == ("y6 = x", "train.ipynb cell 2, line 6")
    assert (site.function, site.detail, site.count, site.what) == (
        "<module>", "something", 3, "Dense `d`"
    )  # fmt: skip


def test_a_place_that_is_no_longer_there(tmp_path: Path) -> None:
    path = written(tmp_path / "train.ipynb", "x = 1")
    found = sites(tmp_path)
    for cell, line in ((1, 7), (2, 1)):
        gone = found.site(Place(f"{path} cell {cell}", line, "f"), "")
        assert (gone.line, gone.cell, gone.cell_line, gone.text) == (1, cell, line, "")
    path.write_text("no notebook")
    unread = sites(tmp_path).site(Place(f"{path} cell 1", 1, "f"), "")
    assert (unread.source, unread.place) == ((), "train.ipynb cell 1, line 1")
    plain = found.site(Place(str(tmp_path / "lib.py"), 4, "f"), "")
    assert msgspec.structs.asdict(plain)["cell"] == 0
    assert plain.place == "lib.py:4"


@pytest.mark.parametrize("mark", ["\f", "\v", "\x1c", "\x85", "\u2028"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_python_does(tmp_path: Path, end: str, mark: str) -> None:
    text = end.join(("import random", f"# a{mark}b", "x = random.random()", "y = x", ""))
    (tmp_path / "train.py").write_text(text, encoding="utf-8", newline="")
    site = sites(tmp_path).site(Place(str(tmp_path / "train.py"), 3, "<module>"), "")
    assert site.text == "x = random.random()"
    assert [line.number for line in site.source] == [1, 2, 3, 4]


def test_a_short_name_stands_for_one_file(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for path in (one / "src", other):
        path.mkdir(parents=True)
        (path / "utils.py").touch()
        (path / "train.py").touch()
    (one / "utils.py").touch()
    folders = (one, other)
    assert shown(folders, str(one / "src/train.py")) == "src/train.py"
    assert shown(folders, f"{one}/./train.py") == "train.py"
    assert shown(folders, f"{one}/../other/train.py") == "train.py"
    assert shown(folders, str(other / "utils.py")) == str(other / "utils.py")
    assert shown(folders, str(tmp_path / "utils.py")) == str(tmp_path / "utils.py")
    assert shown(folders, "<string>") == "<string>"
