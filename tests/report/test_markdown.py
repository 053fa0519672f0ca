"""Markdown: what a pull request's comment shows, whatever the subject calls its things."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt
from msgspec import structs

from nondet.record import Edit, Program
from nondet.report import markdown
from tests.report import samples

READER = MarkdownIt("commonmark", {"html": True}).enable("table")


@pytest.mark.parametrize("name", sorted(samples.ALL))
def test_every_diagnosis_is_told(name: str) -> None:
    diagnosis = samples.ALL[name]()
    html = READER.render(markdown.render(diagnosis))
    assert html.startswith("<h3>")
    assert html.count("<h3>") == 1
    assert html.count("<tr>") == (len(diagnosis.causes) + 1 if diagnosis.causes else 0)


def test_nothing_of_the_subject_s_becomes_markup() -> None:
    found = markdown.render(samples.hostile())
    html = READER.render(found)
    for tag in ("<script", "<img", "<b>", "<a "):
        assert tag not in html.lower()


def test_the_patch_stands_for_the_fix() -> None:
    diagnosis = samples.one_cause()
    assert diagnosis.prescription is not None
    patched = structs.replace(diagnosis.prescription, patch="--- a/x\n+++ b/x\n+```\n")
    found = markdown.render(structs.replace(diagnosis, prescription=patched))
    assert "````diff\n--- a/x\n+++ b/x\n+```\n````" in found
    assert "Not verified: the patched script was not run." in found
    ran = structs.replace(patched, patch_verified=True, patch_trials=("t31", "t32"))
    found = markdown.render(structs.replace(diagnosis, prescription=ran))
    assert "Verified: 2 runs of the patched script, with nothing pinned, agree" in found
    assert diagnosis.prescription.snippet not in found


def test_without_a_patch_the_lines_are_named() -> None:
    diagnosis = samples.one_cause()
    assert diagnosis.prescription is not None
    edit = Edit(file="lib/a.py", line=4, code="x = `|`")
    edited = structs.replace(diagnosis.prescription, edits=(edit,), patch=None)
    found = markdown.render(structs.replace(diagnosis, prescription=edited))
    assert f"```python\n{edited.snippet.strip(chr(10))}\n```" in found
    assert "- `lib/a.py:4`: `` x = `\\|` ``" in found
    program = Program(file="tools/make.py", top=("import random\nrandom.seed(42)",))
    beside = structs.replace(edited, programs=(program,))
    found = markdown.render(structs.replace(diagnosis, prescription=beside))
    assert "At the top of `tools/make.py`:\n\n```python\nimport random\nrandom.seed" in found
    there = structs.replace(edit, file="a.ipynb", cell=2, cell_line=3, code="f(42)")
    edited = structs.replace(edited, edits=(there,))
    found = markdown.render(structs.replace(diagnosis, prescription=edited))
    assert "- `a.ipynb cell 2, line 3`: `f(42)`" in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a `b|c` *d*", "a `b\\|c` \\*d\\*"),
        ("<b> & [x](y)", "\\<b\\> \\& \\[x\\](y)"),
        ("one\ntwo", "one two"),
    ],
)
def test_prose(text: str, expected: str) -> None:
    assert markdown.prose(text) == expected
