"""A repetition in the terminal: its summary, and what is shown while it runs."""

from __future__ import annotations

import io

import pytest
from msgspec import structs
from rich.console import Console

from nondet.host.watching import Watcher
from nondet.repetition import Repetition
from nondet.report.repeat import words
from nondet.report.repeat.console import print_summary
from nondet.report.repeat.progress import Bars, Lines
from tests.report import repeat_samples

REPORT = "nondet-repeat/repeat.html"


def printed(found: Repetition, width: int = 80) -> str:
    stream = io.StringIO()
    print_summary(Console(file=stream, width=width, color_system=None), found, REPORT)
    return stream.getvalue()


@pytest.mark.parametrize("name", [n for n in repeat_samples.ALL if n != "hostile"])
def test_it_fits_one_screen(name: str) -> None:
    lines = printed(repeat_samples.ALL[name]()).splitlines()
    assert len(lines) <= 23, "80x24 less the line of the prompt"
    assert max(len(line.rstrip()) for line in lines) <= 80


@pytest.mark.parametrize("width", [20, 80, 200])
@pytest.mark.parametrize("name", repeat_samples.ALL)
def test_every_kind_prints_at_every_width(name: str, width: int) -> None:
    text = printed(repeat_samples.ALL[name](), width)
    assert REPORT in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_figures_and_shares() -> None:
    sample = repeat_samples.by_source()
    text = printed(sample)
    loss = sample.free.metrics[0]
    row = next(line for line in text.splitlines() if line.startswith("loss"))
    assert words.figure(loss.mean, words.digits(loss)) in row
    assert words.interval(loss.mean_interval, words.digits(loss)) in row
    for share in sample.shares:
        row = next(line for line in text.splitlines() if f"only {share.factor} free" in line)
        assert words.percent(share.share) in row
    assert "sum" in text
    assert "2 runs ended alike" in text


def test_pins_that_don_t_hold_are_said() -> None:
    sample = structs.replace(repeat_samples.by_source(), holds=False)
    assert "something else varies as well" in " ".join(printed(sample).split())


def test_how_often_each_result_came() -> None:
    assert "Results      3, in 14, 10, 6 runs" in printed(repeat_samples.few())
    assert "Results" not in printed(repeat_samples.all_different())


def test_what_is_in_no_figure() -> None:
    text = printed(repeat_samples.failing())
    assert "loss: 1 x Infinity, 1 x NaN; not in these figures" in text
    assert "2 of 12 runs failed" in text


def test_how_to_go_on() -> None:
    sample = repeat_samples.few()
    free = structs.replace(sample.free, asked=40)
    short = structs.replace(sample, series=(free,), interrupted=True)
    text = printed(short)
    assert "Interrupted" in text
    assert "nondet repeat -n 40 --resume train.py --data iris.csv" in text
    assert "Next" not in printed(sample)


def test_exit_codes() -> None:
    few = repeat_samples.few()
    assert few.exit_code == 0
    assert repeat_samples.failing().exit_code == 4
    assert repeat_samples.broken().exit_code == 5
    assert structs.replace(few, interrupted=True).exit_code == 130


# -- while it runs


def feed(watcher: Watcher) -> None:
    watcher.opened("train.py", "nondet-repeat", 2)
    watcher.message("resumed: 3 runs")
    watcher.question("[red]the script as it is", (), (), 30)
    watcher.trial_started("t04", "")
    watcher.trial_progress("t04", 1, 2, 0.5)
    watcher.trial_ended("t04", "completed", 8.1, "")
    watcher.trial_ended("t05", "crashed", 2.0, "ValueError: \x1b[31mno")
    watcher.remaining(60.0)
    watcher.question("all sources pinned", ("a",), (), 2)
    watcher.trial_ended("t06", "stopped-early", 1.0, "interrupted")


def test_lines() -> None:
    stream = io.StringIO()
    feed(Lines(stream, clock=lambda: 0.0))
    lines = [line.partition("] ")[2] for line in stream.getvalue().splitlines()]
    assert lines == [
        "repeating train.py, output in nondet-repeat, 2 runs side by side",
        "note: resumed: 3 runs",
        "[red]the script as it is: 30 runs",
        "trial t04: completed after 8.1 s",
        "trial t05: crashed after 2.0 s: ValueError: \\x1b[31mno",
        "all sources pinned: 2 runs",
        "trial t06: stopped-early after 1.0 s: interrupted",
    ]


def test_bars() -> None:
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=100,
        force_terminal=True,
        legacy_windows=False,
        _environ={"TERM": "xterm"},
    )
    with Bars(console) as bars:
        feed(bars)
        bars._progress.refresh()
        tasks = [(t.description, t.completed, t.total) for t in bars._progress.tasks]
    assert tasks == [(r"\[red]the script as it is", 2, 30), ("all sources pinned", 0, 2)]
    text = stream.getvalue()
    assert "ValueError: \\x1b[31mno" in text
    assert "[red]the script as it is" in text
    assert "resumed: 3 runs" in text
