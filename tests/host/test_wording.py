"""The sentences of a diagnosis."""

from __future__ import annotations

import pytest

from nondet import record
from nondet.guest.factors import by_name
from nondet.host import wording
from nondet.search.questions import Finding


def cause(factor: str, *details: str) -> record.Cause:
    sites = tuple(
        record.Site(file="train.py", line=line, function="f", detail=detail)
        for line, detail in enumerate(details, 5)
    )
    return record.Cause(factor=factor, title="", sites=sites)


@pytest.mark.parametrize(
    ("factor", "details", "said"),
    [
        (
            "hash-seed",
            ("iterates over a set", "hash()"),
            "the order of a set changes with Python's hash seed (train.py:5)",
        ),
        (
            "hash-seed",
            ("hash()", "hash()"),
            "the value of `hash()` changes with Python's hash seed (train.py:5)",
        ),
        ("hash-seed", (), "the order of a set changes with Python's hash seed"),
        (
            "addresses",
            ("id()",),
            "the value of `id()` changes with the place of an object in memory (train.py:5)",
        ),
        ("clock", ("time.time",), f"{by_name('clock').because} (train.py:5)"),
        (
            "tf-seed",
            ("an unseeded tf.random.Generator",),
            "a `tf.random.Generator` is made without a seed (train.py:5)",
        ),
        ("tf-seed", ("tf.random (Shuffle)",), "TensorFlow's global seed is not set (train.py:5)"),
        (
            "python-random",
            ("random.Random() without a seed",),
            "a `random.Random` is made without a seed (train.py:5)",
        ),
    ],
)
def test_a_cause_is_worded_by_what_was_seen_at_its_line(
    factor: str, details: tuple[str, ...], said: str
) -> None:
    assert wording.because(cause(factor, *details)) == said


@pytest.mark.parametrize(
    ("message", "end"),
    [
        ("ValueError: expected 8 values. Got (16,) instead.", "Got (16,) instead."),
        ("ValueError: oh", "oh."),
        ("AssertionError: really?", "really?"),
        ("it ended with exit code 1", "code 1."),
    ],
)
def test_a_message_has_one_full_stop(message: str, end: str) -> None:
    error = record.Failure(slug="script-failed", message=message)
    said = wording.summary(Finding("broken"), (), None, error, False)
    assert said.endswith(end)
    # The page tells the message by itself where the summary does not hold it.
    assert message in said


@pytest.mark.parametrize("detail", ["time.time", "time.monotonic", "datetime.now"])
def test_no_fixed_number_is_advised_for_a_clock_that_measures(detail: str) -> None:
    """A loop that waits for its time to pass would never end."""
    written = [text for start, text in by_name("clock").edits if detail.startswith(start)]
    assert "where it measures, count steps" in written[0]
