"""The page of a comparison of two runs: one self-contained file that loads nothing."""

from __future__ import annotations

from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader
from markupsafe import Markup

from nondet.report import html
from nondet.report.contrast import words
from nondet.report.page import words as numbers
from nondet.runs import Comparison

STYLES = ("assets/report.css", "assets/print.css")
SCRIPTS = ("assets/data.js", "assets/page.js")


def render(found: Comparison) -> str:
    """The page as one HTML document; all text from files and runs is escaped."""
    label, tone = words.label(found)
    style, script = html._assets(STYLES), html._assets(SCRIPTS)
    first, stop, rest = found.summary.partition(". ")
    return (
        _environment()
        .get_template("comparison.html")
        .render(
            c=found,
            sides=list(zip("AB", found.files, (found.one, found.other), strict=True)),
            first=first + stop,
            rest=rest,
            label=label,
            tone=tone,
            policy=html._policy(style, script),
            style=Markup(style),  # our own files, not the subject's text
            script=Markup(script),
            icon=html._icon(tone),
            sections=[],
            anchors={},
        )
    )


@cache
def _environment() -> Environment:
    """That of the report, with the templates of this folder beside it."""
    base = html._environment()
    own = PackageLoader("nondet.report.contrast")
    report = base.loader or PackageLoader("nondet.report.page")
    environment = base.overlay(loader=ChoiceLoader([own, PrefixLoader({"report": report})]))
    environment.globals = {**base.globals, "say": words, "words": numbers}
    return environment
