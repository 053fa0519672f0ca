"""The HTML report: one self-contained file that loads nothing, as a pure function of a record."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from nondet.record import Diagnosis, Trial
from nondet.report.page import (
    bisection,
    effects,
    matrices,
    moments,
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

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# C0 controls but tab and newline, C1 controls, Unicode's own line ends, and the marks that reorder
# text on the screen, with which a log line or a path could be made to read as what it is not.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def render(diagnosis: Diagnosis) -> str:
    """The report as one HTML document; all text from the subject is escaped."""
    label, tone = words.verdict(diagnosis)
    style, script = _assets(STYLES), _assets(SCRIPTS)
    return (
        _environment()
        .get_template("report.html")
        .render(
            d=diagnosis,
            label=label,
            tone=tone,
            policy=_policy(style, script),
            style=Markup(style),  # our own files, not the subject's text
            script=Markup(script),
            icon=_icon(tone),
            charts=_json(_charts(diagnosis)),
            anchors={trial.id: f"trial-{place}" for place, trial in enumerate(diagnosis.trials, 1)},
            sections=[],  # filled by each section as it is written, read by the navigation
            metrics=_metric_names(diagnosis.trials),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("nondet.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(words=words, spots=spots, zooms=zooms, moments=moments)
    environment.globals.update(timeline=timeline, step_maps=step_maps, matrices=matrices)
    environment.globals.update(bisection=bisection, effects=effects, stages=stages)
    environment.filters.update(log=_log, plural=_plural, prose=_prose)
    return environment


def _visible(value: object) -> object:
    """Text with every control character made visible; other values and own markup as they are."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _UNSEEN.sub(_written_out, value.replace("\r\n", "\n"))


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
        key: [_visible(item) for item in value] if isinstance(value, list) else value
        for key, value in chart.items()
    }


def _written_out(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def _prose(text: str) -> Markup:
    """A sentence whose words in backticks are code, as the record's own texts write them."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(_visible(text)))))


def _log(text: str) -> str:
    """A log as a terminal leaves it: no colour codes, each line as last rewritten."""
    lines = _ANSI.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(re.split(r"[\r\b]+", line.rstrip("\r\b"))[-1] for line in lines)


def _plural(count: int, one: str, many: str = "") -> str:
    return words.plural(count, one, many)


def _metric_names(trials: tuple[Trial, ...]) -> list[str]:
    """Every metric of any trial once, in the order first seen."""
    return list(dict.fromkeys(name for trial in trials for name in trial.metrics))


def _json(data: object) -> Markup:
    """JSON in ASCII that neither ends its script element nor breaks a line in it."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _policy(style: str, script: str) -> str:
    """Content-Security-Policy: nothing is loaded, and only our own style and script act."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _icon(tone: str) -> Markup:
    colour = {"good": "#2d6a4f", "bad": "#b0472a", "warn": "#8a6914"}[tone]
    image = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
        f'<path d="M2 8h5l6-5M7 8l6 5" fill="none" stroke="{colour}" stroke-width="2"/></svg>'
    )
    return Markup(f"data:image/svg+xml;base64,{base64.b64encode(image.encode()).decode()}")


@cache
def _assets(names: tuple[str, ...]) -> str:
    folder: Traversable = resources.files("nondet.report.page")
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)
