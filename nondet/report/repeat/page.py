"""The page of a repetition: one self-contained file that loads nothing, made from its record."""

from __future__ import annotations

import math
from functools import cache
from importlib import resources

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader
from markupsafe import Markup

from nondet.repetition import Repetition, Series
from nondet.report import html
from nondet.report.page import words as numbers
from nondet.report.repeat import plots, words

STYLES = ("assets/report.css", "assets/charts.css")
SCRIPTS = ("assets/data.js", "assets/page.js")
MOST_RESULTS = 12
"""Distinct results shown one by one."""


def render(repetition: Repetition) -> str:
    """The page as one HTML document; all text from the subject is escaped."""
    label, tone = words.label(repetition)
    style = html._assets(STYLES) + "\n" + _style()
    script = html._assets(SCRIPTS)
    return (
        _environment()
        .get_template("repeat.html")
        .render(
            r=repetition,
            free=repetition.free,
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


def values(series: Series, label: str) -> list[float]:
    """The finite values of a metric, in the order of the runs."""
    found = (run.values.get(label) for run in series.whole)
    return [v for v in found if isinstance(v, int | float) and math.isfinite(v)]


def plot(series: Series, label: str, shared: plots.Scale | None = None) -> Markup:
    """The distribution of a metric; empty where it has none."""
    summary = series.summary(label)
    if summary is None:
        return Markup("")
    return plots.distribution(values(series, label), summary, shared, axis=shared is None)


def common(repetition: Repetition, label: str) -> plots.Scale | None:
    """One scale for a metric in all series: that of the script as it is, and whatever lies out."""
    told = [series for series in repetition.series if series.role != "control"]
    return plots.scale([value for series in told for value in values(series, label)])


def share_scale(repetition: Repetition, label: str) -> plots.Scale:
    """One scale for all shares of a metric."""
    found = words.shares_of(repetition, label)
    ends = [share.interval.high for share in found if share.interval is not None]
    return plots.share_scale([*ends, *(share.share for share in found)])


@cache
def _environment() -> Environment:
    """That of the report, with the templates of this folder beside it."""
    base = html._environment()
    own = PackageLoader("nondet.report.repeat")
    report = base.loader or PackageLoader("nondet.report.page")
    environment = base.overlay(loader=ChoiceLoader([own, PrefixLoader({"report": report})]))
    environment.globals = {
        **base.globals,
        "say": words,
        "words": numbers,
        "plots": plots,
        "plot": plot,
        "common": common,
        "share_scale": share_scale,
        "most_results": MOST_RESULTS,
    }
    return environment


@cache
def _style() -> str:
    folder = resources.files("nondet.report.repeat")
    return folder.joinpath("assets/repeat.css").read_text(encoding="utf-8")
