"""What probes showed of a machine, in words, in the terminal and as a page."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from nondet.machines import Probed, Probing, decode_probing, encode
from nondet.record import RecordError
from nondet.report.machine import console, page, words
from tests.report.probing_samples import MIXED, probed, probing

LIVE, QUIET = probed("op_determinism", "live"), probed("control_seeded", "quiet", factors=())


def screen(found: Probing, width: int = 100) -> str:
    out = io.StringIO()
    console.print_probing(Console(file=out, width=width), found, "d/probing.html")
    return out.getvalue()


@pytest.mark.parametrize(
    ("found", "label", "tone"),
    [
        (probing(LIVE, QUIET), "1 of 1 live", "warn"),
        (probing(LIVE, probed("x", "quiet"), QUIET), "1 of 2 live", "warn"),
        (probing(QUIET), "All quiet", "good"),
        (probing(probed("cudnn", "skipped")), "Nothing known", "warn"),
        (probing(), "Nothing known", "warn"),
        (probing(LIVE, probed("control_seeded", "live")), "Not to be trusted", "bad"),
    ],
)
def test_the_finding(found: Probing, label: str, tone: str) -> None:
    assert words.label(found) == (label, tone)
    assert words.sentence(found) in " ".join(screen(found, 500).split())


@pytest.mark.parametrize(
    ("one", "often", "where", "apart", "held"),
    [
        (LIVE, "4 in 4 runs", "step 3, dense/kernel", "2.5e-6 relative, 114 ulp", "3 runs agree"),
        (QUIET, "6 equal runs", "not known", "not known", "not asked"),
        (
            probed("x", "live", held="parts", max_ulp=None, max_rel=None, first=None),
            "4 in 4 runs", "not known", "not known", "runs still differ (3 runs)",
        ),
        (
            probed("x", "live", held="", max_ulp=20_000),
            "4 in 4 runs", "step 3, dense/kernel", "2.5e-6 relative", "not known",
        ),
    ],
)  # fmt: skip
def test_cells(one: Probed, often: str, where: str, apart: str, held: str) -> None:
    assert words.often(one) == often
    assert words.where(one) == where
    assert words.apart(one) == apart
    assert words.held(one) == held


def test_a_pin_that_does_not_hold_is_pointed_out() -> None:
    assert "cpu_threads" in words.note(MIXED)
    assert words.note(probing(LIVE)) == ""


def test_the_screen_has_all_of_it() -> None:
    text = screen(MIXED)
    for probe in MIXED.probes:
        assert probe.probe in text
    assert "skipped cudnn: needs a GPU" in text
    assert text.rstrip().endswith("Page: d/probing.html")
    assert "\x1b" not in text


def test_lines_while_it_runs() -> None:
    out = io.StringIO()
    with console.Lines(3, out) as lines:
        lines.message("op_determinism: SGD's scatter-add races")
        lines.run_started("t01", "Do its runs differ?")
        lines.probed(probing(LIVE))
        lines.probed(probing(LIVE, probed("cudnn", "skipped")))
    assert out.getvalue() == (
        "1 of 3  op_determinism: live, 4 in 4 runs, pinned: 3 runs agree\n"
        "2 of 3  cudnn: skipped, needs a GPU\n"
    )


def test_the_bar_tells_what_is_run() -> None:
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, width=120)
    with console.Bar(2, terminal) as bar:
        bar.message("op_determinism: SGD's scatter-add races")
        bar.run_started("t03", "How often?")
        bar.progress.refresh()
        bar.probed(probing(LIVE))
    assert "op_determinism, run 3: How often?" in out.getvalue()
    assert "op_determinism: live, 4 in 4 runs" in out.getvalue()


def test_the_page_has_each_group_once_and_shows_hostile_text() -> None:
    text = page.render(MIXED)
    assert re.findall(r'data-testid="(live|quiet|broken|skipped|unsure)"', text) == [
        "live", "quiet", "broken", "skipped",
    ]  # fmt: skip
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31m" in text
    assert "http://" not in text and "https://" not in text


def test_the_page_links_every_section() -> None:
    text = page.render(MIXED)
    linked = set(re.findall(r'<li><a href="#([\w-]+)"', text))
    assert linked == set(re.findall(r'<section id="([\w-]+)"', text))


def test_the_record_comes_back() -> None:
    assert decode_probing(encode(MIXED)) == MIXED


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"schema": 99}', b'{"schema": 1}'])
def test_what_is_no_record(data: bytes) -> None:
    with pytest.raises(RecordError):
        decode_probing(data)
