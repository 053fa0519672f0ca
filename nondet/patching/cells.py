"""A notebook's cells as one program that can be parsed, and the way back.

Magics and the like stand masked as ``pass``, each line in its place; a comment begins each cell.
What was changed in the program is changed in the cells. A masked line stays as it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import libcst as cst

from nondet.notebook import Cell, Notebook, NotebookError

MARK = "# nondet: cell {}"
MARKED = re.compile(r"^# nondet: cell (\d+)\n", re.MULTILINE)
MASK = "# nondet: line {}"
MASKED = re.compile(r"^[ \t]*(?:pass  )?# nondet: line (\d+)$", re.MULTILINE)
SPECIAL = re.compile(r"\s*[%!?]|.*[^#]\?\s*$|\s*[\w.,\[\] ()]+=\s*[%!]")
"""Lines that may be IPython's own: magics, commands of the system, questions."""
PYTHON = ("%%time", "%%timeit", "%%capture", "%%prun")
"""Magics whose cell is Python all the same."""


class Cells:
    """The program of a notebook's cells. Raises NotebookError when a cell is no Python."""

    def __init__(self, book: Notebook) -> None:
        self.book = book
        self.masked: list[str] = []
        self.first: dict[int, int] = {}
        """For each cell the line of the program before its own first."""
        lines: list[str] = []
        for cell in book.cells:
            lines.append(MARK.format(cell.number))
            self.first[cell.number] = len(lines)
            lines += self.python(cell)
        self.code = "\n".join(lines) + "\n"

    def line(self, cell: int, line: int) -> int:
        """A line of a cell, as the program counts."""
        return self.first.get(cell, 0) + line

    def python(self, cell: Cell) -> list[str]:
        """The cell's lines, with a mask for each that Python would not take."""
        if parses(cell.lines):
            return list(cell.lines)
        start = next(i for i, line in enumerate(cell.lines) if line.strip())
        if cell.lines[start].startswith("%%") and not cell.lines[start].startswith(PYTHON):
            return [self.mask(line, first=True) for line in cell.lines]
        made: list[str] = []
        going_on = False
        for line in cell.lines:
            special = going_on or SPECIAL.match(line) is not None
            made.append(self.mask(line, first=not going_on) if special else line)
            going_on = special and line.endswith("\\")
        if not parses(made):
            why = f"cell {cell.number} is not Python, its magics left out"
            raise NotebookError("not-python", why)
        return made

    def mask(self, line: str, first: bool) -> str:
        """`first`: whether it begins something, so that a statement must stand there."""
        self.masked.append(line)
        indent = line[: len(line) - len(line.lstrip())]
        return f"{indent}{'pass  ' if first else ''}{MASK.format(len(self.masked) - 1)}"

    def back(self, code: str) -> str:
        """The notebook's file with the changed program in its cells."""
        parts = MARKED.split(code)
        sources: dict[int, str] = {}
        for number, text in zip(parts[1::2], parts[2::2], strict=True):
            cell = self.book.cells[int(number) - 1]
            source = MASKED.sub(lambda match: self.masked[int(match[1])], text)
            old = "\n".join(cell.lines)
            if source.strip("\n") != old.strip("\n"):
                # Blank lines around are those that the cell had.
                first = len(old) - len(old.lstrip("\n"))
                last = len(old.rstrip("\n"))
                sources[cell.number] = old[:first] + source.strip("\n") + old[last:]
        return self.book.changed(sources)


def parses(lines: Sequence[str]) -> bool:
    try:
        cst.parse_module("\n".join(lines) + "\n")
    except cst.ParserSyntaxError:
        return False
    return True
