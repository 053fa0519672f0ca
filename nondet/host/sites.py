"""Places in the user's code, with the lines around them, as the record keeps them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from nondet import notebook, record
from nondet.host import files
from nondet.host.events import Place, Sighting
from nondet.host.subject import Subject

CONTEXT = 3
"""Lines kept on either side of a place."""
MOST_LINES, MOST_SITES = 5, 20
"""Lines that are shown for a cause, and things that happened there."""


class Sites:
    """Makes the record's sites for one subject."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.notebooks: dict[str, notebook.Notebook | None] = {}

    def site(self, place: Place, detail: str, count: int = 1, what: str = "") -> record.Site:
        file, number = notebook.named(place.file)
        if number:
            return self.in_cell(file, number, place, detail, count, what)
        return record.Site(
            file=self.shown(place.file),
            line=place.line,
            function=place.function,
            source=source_lines(Path(place.file), place.line),
            detail=detail,
            count=count,
            what=what,
        )

    def in_cell(
        self, file: str, number: int, place: Place, detail: str, count: int, what: str
    ) -> record.Site:
        """A place in a notebook: where it stands in the cell, and in the file."""
        cell = self.cell(file, number)
        known = cell is not None and 0 < place.line <= len(cell.lines)
        lines = cell.lines if cell is not None else ()
        # Versions of IPython before 9 name a cell's own code after its line.
        top = place.function.startswith("<cell line")
        return record.Site(
            file=self.shown(file),
            line=cell.places[place.line - 1] if cell is not None and known else 1,
            function="<module>" if top else place.function,
            source=around(lines, place.line),
            detail=detail,
            count=count,
            what=what,
            cell=number,
            cell_line=place.line,
        )

    def cell(self, file: str, number: int) -> notebook.Cell | None:
        if file not in self.notebooks:
            try:
                data = files.read(Path(file), files.MOST_SOURCE)
                self.notebooks[file] = notebook.read(data.decode("utf-8"))
            except (OSError, ValueError):
                self.notebooks[file] = None
        book = self.notebooks[file]
        return book.cell(number) if book is not None else None

    def of(self, seen: Iterable[Sighting]) -> tuple[record.Site, ...]:
        """The places behind sightings, each once, in the order first seen."""
        made: dict[tuple[Place, str, str], record.Site] = {}
        for s in seen:
            if s.site is not None:
                key = (s.site, s.detail, s.what)
                made.setdefault(key, self.site(s.site, s.detail, s.count, s.what))
        return tuple(made.values())

    def shown(self, file: str) -> str:
        return shown(self.subject.folders, file)


def shown(folders: Sequence[Path], file: str) -> str:
    """A path relative to the first of the subject's folders that it lies in. Absolute elsewhere,
    and where the working folder, which comes first, has something else of that name."""
    if ".." in Path(file).parts:
        file = os.path.realpath(file)
    path = Path(file)
    for folder in folders:
        if path.is_relative_to(folder):
            short = path.relative_to(folder)
            known = folder != folders[0] and os.path.lexists(folders[0] / short)
            return file if known else str(short)
    return file


def foremost(sites: Sequence[record.Site]) -> tuple[record.Site, ...]:
    """Those of the first few lines: a line that builds many layers counts once."""
    lines = list(dict.fromkeys(map(record.spot, sites)))[:MOST_LINES]
    return tuple(site for site in sites if record.spot(site) in lines)[:MOST_SITES]


def source_lines(path: Path, line: int) -> tuple[record.SourceLine, ...]:
    """The line with its neighbours, for the report; empty when the file can't be read."""
    try:
        text = files.read(path, files.MOST_SOURCE).decode("utf-8", "replace")
    except OSError:
        return ()
    # As Python counts lines: a form feed and the like end none.
    lines = notebook.BREAK.split(text)
    return around(lines if lines[-1] else lines[:-1], line)


def around(lines: Sequence[str], line: int) -> tuple[record.SourceLine, ...]:
    first, last = max(1, line - CONTEXT), min(len(lines), line + CONTEXT)
    return tuple(
        record.SourceLine(number=n, text=lines[n - 1][:400]) for n in range(first, last + 1)
    )
