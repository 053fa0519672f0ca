"""Metrics from a script's output: patterns, and what they find in the logs of a trial."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from nondet.host import files
from nondet.host.errors import UsageError

LOGS = ("stderr.log", "stdout.log")
"""The later one wins."""
CHUNK = 1 << 20
LONGEST = 4 << 20
"""Bytes of a line from which on it is looked at in pieces."""
_NAMED = re.compile(r"([\w./ -]+)=(.*)", re.DOTALL)
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_LINE_ENDS = re.compile(rb"[\r\n]")


@dataclasses.dataclass(frozen=True)
class Pattern:
    """A regular expression, and the metric that each of its groups is."""

    text: str
    """As given."""
    expression: re.Pattern[str]
    groups: tuple[tuple[str, int], ...]
    """(name of the metric, number of the group)"""


@dataclasses.dataclass
class Found:
    """What patterns found in the output of one trial."""

    values: dict[str, float] = dataclasses.field(default_factory=dict)
    """By metric; the last match counts."""
    matched: set[str] = dataclasses.field(default_factory=set)
    """Texts of the patterns that matched some line."""
    no_numbers: dict[str, str] = dataclasses.field(default_factory=dict)
    """By metric, what was found last where it is no number."""


def read(texts: Sequence[str]) -> tuple[Pattern, ...]:
    """Patterns as given by ``--pattern``. Raises UsageError."""
    patterns = tuple(_read(text) for text in texts)
    names = [name for pattern in patterns for name, _ in pattern.groups]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                "bad-pattern", f"--pattern: two groups are called {name!r}: give each its own name"
            )
    return patterns


def _read(text: str) -> Pattern:
    whole = _compiled(text, text)
    if whole.groupindex:
        return Pattern(text, whole, tuple(whole.groupindex.items()))
    named = _NAMED.fullmatch(text)
    if named is None:
        raise UsageError(
            "bad-pattern",
            f"--pattern {text!r} names no metric: expected NAME=REGEX, or groups (?P<name>...)",
        )
    expression = _compiled(named[2], text)
    if not named[2] or expression.groups > 1:
        raise UsageError(
            "bad-pattern",
            f"--pattern {text!r}: expected a REGEX with one group, around the number; "
            "name several as (?P<name>...)",
        )
    return Pattern(text, expression, ((named[1].strip(), expression.groups),))


def _compiled(regex: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(regex)
    except re.error as error:
        raise UsageError(
            "bad-pattern", f"--pattern {text!r} is no regular expression: {error}"
        ) from error


def search(patterns: Sequence[Pattern], folder: Path) -> Found:
    """What the patterns find in a trial's logs, line by line; the last match counts.

    A match in the output goes before one in the error output.
    """
    found = Found()
    for name in LOGS if patterns else ():
        for line in _lines(folder / name):
            for pattern in patterns:
                for match in pattern.expression.finditer(line):
                    _take(pattern, match, found)
    return found


def _take(pattern: Pattern, match: re.Match[str], found: Found) -> None:
    found.matched.add(pattern.text)
    for name, group in pattern.groups:
        text = match[group]
        if text is None:  # the group is in another branch of the expression
            continue
        try:
            found.values[name] = float(text)
            found.no_numbers.pop(name, None)
        except ValueError:
            found.values.pop(name, None)
            found.no_numbers[name] = text


def _lines(path: Path) -> Iterator[str]:
    """Lines without colours. A line that was rewritten in place, as of a bar, is several."""
    try:
        with files.opened(path) as file:
            rest = b""
            while data := file.read(CHUNK):
                first, *others = _LINE_ENDS.split(data)
                rest += first
                if others or len(rest) > LONGEST:
                    yield from _plain([rest, *others[:-1]])
                    rest = others[-1] if others else b""
            yield from _plain([rest])
    except OSError:
        return


def _plain(lines: Sequence[bytes]) -> Iterator[str]:
    for line in lines:
        if text := _ANSI.sub("", line.decode("utf-8", "replace")):
            yield text
