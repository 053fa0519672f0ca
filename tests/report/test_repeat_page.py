"""The page of a repetition as text: what it says, what it escapes, and that it loads nothing."""

from __future__ import annotations

import re

import pytest
from msgspec import structs

from nondet import repetition
from nondet.repetition import Interval, Repetition
from nondet.report import frame, html
from nondet.report.repeat import page, words
from tests.report import repeat_samples, samples
from tests.report.repeat_samples import EVIL
from tests.report.test_html import LOADING, Page, policy


def read(found: Repetition) -> Page:
    return Page(page.render(found))


@pytest.mark.parametrize("name", repeat_samples.ALL)
def test_every_sample_is_a_whole_page(name: str) -> None:
    found = read(repeat_samples.ALL[name]())
    assert found.said("verdict")
    ids = [known["id"] for _, known in found.elements if "id" in known]
    assert len(ids) == len(set(ids))
    links = {known["href"][1:] for tag, known in found.elements if tag == "a"}
    assert links <= set(ids)
    labelled = {k["aria-labelledby"] for _, k in found.elements if "aria-labelledby" in k}
    assert labelled <= set(ids)


@pytest.mark.parametrize("name", repeat_samples.ALL)
def test_it_loads_nothing_and_only_its_own_scripts_act(name: str) -> None:
    found = read(repeat_samples.ALL[name]())
    for _, known in found.elements:
        for attribute in LOADING & known.keys():
            assert known[attribute].startswith(("#", "data:image/svg+xml;base64,"))
        assert not any(attribute.startswith("on") for attribute in known)
        # The policy forbids these: a page that had some would look wrong.
        assert "style" not in known
    rules = policy(found)
    assert rules["default-src"] == ["'none'"]
    assert frame._hash(found.scripts[-1]) in rules["script-src"]


def test_what_comes_from_the_subject_is_text() -> None:
    text = page.render(repeat_samples.hostile())
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert len(re.findall("<script", text)) == 2
    assert "alert(1)" in read(repeat_samples.hostile()).texts["metrics"]
    assert EVIL.startswith("</script>")


@pytest.mark.parametrize("name", repeat_samples.ALL)
def test_the_record_is_read_back_and_gives_the_same_page(name: str) -> None:
    found = repeat_samples.ALL[name]()
    again = repetition.decode(repetition.encode(found))
    assert page.render(again) == page.render(found)


def test_metrics_as_a_table_and_as_plots() -> None:
    found = repeat_samples.all_different()
    metrics = read(found).texts["metrics"]
    loss = found.free.metrics[0]
    assert words.figure(loss.mean, words.digits(loss)) in metrics
    for value in (loss.min, loss.max, loss.percentiles["95"]):
        assert words.figure(value, words.digits(loss) - 1) in metrics
    assert words.interval(loss.sd_interval, 3) in metrics
    assert "30 of 30" in metrics
    assert len([k for _, k in read(found).elements if k.get("data-testid") == "distribution"]) == 2


def test_every_run_is_in_a_table_with_its_result() -> None:
    found = read(repeat_samples.few())
    for name in ("t01", "t30"):
        assert name in found.texts["runs"]
    assert "Result 3" in found.texts["results"]
    assert "6 runs" in found.texts["results"]


def test_runs_that_failed_are_told_with_their_logs() -> None:
    found = read(repeat_samples.failing())
    assert "ValueError: bad batch" in found.said("warnings")
    assert "crashed" in found.texts["runs"]
    assert "End of its error output" in found.texts["runs"]
    assert "1 x Infinity, 1 x NaN" in found.texts["metrics"]
    assert "1 without" in found.texts["metrics"]
    assert "10 of 12 runs, 2 failed" in found.said("ran")


def test_shares_with_their_intervals_and_the_sum() -> None:
    sample = repeat_samples.by_source()
    found = read(sample)
    shown = " ".join(found.texts["sources"].split())
    for share in sample.shares:
        assert f"{words.percent(share.share)} {words.percents(share.interval)}" in shown
    assert re.search(rf"Sum of the shares ?{words.percent(sample.sums['loss'])}", shown)
    assert "2 runs ended alike" in found.said("control")
    assert "need not add up to 100 %" in shown


def test_no_section_of_sources_where_none_was_asked() -> None:
    assert "sources" not in read(repeat_samples.few()).texts


def test_a_broken_script_has_its_traceback() -> None:
    found = read(repeat_samples.broken())
    assert "crash" in found.said("error")
    assert "Traceback no" in found.said("error")
    assert "metrics" not in found.texts


def test_the_report_of_a_diagnosis_is_not_changed_by_it() -> None:
    """Both use one environment of templates, with names of their own."""
    before = html.render(samples.one_cause())
    page.render(repeat_samples.few())
    assert html.render(samples.one_cause()) == before


# -- words


@pytest.mark.parametrize(
    ("part", "text"),
    [(0.0, "0 %"), (0.0004, "less than 0.1 %"), (0.051, "5.1 %"), (0.93, "93 %"), (1.4, "140 %")],
)
def test_percent(part: float, text: str) -> None:
    assert words.percent(part) == text


def test_an_interval_of_nothing_is_said_once() -> None:
    def said(low: float, high: float) -> str:
        return words.percents(Interval(low=low, high=high, method="bca"))

    assert said(1e-9, 2e-9) == "less than 0.1 %"
    assert said(0.4, 1.6) == "40 % to 160 %"
    assert words.percents(None) == "–"


def test_figures_have_the_digits_in_which_runs_differ() -> None:
    values: repeat_samples.Values = {
        "close": [0.98123456 + i * 1e-7 for i in range(10)],
        "wide": [float(i) for i in range(10)],
        "equal": [0.1234567] * 10,
    }
    close, wide, equal = repeat_samples.series(values, range(10)).metrics
    assert words.figure(close.percentiles["5"], words.digits(close)) == "0.981234605"
    assert words.digits(wide) == 4
    assert words.figure(equal.mean, words.digits(equal)) == "0.1235"


def test_the_command_can_be_given_again() -> None:
    sample = repeat_samples.by_source()
    assert words.command(sample, "--resume") == (
        "nondet repeat -n 30 --resume --by-source --from nondet-report train.py --data iris.csv"
    )
    module = structs.replace(sample.subject, module="pkg.train")
    sample = structs.replace(sample, subject=module, options=("-n", "9", "--python", "/envs/x"))
    assert words.command(sample, "--resume") == (
        "nondet repeat -n 9 --python /envs/x --resume -m pkg.train --data iris.csv"
    )
