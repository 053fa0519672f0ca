"""Numbers and labels of a repetition as people read them; shared by terminal and page."""

from __future__ import annotations

import math
import shlex

from nondet.repetition import Interval, Kind, Repetition, Series, Share, Summary
from nondet.report.page import words

LABELS: dict[Kind, tuple[str, str]] = {
    "none": ("Nothing to tell", "bad"),
    "too-few": ("Too few runs to tell", "warn"),
    "one": ("One result", "good"),
    "few": ("A few results", "warn"),
    "many": ("Many results", "warn"),
    "all-different": ("All different", "warn"),
}
ORIGINS = {"history": "History", "metric": "nondet.metric", "pattern": "its output"}


def label(repetition: Repetition) -> tuple[str, str]:
    """The finding in two or three words, and its tone."""
    if repetition.error is not None:
        return "Broken", "bad"
    return LABELS[repetition.free.kind]


def digits(summary: Summary) -> int:
    """Significant digits at which the spread still shows: two of the deviation, four at least."""
    size = max((abs(v) for v in (summary.min, summary.max) if v is not None), default=0.0)
    if not summary.sd or not size:
        return 4
    return min(15, max(4, math.ceil(math.log10(size) - math.log10(summary.sd)) + 2))


def figure(value: float | None, places: int = 4) -> str:
    """A figure, or a dash where there is none."""
    return "–" if value is None else words.number(float(value), places)


def interval(found: Interval | None, places: int = 4) -> str:
    """``0.31 to 0.46``, or a dash where there is none."""
    if found is None:
        return "–"
    return f"{figure(found.low, places)} to {figure(found.high, places)}"


def span(summary: Summary) -> str:
    """The 5th to the 95th percentile."""
    if not summary.percentiles:
        return "–"
    places = digits(summary)
    low, high = summary.percentiles["5"], summary.percentiles["95"]
    return f"{figure(low, places)} to {figure(high, places)}"


def value(given: float | str | None, summary: Summary | None) -> str:
    """One run's value of a metric."""
    if given is None or isinstance(given, str):
        return given or ""
    return figure(given, max(6, digits(summary) if summary else 0))


def origin(summary: Summary) -> str:
    """Where a metric is from: ``History of sequential``, ``nondet.metric``, ``its output``."""
    text = ORIGINS[summary.origin]
    return f"{text} of {summary.model}" if summary.model else text


def left_out(summary: Summary) -> str:
    """Runs that are in none of the metric's figures; empty when all are."""
    parts = [f"{count} x {word}" for word, count in summary.not_finite.items()]
    if summary.missing:
        parts.append(f"{summary.missing} without")
    return ", ".join(parts)


def some_left_out(series: Series) -> bool:
    """Whether any metric of a series has runs that are in none of its figures."""
    return any(left_out(summary) for summary in series.metrics)


def distinct(summary: Summary) -> str:
    """``30 of 30``: how many different values there are."""
    return f"{summary.distinct} of {summary.count}"


def percent(part: float) -> str:
    """A share: ``93 %``, ``0.4 %``, ``less than 0.1 %``."""
    value = 100 * part
    if 0 < value < 0.1:
        return "less than 0.1 %"
    return f"{value:.0f} %" if value >= 9.5 else f"{value:.1f} %".replace(".0 %", " %")


def percents(found: Interval | None) -> str:
    """A share's interval: ``55 % to 140 %``."""
    if found is None:
        return "–"
    low, high = percent(found.low), percent(found.high)
    return low if low == high else f"{low} to {high}"


def shared(repetition: Repetition) -> list[str]:
    """Labels of the metrics of which there are shares."""
    return list(dict.fromkeys(found.metric for found in repetition.shares))


def shares_of(repetition: Repetition, metric: str) -> list[Share]:
    """The shares of a metric, the largest first."""
    found = [share for share in repetition.shares if share.metric == metric]
    return sorted(found, key=lambda share: -share.share)


def share_of(repetition: Repetition, factor: str, metric: str) -> Share | None:
    """A source's share of a metric."""
    return next((s for s in shares_of(repetition, metric) if s.factor == factor), None)


def control(repetition: Repetition) -> str:
    """Whether the pins hold, as a sentence."""
    runs = next((len(s.whole) for s in repetition.series if s.role == "control"), 0)
    if repetition.holds is None:
        return "Whether the pins hold together is not known: too few runs with all sources pinned."
    if repetition.holds:
        return f"With all sources pinned, {words.plural(runs, 'run')} ended alike."
    return (
        "With all sources pinned, runs still part: something else varies as well, and every share "
        "holds a part of it."
    )


def ran(series: Series) -> str:
    """``30 of 30 runs``."""
    failed = f", {len(series.failed)} failed" if series.failed else ""
    return f"{len(series.whole)} of {words.plural(series.asked, 'run')}{failed}"


def took(repetition: Repetition) -> str:
    """``30 runs in 2 min; one takes 8.1 s``, with how many are of earlier sessions."""
    cost = repetition.cost
    earlier = f" ({cost.earlier} of them earlier)" if cost.earlier else ""
    return (
        f"{words.plural(cost.runs, 'run')}{earlier} in {words.duration(cost.wall_seconds)}; one "
        f"takes {words.duration(cost.single_run_seconds)}"
    )


def level(repetition: Repetition) -> str:
    return f"{100 * repetition.bootstrap.level:g} %"


def command(repetition: Repetition, *options: str) -> str:
    """The command line that repeats the same subject."""
    subject = repetition.subject
    if repetition.options:
        there = (*repetition.options, *options, *subject.named, *subject.args)
        return shlex.join(["nondet", "repeat", *there])
    asked = str(repetition.free.asked or 30)
    patterns = [word for text in repetition.patterns for word in ("--pattern", text)]
    sources = [series.factor for series in repetition.series if series.role == "source"]
    by_source: list[str] = []
    if repetition.diagnosis:
        by_source = ["--by-source", "--from", repetition.diagnosis]
    elif sources:
        by_source = ["--sources", ",".join(sources)]
    given = ["-n", asked, *options, *patterns, *by_source, *subject.named, *subject.args]
    return shlex.join(["nondet", "repeat", *given])
