"""Progress as lines, for what is no terminal."""

from __future__ import annotations

import io
import itertools

from nondet.host.watching import Watcher
from nondet.report.plain import Plain, elapsed, estimate, several, shown, shown_lines
from tests.report.console_samples import HOSTILE, REPORT, feed, looked_into, one_cause


def fed(*, hostile: bool = False) -> list[str]:
    stream = io.StringIO()
    ticks = itertools.count(step=1.3)
    watcher = Plain(stream, clock=lambda: next(ticks))
    with watcher:
        feed(watcher)
        if hostile:
            watcher.opened(HOSTILE, HOSTILE, 1)
            watcher.question(HOSTILE, (HOSTILE,), (HOSTILE,), 1)
            watcher.trial_ended(HOSTILE, HOSTILE, 1.0, HOSTILE)
            watcher.answered(HOSTILE, HOSTILE, HOSTILE)
            watcher.factor(HOSTILE, HOSTILE, "guilty", HOSTILE)
            watcher.message(HOSTILE)
        watcher.closed(one_cause(), REPORT)
    return stream.getvalue().splitlines()


def test_the_lines_of_a_diagnosis() -> None:
    assert [line.partition("] ")[2] for line in fed()] == [
        "diagnosing train.py, output in nondet-report, 2 trials side by side",
        "factor device: not tested: no GPU here",
        "question: Does it repeat as it is? (pinned: nothing; up to 6 trials)",
        "trial t01: completed after 8.9 s",
        "trial t02: stopped-early after 2.0 s: parts from t01 at init, dense/kernel",
        "answer: Does it repeat as it is? DIVERGES: runs part before training",
        "factor python-random: guilty: free: t01, t02 part",
        "factor shuffle: cleared: free in t03 and t04, which agree",
        "factor cpu-threads: shifts: another result, the same each time",
        "note: the working folder is 2.1 GB: trials run in place",
        "question: Is python-random alone enough? (pinned: python-random; up to 6 trials)",
        f"done: causes found (10 trials); see {REPORT}",
    ]


def test_lines_begin_with_the_seconds_elapsed() -> None:
    assert fed()[0].startswith("[  1.3s] ")
    assert fed()[-1].startswith("[ 15.6s] ")


def test_a_state_is_said_once() -> None:
    stream = io.StringIO()
    watcher: Watcher = Plain(stream)
    for _ in range(3):
        watcher.factor("dropout", "Dropout", "cleared", "free in t03")
    assert len(stream.getvalue().splitlines()) == 1


def test_no_escape_codes_and_no_broken_lines() -> None:
    text = "\n".join(fed(hostile=True))
    assert "\x1b" not in text and "\u202e" not in text and "\x9b" not in text
    assert all(line.startswith("[") for line in text.split("\n"))
    text.encode("utf-8")


def test_an_encoding_that_lacks_a_letter() -> None:
    raw = io.BytesIO()
    watcher = Plain(io.TextIOWrapper(raw, encoding="ascii"))
    watcher.message("caf\u00e9")
    assert raw.getvalue().endswith(b"note: caf\\xe9\n"), "written and flushed"


def test_a_closed_stream_ends_the_telling_only() -> None:
    stream = io.StringIO()
    watcher = Plain(stream)
    stream.close()
    watcher.message("nobody")
    watcher.message("listens")


def test_shown() -> None:
    assert shown("plain \u00e9 \u4e2d\u00a0x") == "plain \u00e9 \u4e2d\u00a0x"
    assert shown("a\tb\u2028c\x85") == "a\\tb\\u2028c\\x85"
    assert shown_lines("a\r\n\tb\x1b") == ["a", "    b\\x1b"]


def test_several() -> None:
    assert several((), 10) == ""
    assert several(("a", "b"), 10) == "a, b"
    assert several(("alpha", "beta", "gamma"), 17) == "alpha and 2 more"
    assert several(("a-very-long-name",), 4) == "a-very-long-name"


def test_what_differs_first_inside_a_step_is_said_before_the_end() -> None:
    stream = io.StringIO()
    with Plain(stream) as watcher:
        watcher.closed(looked_into(), REPORT)
    lines = [line.partition("] ")[2] for line in stream.getvalue().splitlines()]
    assert lines[0].startswith(
        "looked into: At step 17, the gradient of conv2d_3/kernel is the first thing that differs"
    )
    assert lines[0].endswith("Conv2D's backward pass computes it (float32, 3x3x32x32).")
    assert lines[1].startswith("looked into: In 3 of 5 pairs of runs, the gradient of")
    assert lines[-1].startswith("done: ")


def test_times() -> None:
    assert [elapsed(s) for s in (-1, 7.9, 75, 3750)] == ["0:00", "0:07", "1:15", "1:02:30"]
    assert estimate(2) == "nearly done"
    assert estimate(33) == "about 35 s left"
    assert estimate(100) == "about 2 min left"
    assert estimate(float("inf")) == "time left unknown"


def test_what_is_provoked_is_told_apart_from_what_is_pinned() -> None:
    stream = io.StringIO()
    with Plain(stream, clock=lambda: 0.0) as watcher:
        watcher.question("Does clock part the runs?", (), ("tf-seed",), 3, ("clock",))
        watcher.question("And now?", ("tf-seed",), (), 3, ("clock", "hash-seed"))
    assert [line.partition("] ")[2] for line in stream.getvalue().splitlines()] == [
        "question: Does clock part the runs? (provoked: clock; up to 3 trials)",
        "question: And now? (pinned: tf-seed; provoked: clock, hash-seed; up to 3 trials)",
    ]
