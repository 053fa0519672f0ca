"""The page of a repetition: one self-contained file that loads nothing, made from its record."""

from __future__ import annotations

import math
from functools import cache

from jinja2 import Environment
from markupsafe import Markup

from nondet.repetition import Repetition, Series
from nondet.report import frame
from nondet.report.repeat import plots, words

STYLES = ("assets/report.css", "assets/charts.css", "nondet.report.repeat:assets/repeat.css")
SCRIPTS = ("assets/data.js", "assets/page.js")
MOST_RESULTS = 12
"""Distinct results shown one by one."""


def render(repetition: Repetition) -> str:
    """The page as one HTML document; all text from the subject is escaped."""
    label, tone = words.label(repetition)
    return frame.filled(
        _environment(),
        "repeat.html",
        tone,
        STYLES,
        SCRIPTS,
        r=repetition,
        free=repetition.free,
        label=label,
        anchors={},
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
    return frame.environment(
        "nondet.report.repeat",
        say=words,
        plots=plots,
        plot=plot,
        common=common,
        share_scale=share_scale,
        most_results=MOST_RESULTS,
    )
