"""A notebook's file: its code cells, and where each of their lines stands in the file.

Read by place, not only by value: a finding names a line of the file for readers that know nothing
of cells, and a patch changes no byte but those of the cells that it is about.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

SUFFIX = ".ipynb"
FORMAT = 4
NAMED = re.compile(r"(.+\.ipynb) cell (\d+)", re.IGNORECASE | re.DOTALL)
"""How code of a cell names its file (guest/notebook.py)."""
SPACE = re.compile(r"[ \t\r\n]*")
BREAK = re.compile(r"\r\n|\r|\n")


@dataclasses.dataclass(frozen=True)
class Cell:
    """A code cell. They count from 1, as a run from the top numbers them: empty ones don't."""

    number: int
    lines: tuple[str, ...]
    """Without their ends."""
    places: tuple[int, ...]
    """For each of them the line of the file where it stands, from 1."""
    start: int
    end: int
    """The characters of the file that hold the cell's source."""


class NotebookError(ValueError):
    """It is no notebook that can be read here; `slug` tells which of the reasons."""

    def __init__(self, slug: str, message: str) -> None:
        super().__init__(message)
        self.slug = slug


@dataclasses.dataclass(frozen=True)
class Notebook:
    text: str
    language: str
    cells: tuple[Cell, ...]

    @property
    def code(self) -> bytes:
        """What is run, and no outputs: those change whenever somebody runs it in Jupyter."""
        return json.dumps([cell.lines for cell in self.cells]).encode()

    def cell(self, number: int) -> Cell | None:
        return self.cells[number - 1] if 0 < number <= len(self.cells) else None

    def changed(self, sources: Mapping[int, str]) -> str:
        """The file's text with another source in these cells; all else stays as it is."""
        text = self.text
        ascii_only = text.removeprefix("\ufeff").isascii()
        for cell in reversed(self.cells):
            if cell.number in sources:
                old = text[cell.start : cell.end]
                new = rewritten(old, sources[cell.number], ascii_only)
                text = text[: cell.start] + new + text[cell.end :]
        return text


def is_notebook(file: str) -> bool:
    return file.lower().endswith(SUFFIX)


def named(file: str) -> tuple[str, int]:
    """The file and the cell that a name stands for; cell 0 where it is a file as it is."""
    match = NAMED.fullmatch(file)
    return (match[1], int(match[2])) if match else (file, 0)


def read(text: str) -> Notebook:
    """Raises NotebookError."""
    try:
        whole = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise NotebookError("not-a-notebook", f"it is not JSON ({error})") from None
    if not isinstance(whole, dict) or not isinstance(whole.get("nbformat"), int):
        raise NotebookError("not-a-notebook", "it is JSON of another kind")
    if whole["nbformat"] != FORMAT:
        raise NotebookError("notebook-format", f"its format is {whole['nbformat']}")
    if not isinstance(whole.get("cells"), list):
        raise NotebookError("not-a-notebook", "it has no list of cells")
    try:
        cells = tuple(code_cells(text))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise NotebookError("not-a-notebook", "a cell of it has another shape") from None
    return Notebook(text, language(whole.get("metadata")), cells)


def language(metadata: object) -> str:
    """Of the kernel, in small letters; Python's where nothing is said."""
    for group, key in (("kernelspec", "language"), ("language_info", "name")):
        found = metadata.get(group) if isinstance(metadata, dict) else None
        if isinstance(found, dict) and isinstance(found.get(key), str) and found[key]:
            return str(found[key]).lower()
    return "python"


def code_cells(text: str) -> Iterator[Cell]:
    ends = [match.end() for match in re.finditer("\n", text)]
    start, _ = dict(members(text, len(text) - len(text.lstrip("\ufeff"))))["cells"]
    numbers = itertools.count(1)
    for place, _ in items(text, start):
        parts = dict(members(text, place))
        kind, source = (value(text, parts[key][0]) for key in ("cell_type", "source"))
        given = [source] if isinstance(source, str) else list(source)
        whole = "".join(given)
        if kind != "code" or not whole.strip():
            continue
        begin, end = parts["source"]
        starts = [begin] if isinstance(source, str) else [place for place, _ in items(text, begin)]
        lines = tuple(BREAK.split(whole))
        yield Cell(
            next(numbers),
            lines,
            tuple(
                bisect.bisect_right(ends, at) + 1
                for at in line_places(list(zip(given, starts, strict=True)), whole)
            ),
            begin,
            end,
        )


def line_places(pieces: list[tuple[str, int]], whole: str) -> Iterator[int]:
    """For each line of a source the character of the file where the piece starts that it is in."""
    starts = [0, *(match.end() for match in BREAK.finditer(whole))]
    lengths = list(itertools.accumulate(len(piece) for piece, _ in pieces))
    for start in starts:
        # A last line that is empty stands in no piece of its own.
        yield pieces[min(bisect.bisect_right(lengths, start), len(pieces) - 1)][1]


def rewritten(old: str, source: str, ascii_only: bool) -> str:
    """The JSON of a cell's source with another text, written as the old one is."""
    if old.startswith('"'):
        return json.dumps(source, ensure_ascii=ascii_only)
    known = {value(old, at): old[at:end] for at, end in items(old, 0)}
    places = list(items(old, 0))
    gap, tail = old[1 : places[0][0]], old[places[-1][1] : -1]
    lines = [
        known.get(line) or json.dumps(line, ensure_ascii=ascii_only)
        for line in source.splitlines(keepends=True)
    ]
    return "[" + gap + f",{gap or ' '}".join(lines) + tail + "]"


# -- JSON by place: each value from its first character to behind its last

DECODER = json.JSONDecoder()


def value(text: str, at: int) -> Any:
    return DECODER.raw_decode(text, at)[0]


def space(text: str, at: int) -> int:
    match = SPACE.match(text, at)
    return match.end() if match else at


def items(text: str, at: int) -> Iterator[tuple[int, int]]:
    """The places of the items of a list that starts there."""
    at = space(text, at + 1)
    while text[at] != "]":
        end = DECODER.raw_decode(text, at)[1]
        yield at, end
        at = space(text, end)
        at = space(text, at + 1) if text[at] == "," else at


def members(text: str, at: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """The keys of an object that starts there, with the places of their values."""
    at = space(text, space(text, at) + 1)
    while text[at] != "}":
        key, colon = DECODER.raw_decode(text, at)
        start = space(text, space(text, colon) + 1)
        end = DECODER.raw_decode(text, start)[1]
        yield key, (start, end)
        at = space(text, end)
        at = space(text, at + 1) if text[at] == "," else at
