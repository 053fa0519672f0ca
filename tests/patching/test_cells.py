"""The patch of a notebook: cells change, magics stay, and the file around them as it was."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from nondet import notebook, record
from nondet.patching.patch import Patch, patch
from tests.notebooks import written

SEED = "import random\nrandom.seed(42)"


def edit(cell: int, line: int, call: str, template: str) -> record.Edit:
    return record.Edit(
        file="a.ipynb", line=1, cell=cell, cell_line=line, code="", call=call, template=template
    )


def patched(path: Path, *edits: record.Edit, top: str = "") -> tuple[Patch, list[str]]:
    """The patch, and the cells that it makes."""
    text = path.read_text(encoding="utf-8")
    made = patch("a.ipynb", [top] if top else [], edits, [], lambda file: text)
    after = made.files[0].after if made.files else text
    return made, ["\n".join(cell.lines) for cell in notebook.read(after).cells]


def test_calls_change_in_their_cells_among_magics(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.ipynb",
        "%matplotlib inline\n!pip install \\\n  nothing\nimport numpy as np",
        "%%time\nrng = np.random.default_rng()\nif rng:\n    %timeit rng\nnames = !ls\nrng?",
        "%%bash\nls $HOME (",
        "text = '''\n%d\n'''\nawait later(os.listdir('.'))\n!true",
    )
    book = notebook.read(path.read_text(encoding="utf-8"))
    made, cells = patched(
        path,
        edit(2, 2, "default_rng", "{function}(42)"),
        edit(4, 4, "listdir", "sorted({call})"),
        top=SEED,
    )
    assert made.left == ()
    old = ["\n".join(cell.lines) for cell in book.cells]
    assert cells == [
        old[0] + "\n\n" + SEED,
        old[1].replace("default_rng()", "default_rng(42)"),
        old[2],
        old[3].replace("os.listdir('.')", "sorted(os.listdir('.'))"),
    ]
    (tmp_path / "p.diff").write_text(made.diff)
    subprocess.run(["git", "apply", "--unsafe-paths", "p.diff"], cwd=tmp_path, check=True)
    assert path.read_text(encoding="utf-8") == made.files[0].after
    json.loads(made.files[0].after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["x = 1\n", "y = 2"], [SEED + "\n\nx = 1", "y = 2"]),
        (["import os", "import sys\n\ndef f():\n    pass\n    # the end", "f()"],
         ["import os", f"import sys\n\n{SEED}\n\ndef f():\n    pass\n    # the end", "f()"]),
        (["\n\nimport os\n", "f()"], [f"\n\nimport os\n\n{SEED}\n", "f()"]),
    ],
    ids=["no import", "imports in two cells", "blank lines around"],
)  # fmt: skip
def test_what_goes_to_the_top_goes_behind_the_imports(
    before: list[str], after: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.ipynb"
    cells = [{"cell_type": "code", "metadata": {}, "source": text} for text in before]
    path.write_text(json.dumps({"nbformat": 4, "cells": cells}))
    made, found = patched(path, top=SEED)
    assert made.left == ()
    assert found[1:] == after[1:]
    assert found[0].rstrip("\n") == after[0].rstrip("\n")


def test_what_can_t_be_changed_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ipynb", "x = (", "y = 1")
    made, _ = patched(path, top=SEED)
    assert made.files == ()
    assert made.left == ("a.ipynb can't be parsed: cell 1 is not Python, its magics left out",)
    written(path, "x = 1")
    made, _ = patched(path, edit(1, 1, "listdir", "sorted({call})"))
    assert made.left == ("a.ipynb cell 1, line 1: there is no call of listdir.",)
    assert made.diff == ""
