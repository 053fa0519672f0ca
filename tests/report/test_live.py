"""The live view: what it shows, that it fits, and that it leaves the terminal as it was."""

from __future__ import annotations

import io
import itertools
import random
import time
from collections.abc import Callable

import pytest
from rich.console import Console, Group

from nondet.host.watching import FactorState, Watcher
from nondet.report.live import Live, draw
from tests.report.console_samples import HOSTILE, NAMES, REPORT, feed, one_cause

SIZES = [(80, 24), (120, 40), (40, 10), (300, 100)]
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
STATES: tuple[FactorState, ...] = (
    "waiting",
    "not-tested",
    "not-exercised",
    "suspected",
    "cleared",
    "guilty",
    "shifts",
)


def terminal(width: int = 80, height: int = 24) -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        height=height,
        force_terminal=True,
        color_system="standard",
        legacy_windows=False,
        _environ={"TERM": "xterm"},
    )
    return console, stream


def view(live: Live, width: int = 80, height: int = 24, now: float = 100.0) -> list[str]:
    """The view as lines without colour."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, height=height, color_system=None)
    console.print(Group(*draw(live._scene, now, width, height)))
    return stream.getvalue().splitlines()


def fed(width: int = 80, height: int = 24) -> tuple[Live, io.StringIO]:
    console, stream = terminal(width, height)
    live = Live(console, clock=lambda: 96.0)
    feed(live)
    return live, stream


def test_it_shows_question_trials_factors_and_time() -> None:
    text = "\n".join(view(fed()[0]))
    for part in (
        "nondet  train.py  output in nondet-report",
        "Is python-random alone enough?",
        "pinned: python-random   free: all else",
        "4 of 8 checkpoints  0:08",
        "5 checkpoints",
        "guilty         python-random  free: t01, t02 part",
        "shifts         cpu-threads",
        "cleared        shuffle",
        "not exercised  hash-seed",
        "not tested     device",
        "waiting        numpy-global",
        "0:04   about 1 min left   2 trials done   Ctrl-C: stop and report",
    ):
        assert part in text
    assert "no GPU here" in "\n".join(view(fed()[0], 120, 40)), "room for all evidence"


def test_answers_and_messages_stay_above() -> None:
    console, stream = terminal()
    with Live(console) as live:
        feed(live)
    text = stream.getvalue()
    for part in ("DIVERGES", "Does it repeat as it is?", "runs part before training", "2.1 GB"):
        assert part in text


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("state", STATES)
def test_it_fits_whatever_the_states(width: int, height: int, state: FactorState) -> None:
    live, _ = fed()
    live.opened("long-name-of-a-script/" * 20, "o" * 200, 8)
    live.question("long question " * 40, NAMES, NAMES, 6)
    for number in range(12):
        live.trial_started(f"t{number:02d}", "")
    for name in NAMES:
        live.factor(name, name, state, "evidence " * 40)
    lines = view(live, width, height)
    assert max(map(len, lines)) <= width
    if height >= 24:
        assert len(lines) <= height - 5, "answers stay in sight above"


def test_it_fits_with_every_state_at_once() -> None:
    live, _ = fed()
    for name, state in zip(NAMES, itertools.cycle(STATES), strict=False):
        live.factor(name, name, state, "evidence " * 40)
    assert len(view(live)) <= 19


def test_the_height_holds_still_while_trials_come_and_go() -> None:
    live, _ = fed()
    before = len(view(live))
    live.trial_ended("t03", "completed", 9.0, "agrees with t01")
    assert len(view(live)) == before
    assert any("t03 completed after 9.0 s: agrees with t01" in line for line in view(live))
    live.trial_ended("t04", "completed", 9.0, "")
    assert len(view(live)) == before


def test_time_goes_on_by_itself() -> None:
    live, _ = fed()
    assert "about 1 min left" in view(live, now=100)[-1]
    assert "about 15 s left" in view(live, now=156)[-1]
    assert "nearly done" in view(live, now=900)[-1]
    live.remaining(None)
    assert "left" not in view(live)[-1]


def test_hostile_text_does_nothing() -> None:
    console, stream = terminal(300, 60)
    with Live(console) as live:
        live.opened(HOSTILE, HOSTILE, 1)
        live.question(HOSTILE, (HOSTILE,), (HOSTILE,), 1)
        live.trial_started(HOSTILE, HOSTILE)
        live.factor(HOSTILE, HOSTILE, "guilty", HOSTILE)
        live.answered(HOSTILE, HOSTILE, HOSTILE)
        live.message(HOSTILE)
        live._live.refresh()
        live.trial_ended(HOSTILE, HOSTILE, 1.0, HOSTILE)
        live._live.refresh()
    text = stream.getvalue()
    assert "\x1b[31mc" not in text and "\x9b" not in text and "\u202e" not in text
    assert text.count("[red]a\\nb\\x1b[31mc\\x9b2J\\u202e\\udc80.py") > 8
    text.encode("utf-8")


def calls(watcher: Watcher) -> list[Callable[[], None]]:
    return [
        lambda: watcher.opened("train.py", "out", 2),
        lambda: watcher.question("Why?", ("a",), ("b",), 3),
        lambda: watcher.trial_started("t01", "Why?"),
        lambda: watcher.trial_progress("t01", 9, 8, 1.0),
        lambda: watcher.trial_progress("t02", 0, 0, 1.0),
        lambda: watcher.trial_progress("t03", 0, None, -1.0),
        lambda: watcher.trial_ended("t01", "crashed", 1.0, ""),
        lambda: watcher.answered("Why?", "BROKEN", ""),
        lambda: watcher.factor("a", "A", "guilty", ""),
        lambda: watcher.factor("a", "A", "no-such-state", ""),  # type: ignore[arg-type]
        lambda: watcher.message(""),
        lambda: watcher.remaining(float("nan")),
        lambda: watcher.remaining(0.0),
        lambda: watcher.closed(one_cause(), REPORT),
    ]


def test_calls_are_taken_in_any_order() -> None:
    generator = random.Random(1)
    for _ in range(20):
        live = Live(terminal()[0])
        order = calls(live)
        generator.shuffle(order)
        for call in order:
            call()
            assert view(live)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_the_terminal_is_restored(error: type[BaseException]) -> None:
    console, stream = terminal()
    with pytest.raises(error), Live(console) as live:
        feed(live)
        raise error
    text = stream.getvalue()
    assert text.count(HIDE) == 1 and text.rindex(SHOW) > text.rindex(HIDE)
    assert not [line for line in text[text.rindex(SHOW) :].splitlines() if "nondet" in line]


def test_closing_takes_the_view_away_once() -> None:
    console, stream = terminal()
    with Live(console) as live:
        feed(live)
        live.closed(one_cause(), REPORT)
        written = len(stream.getvalue())
        time.sleep(0.3)
        assert len(stream.getvalue()) == written
    assert stream.getvalue().count(SHOW) == 1


def test_what_is_provoked_is_shown_in_place_of_what_is_free() -> None:
    live, _ = fed()
    live.question("Does clock part the runs?", ("tf-seed",), NAMES, 3, ("clock",))
    (line,) = [line for line in view(live) if "provoked:" in line]
    assert "provoked: clock" in line
    assert "pinned: tf-seed" in line
    assert "free:" not in line
