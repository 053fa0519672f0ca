"""The comparison of two runs as people read it; shared by terminal and page."""

from __future__ import annotations

from collections.abc import Iterator

from nondet.report.page import words
from nondet.runs import Comparison, Parting, RecordedRun


def label(found: Comparison) -> tuple[str, str]:
    """The finding in a few words, and its tone."""
    if found.agree:
        return "They agree", "good"
    return ("They part", "bad") if found.first is not None else ("Not the same", "warn")


def place(parting: Parting) -> str:
    if parting.checkpoint == "user":
        return parting.label
    return f"{parting.label} of {parting.model}"


def count(parting: Parting) -> str:
    verb = "differs" if parting.differing == 1 else "differ"
    return f"{parting.differing} of {words.plural(parting.tensors, 'tensor')} {verb}"


def value(metric: float | str | None, none: str) -> str:
    """A metric's value, which is text where it is not finite."""
    if metric is None:
        return none
    return metric if isinstance(metric, str) else words.number(metric, 10)


def surroundings(run: RecordedRun) -> Iterator[tuple[str, str]]:
    """(label, text) of what a run had around it."""
    facts, environment = run.facts, run.facts.environment
    yield "System", environment.platform
    yield "Processor", f"{environment.cpu}, {words.plural(facts.threads, 'core')} to use"
    driver = f", driver {environment.driver}" if environment.driver else ""
    yield "GPU", (", ".join(environment.gpus) or "none") + driver
    yield "Python", environment.python
    imported = ", ".join(f"{name} {version}" for name, version in facts.frameworks.items())
    yield "Imported", imported or "no framework"
    variables = ", ".join(f"{name}={value}" for name, value in facts.variables.items())
    yield "Variables", variables or "none of those that libraries read"
    if run.pins:
        held = ", ".join(f"{name} {arm}" for name, arm in run.pins.items())
        yield "Held", f"{held}, from the seed {run.seed}"
