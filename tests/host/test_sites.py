"""Places in a notebook: the cell and its line, and the line of the file."""

from __future__ import annotations

from pathlib import Path

import msgspec

from nondet.host.events import Place
from nondet.host.sites import Sites
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
