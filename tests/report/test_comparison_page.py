"""The page of `nondet diff`."""

from __future__ import annotations

import re

import pytest

from nondet.report.contrast import page, words
from tests.report import comparison_samples as samples


@pytest.mark.parametrize(
    ("name", "label", "tone"),
    [
        ("agree", "They agree", "good"),
        ("part", "They part", "bad"),
        ("unlike", "Not the same", "warn"),
    ],
)
def test_the_finding(name: str, label: str, tone: str) -> None:
    assert words.label(samples.ALL[name]) == (label, tone)
    assert f'<span class="state">{label}</span>' in page.render(samples.ALL[name])


@pytest.mark.parametrize("name", samples.ALL)
def test_the_page_links_every_section_and_loads_nothing(name: str) -> None:
    text = page.render(samples.ALL[name])
    linked = set(re.findall(r'<li><a href="#([\w-]+)"', text))
    assert linked == set(re.findall(r'<section id="([\w-]+)"', text))
    assert "http://" not in text and "https://" not in text


def test_all_that_was_found_is_there() -> None:
    text = page.render(samples.PARTED)
    assert "First: epoch 1 of m" in text and "At the end: epoch 4 of m" in text
    assert "12,000" in text and "25.0%" in text and "2e-6" in text
    assert "in B <code>m/other/bias</code>" in text
    assert "And 1 more tensor." in text
    assert "only the second has epoch 5" in text
    assert text.index("TF_ENABLE_ONEDNN_OPTS") < text.index("1 more difference, of which nothing")
    assert "Nothing that was recorded around them differs" not in text


def test_runs_with_nothing_between_them() -> None:
    text = page.render(samples.ALL["agree"])
    assert "Nothing that was recorded around them differs" in text
    assert "Where they part" not in text


def test_hostile_text_is_shown_and_not_obeyed() -> None:
    text = page.render(samples.ALL["hostile"])
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert(1)") >= 8
    assert ' onmouseover="' not in text
    assert "\x1b" not in text
