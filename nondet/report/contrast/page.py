"""The page of a comparison of two runs: one self-contained file that loads nothing."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment

from nondet.report import frame
from nondet.report.contrast import words
from nondet.runs import Comparison

STYLES = ("assets/report.css", "assets/print.css")
SCRIPTS = ("assets/data.js", "assets/page.js")


def render(found: Comparison) -> str:
    """The page as one HTML document; all text from files and runs is escaped."""
    label, tone = words.label(found)
    first, stop, rest = found.summary.partition(". ")
    return frame.filled(
        _environment(),
        "comparison.html",
        tone,
        STYLES,
        SCRIPTS,
        c=found,
        sides=list(zip("AB", found.files, (found.one, found.other), strict=True)),
        first=first + stop,
        rest=rest,
        label=label,
        anchors={},
    )


@cache
def _environment() -> Environment:
    return frame.environment("nondet.report.contrast", say=words)
