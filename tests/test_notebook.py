"""A notebook's file: its cells, where their lines stand, and how a change goes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nondet import notebook
from tests.notebooks import written

SOURCES = ("import os\n\nx = 'é \"q\"'", "  ", "%%time\ny = x\n", "z = y")


def book(path: Path) -> notebook.Notebook:
    return notebook.read(path.read_text(encoding="utf-8"))


def test_cells_count_as_a_run_from_the_top_numbers_them(tmp_path: Path) -> None:
    found = book(written(tmp_path / "a.ipynb", *SOURCES))
    assert [cell.number for cell in found.cells] == [1, 2, 3]
    assert found.cells[0].lines == ("import os", "", "x = 'é \"q\"'")
    assert found.cell(2) == found.cells[1]
    assert (found.cell(0), found.cell(4)) == (None, None)
    assert found.language == "python"


def test_each_line_is_found_in_the_file(tmp_path: Path) -> None:
    found = book(written(tmp_path / "a.ipynb", *SOURCES))
    lines = found.text.split("\n")
    for cell in found.cells:
        for text, place in zip(cell.lines, cell.places, strict=True):
            if text:
                assert json.loads(lines[place - 1].strip().rstrip(",")).rstrip("\n") == text


@pytest.mark.parametrize("whole", [False, True], ids=["lines", "one string"])
def test_a_notebook_in_one_line_is_read_as_well(whole: bool, tmp_path: Path) -> None:
    loose = json.loads(written(tmp_path / "a.ipynb", *SOURCES).read_text(encoding="utf-8"))
    for cell in loose["cells"]:
        cell["source"] = "".join(cell["source"]) if whole else cell["source"]
    found = notebook.read("\ufeff" + json.dumps(loose))
    assert found.cells[0].places == (1, 1, 1)
    changed = notebook.read(found.changed({2: "y = 1\nz = 'ü'", 3: "pass"}))
    assert [cell.lines for cell in changed.cells] == [
        found.cells[0].lines, ("y = 1", "z = 'ü'"), ("pass",)
    ]  # fmt: skip
    assert changed.text.removeprefix("\ufeff").isascii()


def test_a_change_touches_only_the_lines_that_change(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ipynb", *SOURCES)
    found = book(path)
    changed = found.changed({1: "import os\nimport sys\n\nx = 'é \"q\"'"})
    assert changed.replace('    "import sys\\n",\n', "") == found.text
    assert json.loads(changed)["cells"][1]["source"] == [
        "import os\n", "import sys\n", "\n", "x = 'é \"q\"'"
    ]  # fmt: skip
    assert found.changed({}) == found.text


def test_ends_of_lines_of_other_systems_count_once() -> None:
    text = json.dumps(
        {"nbformat": 4, "cells": [{"cell_type": "code", "source": ["a = 1\r\n", "b = 2\r", "c"]}]},
        indent=1,
    )
    (cell,) = notebook.read(text).cells
    assert cell.lines == ("a = 1", "b = 2", "c")
    assert [json.loads(text.split("\n")[place - 1].rstrip(",")) for place in cell.places] == [
        "a = 1\r\n", "b = 2\r", "c"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("x = 1\n", "not-a-notebook"),
        ("[" * 100_000, "not-a-notebook"),
        ("{}", "not-a-notebook"),
        ("[]", "not-a-notebook"),
        ('{"nbformat": 4}', "not-a-notebook"),
        ('{"nbformat": 4, "cells": [3]}', "not-a-notebook"),
        ('{"nbformat": 4, "cells": [{"cell_type": "code"}]}', "not-a-notebook"),
        ('{"nbformat": 4, "cells": [{"cell_type": "code", "source": [1]}]}', "not-a-notebook"),
        ('{"nbformat": 3, "worksheets": []}', "notebook-format"),
    ],
)
def test_what_is_no_notebook_is_told_as_such(text: str, slug: str) -> None:
    with pytest.raises(notebook.NotebookError) as refused:
        notebook.read(text)
    assert refused.value.slug == slug


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({}, "python"),
        ({"kernelspec": {"language": "R", "name": "ir"}}, "r"),
        ({"language_info": {"name": "Julia"}}, "julia"),
        ({"kernelspec": 3, "language_info": []}, "python"),
        (None, "python"),
    ],
)
def test_the_language_is_that_of_the_kernel(metadata: object, language: str) -> None:
    text = json.dumps({"nbformat": 4, "cells": [], "metadata": metadata})
    assert notebook.read(text).language == language


def test_a_cell_s_code_names_its_file() -> None:
    assert notebook.named("/a b/x.ipynb cell 12") == ("/a b/x.ipynb", 12)
    assert notebook.named("/a/x.py") == ("/a/x.py", 0)
    assert notebook.is_notebook("A.IPYNB")
