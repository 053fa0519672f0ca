"""The page of a machine's probes: one self-contained file that loads nothing."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment

from nondet.machines import Probing
from nondet.report import frame
from nondet.report.machine import doctor, words

STYLES = ("assets/report.css", "assets/print.css")
SCRIPTS = ("assets/data.js", "assets/page.js")


def render(found: Probing) -> str:
    """The page as one HTML document."""
    label, tone = words.label(found)
    return frame.filled(
        _environment(),
        "probing.html",
        tone,
        STYLES,
        SCRIPTS,
        p=found,
        facts=list(doctor.facts(found.checkup)),
        label=label,
        note=words.note(found),
        anchors={},
    )


@cache
def _environment() -> Environment:
    return frame.environment("nondet.report.machine", say=words)
