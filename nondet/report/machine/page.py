"""The page of a machine's probes: one self-contained file that loads nothing."""

from __future__ import annotations

from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader
from markupsafe import Markup

from nondet.machines import Probing
from nondet.report import html
from nondet.report.machine import doctor, words
from nondet.report.page import words as numbers

STYLES = ("assets/report.css", "assets/print.css")
SCRIPTS = ("assets/data.js", "assets/page.js")


def render(found: Probing) -> str:
    """The page as one HTML document."""
    label, tone = words.label(found)
    style, script = html._assets(STYLES), html._assets(SCRIPTS)
    return (
        _environment()
        .get_template("probing.html")
        .render(
            p=found,
            facts=list(doctor.facts(found.checkup)),
            label=label,
            note=words.note(found),
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
    own = PackageLoader("nondet.report.machine")
    report = base.loader or PackageLoader("nondet.report.page")
    environment = base.overlay(loader=ChoiceLoader([own, PrefixLoader({"report": report})]))
    environment.globals = {**base.globals, "say": words, "words": numbers}
    return environment
