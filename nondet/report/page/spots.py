"""Lines of the user's code as people read them: each once, with all that was seen there."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from nondet import record
from nondet.naming import enumerated
from nondet.record import Cause, Seeding, Site, SourceLine, Suspect
from nondet.report.page import words


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of source; number 0 stands for lines left out."""

    number: int
    text: str = ""
    marked: bool = False
    label: str = ""
    """What the line did, where two lines of one excerpt are marked."""


@dataclasses.dataclass(frozen=True)
class Excerpt:
    """Lines of one file, or of one cell of a notebook, the telling ones marked."""

    file: str
    rows: tuple[Row, ...]


@dataclasses.dataclass(frozen=True)
class Spot:
    """A line of the user's code, and all that was seen there."""

    site: Site
    uses: tuple[str, ...]
    """Each in a few words, code in backticks: ``random.randint, drawn for Dropout `dropout_1```."""
    brief: str
    """The same for a line of a terminal."""

    @property
    def rows(self) -> tuple[Row, ...]:
        return _rows({self.site.number: ""}, self.site.source)


def of(sites: Iterable[Site]) -> list[Spot]:
    """Each line once, in the order first seen."""
    lines: dict[tuple[str, int, int], list[Site]] = {}
    for site in sites:
        lines.setdefault(record.spot(site), []).append(site)
    return [Spot(found[0], _uses(found), _brief(found)) for found in lines.values()]


def beside_seeds(cause: Cause) -> list[Spot]:
    """The cause's lines that no excerpt of a faulty seed shows already."""
    seen = {
        (excerpt.file, row.number)
        for given in faulty(cause)
        for excerpt in excerpts(given)
        for row in excerpt.rows
        if row.marked
    }
    return [
        spot for spot in of(cause.sites) if (words.file(spot.site), spot.site.number) not in seen
    ]


def faulty(cause: Cause) -> list[Seeding]:
    """Seeds that the script gives and that do not hold this cause; a call that seeds several
    generators alike once."""
    found: dict[tuple[object, ...], Seeding] = {}
    for given in cause.seedings:
        if given.fault != "none":
            drew = given.before if given.fault == "late" else ()
            found.setdefault((given.call, record.spot(given.site), given.fault, drew), given)
    return list(found.values())


def excerpts(given: Seeding) -> list[Excerpt]:
    """The seed's line, and those that drew before it; one excerpt a file."""
    late = given.fault == "late"
    told = [(site, "drew before it") for site in given.before if late]
    told.append((given.site, "the seed" if told else ""))
    found = []
    for file in dict.fromkeys(words.file(site) for site, _ in told):
        here = [(site, label) for site, label in told if words.file(site) == file]
        lines = [line for site, _ in here for line in site.source]
        if lines:
            found.append(Excerpt(file, _rows({s.number: label for s, label in here}, lines)))
    return found


def suspected(suspects: Iterable[Suspect]) -> tuple[list[Spot], list[str]]:
    """Suspects by their lines, and those without one."""
    everything = list(suspects)
    lines = [(s.site, s.what) for s in everything if s.site is not None]
    keys = dict.fromkeys(record.spot(site) for site, _ in lines)
    spots = []
    for key in keys:
        here = [(site, what) for site, what in lines if record.spot(site) == key]
        whats = tuple(dict.fromkeys(what for _, what in here))
        spots.append(Spot(here[0][0], whats, "; ".join(whats)))
    return spots, list(dict.fromkeys(s.what for s in everything if s.site is None))


def _details(sites: Iterable[Site]) -> dict[str, list[Site]]:
    found: dict[str, list[Site]] = {}
    for site in sites:
        found.setdefault(site.detail, []).append(site)
    return found


def _uses(sites: Sequence[Site]) -> tuple[str, ...]:
    """What was seen at one line: each detail once, with all the layers on whose behalf."""
    return tuple(filter(None, (_use(detail, same) for detail, same in _details(sites).items())))


def _use(detail: str, sites: Sequence[Site]) -> str:
    layers = _layers(sites)
    count = sum(site.count for site in sites)
    parts = [detail] if detail else []
    if layers:
        parts.append(f"drawn for {enumerated(layers, 4)}")
        if all(_made_here(site) for site in sites):
            parts.append("made here")
    if count > 1:
        parts.append(f"{count} times a run")
    return ", ".join(parts)


def _brief(sites: Sequence[Site]) -> str:
    parts = []
    for detail, same in _details(sites).items():
        layers = _layers(same)
        count = sum(site.count for site in same)
        on_behalf = f"for {enumerated(layers, 1)}" if layers else ""
        times = f"({count} times)" if count > 1 else ""
        parts.append(" ".join(filter(None, (detail, on_behalf, times))))
    return "; ".join(filter(None, parts))


def _layers(sites: Iterable[Site]) -> list[str]:
    return list(dict.fromkeys(site.what for site in sites if site.what))


def _made_here(site: Site) -> bool:
    """Whether the line makes the layer, rather than build, call or train it."""
    kind = site.what.split(" ")[0]
    return bool(kind) and re.search(rf"\b{re.escape(kind)}\(", site.text) is not None


def _rows(marks: Mapping[int, str], lines: Iterable[SourceLine]) -> tuple[Row, ...]:
    texts = {line.number: line.text for line in lines}
    rows: list[Row] = []
    for number in sorted(texts):
        if rows and number > rows[-1].number + 1:
            rows.append(Row(0))
        rows.append(Row(number, texts[number], number in marks, marks.get(number, "")))
    return tuple(rows)
