"""Records of real diagnoses, as the pictures in the docs show them."""

from __future__ import annotations

import re

import pytest

from nondet.record import EXIT_CODES
from nondet.report import html
from nondet.report.page import bisection, stages, words
from tests.benchmarks.screenshots import IMAGES, PARTS, SUBJECTS
from tests.report import records
from tests.report.test_html import Page
from tests.test_docs import MACHINE

LARGEST = 250_000
"""Bytes of a picture in the docs."""


def test_every_verdict_but_unsure_has_a_record() -> None:
    assert set(SUBJECTS) == set(records.NAMES)
    verdicts = {records.read(name).verdict for name in records.NAMES}
    assert verdicts == set(EXIT_CODES) - {"unsure"}


@pytest.mark.parametrize("name", records.NAMES)
def test_it_makes_a_whole_page_and_names_no_machine(name: str) -> None:
    diagnosis = records.read(name)
    text = html.render(diagnosis)
    assert Page(text).said("verdict")
    assert len(text) < 400_000
    stored = records.path(name).read_text(encoding="utf-8")
    assert {place for place in MACHINE.findall(stored) if "/home/ada" not in place} == set()


@pytest.mark.parametrize("name", records.NAMES)
def test_every_cause_is_shown_by_two_of_the_questions(name: str) -> None:
    diagnosis = records.read(name)
    found = bisection.picture(diagnosis)
    proven = [factor for row in found.rows for factor, _ in row.causes]
    assert sorted(proven) == sorted(cause.factor for cause in diagnosis.causes)


@pytest.mark.parametrize("name", records.NAMES)
def test_what_was_released_is_cleared_by_one_of_the_questions(name: str) -> None:
    diagnosis = records.read(name)
    found = bisection.picture(diagnosis)
    released = {c.factor for c in diagnosis.cleared if c.why == "released-without-effect"}
    assert {factor for row in found.rows for factor in row.cleared} == released


@pytest.mark.parametrize("name", records.NAMES)
def test_every_trial_can_be_repeated_or_says_why_not(name: str) -> None:
    diagnosis = records.read(name)
    for trial in diagnosis.trials:
        assert bool(words.repeated(diagnosis, trial)) != bool(words.unrepeatable(diagnosis, trial))


def test_a_race_begins_inside_a_step() -> None:
    way = {stage.label: stage.tone for stage in stages.of(records.read("race"))}
    assert way["Initial weights"] == way["Batch"] == "same"
    assert "first" in (way["Forward"], way["Gradients"], way["Updates"])


def test_the_pictures_are_there_and_small() -> None:
    shown = {name for name in SUBJECTS if name != "race"} | {name for _, _, name in PARTS}
    assert {path.stem for path in IMAGES.glob("*")} == shown
    page = (IMAGES.parent / "report.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(images/([\w-]+)\.png\)", page)) == shown
    for path in IMAGES.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size < LARGEST
