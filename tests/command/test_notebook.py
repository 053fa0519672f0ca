"""A notebook as the subject, from the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nondet import notebook
from tests.command.running import QUICK, Project, tree
from tests.notebooks import SPEC, written

UNSEEDED = (
    "import numpy as np\nimport nondet\n%matplotlib --list",
    """
    %%time
    # the data

    rng = np.random.default_rng()
    values = rng.normal(size=3)
    """,
    """
    !true
    open("written.txt", "w").write("by a trial")
    nondet.checkpoint("values", values)
    values
    """,
)


def test_the_cause_its_cell_and_line_and_the_patch(project: Project) -> None:
    (project.folder / "books").mkdir()
    path = written(project.folder / "books" / "train.ipynb", *UNSEEDED)
    before = tree(project.folder)
    ran = project.diagnose(*QUICK, "--verify", "books/train.ipynb")
    assert ran.code == 1, ran.out + ran.err
    assert tree(project.folder) == before
    found = ran.diagnosis
    (cause,) = found.causes
    site = cause.sites[0]
    assert cause.factor == "numpy-generator"
    assert (site.file, site.cell, site.cell_line) == ("books/train.ipynb", 2, 4)
    assert "rng = np.random.default_rng()" in path.read_text().splitlines()[site.line - 1]
    assert [(line.number, line.text) for line in site.source][:2] == [
        (1, "%%time"), (2, "# the data")
    ]  # fmt: skip
    place = "books/train.ipynb cell 2, line 4"
    assert f"{place}  a NumPy generator without a seed" in ran.out
    assert f"({place})" in found.summary
    page = (project.output / "report.html").read_text()
    assert f"<code>{place}</code>" in page
    assert '<mark><span class="number">4</span>rng = np.random.default_rng()' in page

    fix = found.prescription
    assert fix is not None and fix.patch
    assert fix.patch_verified, fix.patch_note
    assert '+    "rng = np.random.default_rng(42)\\n",' in fix.patch.splitlines()

    told = project.run("report", "--format", "sarif", "nondet-report")
    (result,) = json.loads(told.out)["runs"][0]["results"]
    (location,) = result["locations"]
    physical = location["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "books/train.ipynb"
    assert physical["region"]["startLine"] == site.line
    assert location["logicalLocations"][0]["fullyQualifiedName"] == place

    # Somebody runs it in Jupyter meanwhile, which writes outputs beside the code.
    loose = json.loads(path.read_text())
    for cell in loose["cells"][1:]:
        cell["execution_count"], cell["outputs"] = 7, [{"output_type": "stream", "text": ["x\n"]}]
    path.write_text(json.dumps(loose, indent=1))
    again = project.diagnose("--resume", *QUICK, "books/train.ipynb")
    assert len(again.diagnosis.trials) <= len(found.trials)
    assert "no finished trial there fits" not in again.err
    applied = project.run("fix", "--apply", "nondet-report")
    assert applied.code == 0, applied.err
    cells = notebook.read(path.read_text()).cells
    assert cells[1].lines[3] == "rng = np.random.default_rng(42)"
    assert json.loads(path.read_text())["cells"][2]["outputs"][0]["text"] == ["x\n"]
    refused = project.run("fix", "--apply", "nondet-report")
    assert "[changed-since]" in refused.err
    assert project.run("check", "--runs", "2", "books/train.ipynb").code == 0


def test_other_commands_take_it_as_well(project: Project) -> None:
    written(
        project.folder / "train.ipynb",
        "import sys, random, nondet\nprint(sys.argv[1:])",
        "nondet.checkpoint('x', random.random())\nnondet.metric('x', random.random())",
    )
    ran = project.run("run", "--pin", "python-random", "train.ipynb", "--epochs", "3")
    assert (ran.code, ran.out) == (0, "['--epochs', '3']\n")
    for name in ("one.nd", "other.nd"):
        kept = project.run("record", "--pin", "python-random", "-o", name, "train.ipynb")
        assert kept.code == 0, kept.err
    assert project.run("diff", "one.nd", "other.nd").code == 0
    assert project.run("check", "train.ipynb").code == 1
    repeated = project.run("repeat", "-n", "3", "--output", "nondet-report", "train.ipynb")
    assert repeated.code == 0, repeated.err
    (summary,) = repeated.repetition.series[0].metrics
    assert (summary.name, summary.count) == ("x", 3)


def test_a_cell_that_fails_is_told_by_its_line(project: Project) -> None:
    written(project.folder / "train.ipynb", "x = 0", "# divide\n1 / x")
    ran = project.diagnose("train.ipynb")
    assert ran.code == 5
    error = ran.diagnosis.error
    assert error is not None and error.slug == "crash"
    assert 'train.ipynb cell 2", line 2, in <module>\n    1 / x' in error.traceback
    # By nondet, since no interpreter runs a notebook by itself.
    assert re.search(r"^  nondet run( --python \S+)? train\.ipynb$", ran.out, re.M)


SET = "import nondet\nnondet.checkpoint('order', ' '.join({'a', 'b', 'c', 'd', 'e', 'f'}))"


@pytest.mark.long
def test_what_no_cell_can_hold_is_said_for_where_kernels_start(project: Project) -> None:
    written(project.folder / "train.ipynb", SET)
    ran = project.diagnose(*QUICK, "--verify", "train.ipynb")
    assert ran.code == 1, ran.out + ran.err
    fix = ran.diagnosis.prescription
    assert fix is not None
    assert fix.launch == "PYTHONHASHSEED=0 jupyter lab train.ipynb"
    assert fix.patch_verified, fix.patch_note
    assert "train.ipynb cell 1, line 2" in ran.out


def cells(*sources: str) -> list[dict[str, object]]:
    return [{"cell_type": "code", "metadata": {}, "source": text} for text in sources]


R = {"kernelspec": {**SPEC, "language": "R"}}


@pytest.mark.parametrize(
    ("text", "slug", "word"),
    [
        ("x = 1\n", "not-a-notebook", "JSON"),
        ("{}", "not-a-notebook", "another kind"),
        (json.dumps({"nbformat": 3, "worksheets": []}), "notebook-format", "jupyter nbconvert"),
        (json.dumps({"nbformat": 4, "cells": cells("x"), "metadata": R}), "notebook-language", "r"),
        (json.dumps({"nbformat": 4, "cells": cells(" \n")}), "no-code-cell", "train.ipynb"),
    ],
)
def test_what_can_t_be_run(project: Project, text: str, slug: str, word: str) -> None:
    project.write(text, "train.ipynb")
    project.diagnose("train.ipynb").refused(slug, "train.ipynb", word)


def test_bytes_that_are_no_text(project: Project) -> None:
    (project.folder / "train.ipynb").write_bytes(b'{"nbformat": 4, "\xff": 1}')
    project.diagnose("train.ipynb").refused("not-a-notebook", "train.ipynb")


def test_an_interpreter_without_ipython(project: Project) -> None:
    written(project.folder / "train.ipynb", "x = 1")
    bare = project.folder.parent / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    python = str(Path(bare) / "bin" / "python")
    refused = project.diagnose("--python", python, "train.ipynb")
    refused.refused("no-ipython", "train.ipynb", f"`{python} -m pip install ipython`")
