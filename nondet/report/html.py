"""The HTML report: one self-contained file that loads nothing, as a pure function of a record."""

from __future__ import annotations

import json
from functools import cache

from jinja2 import Environment
from markupsafe import Markup

from nondet.record import Diagnosis, Trial
from nondet.report import frame
from nondet.report.page import (
    bisection,
    effects,
    listing,
    machines,
    matrices,
    moments,
    operations,
    spots,
    stages,
    step_maps,
    timeline,
    words,
    zooms,
)

STYLES = (
    "vendor/uPlot.min.css",
    "assets/report.css",
    "assets/charts.css",
    "assets/search.css",
    "assets/print.css",  # last, as it takes back what the others say
)
SCRIPTS = (
    "vendor/uPlot.iife.min.js",
    "assets/data.js",
    "assets/board.js",
    "assets/window.js",
    "assets/heatmap.js",
    "assets/growth.js",
    "assets/timeline.js",
    "assets/page.js",
)


def render(diagnosis: Diagnosis, folder: str = "") -> str:
    """The report as one HTML document; all text from the subject is escaped. `folder`: where the
    diagnosis lies, for the commands to copy; empty where it lies nowhere."""
    label, tone = words.verdict(diagnosis)
    trials = listing.listed(diagnosis)
    return frame.filled(
        _environment(),
        "report.html",
        tone,
        STYLES,
        SCRIPTS,
        d=diagnosis,
        folder=folder,
        label=label,
        charts=_json(_charts(diagnosis)),
        trials=trials,
        anchors={trial.id: f"trial-{place}" for place, trial in enumerate(trials, 1)},
        metrics=_metric_names(diagnosis.trials),
    )


@cache
def _environment() -> Environment:
    base = frame.report_environment()
    own = base.overlay()
    own.globals = {
        **base.globals,
        "spots": spots,
        "zooms": zooms,
        "moments": moments,
        "timeline": timeline,
        "step_maps": step_maps,
        "machines": machines,
        "matrices": matrices,
        "bisection": bisection,
        "effects": effects,
        "stages": stages,
        "operations": operations,
        "most_named": listing.MOST_NAMED,
    }
    return own


def _charts(diagnosis: Diagnosis) -> dict[str, dict[str, object]]:
    """What the page's scripts draw, by the name of its place in the page."""
    packed = {
        "zoom": [timeline.pack(found) for found in diagnosis.zooms],
        "steps": [step_maps.pack(found) for found in diagnosis.step_maps],
        "differences": [matrices.pack(found) for found in diagnosis.differences],
    }
    return {
        f"{kind}-{place}": _seen(chart)
        for kind, charts in packed.items()
        for place, chart in enumerate(charts)
    }


def _seen(chart: dict[str, object]) -> dict[str, object]:
    """A chart whose labels show what they hold: a canvas obeys the same marks as the page."""
    return {
        key: [frame.visible(item) for item in value] if isinstance(value, list) else value
        for key, value in chart.items()
    }


def _metric_names(trials: tuple[Trial, ...]) -> list[str]:
    """Every metric of any trial once, in the order first seen."""
    return list(dict.fromkeys(name for trial in trials for name in trial.metrics))


def _json(data: object) -> Markup:
    """JSON in ASCII that neither ends its script element nor breaks a line in it."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
