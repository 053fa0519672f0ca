"""``nondet.metric``: what a script tells of its result, in a trial and outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.guest.running import guided, plain

TELLS = """
import nondet
import numpy as np
nondet.metric("score", 1)
nondet.metric("score", np.float32(0.5))
nondet.metric("array", np.array([[0.25]]))
nondet.metric("flag", True)
nondet.metric("lost", float("nan"))
nondet.metric("great", float("-inf"))
print("end")
"""
ODD = """
import nondet
import numpy as np
nondet.metric("text", "0.5")
nondet.metric("many", np.zeros(2))
nondet.metric("none", None)
nondet.metric("huge", 10 ** 400)
nondet.metric("after", 1.5)
"""


def test_the_values_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TELLS)
    shown = guided(tmp_path, "train.py")
    assert shown.visible == plain(tmp_path, "train.py").visible
    told = [(event["model"], *event["values"].items()) for event in shown.of("metric")]
    assert told == [
        ("", ("score", 1.0)),
        ("", ("score", 0.5)),
        ("", ("array", 0.25)),
        ("", ("flag", 1.0)),
        ("", ("lost", "NaN")),
        ("", ("great", "-Infinity")),
    ]
    assert shown.of("guest-error") == []


def test_what_is_no_number_is_reported_and_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(ODD)
    shown = guided(tmp_path, "train.py")
    assert shown.visible == plain(tmp_path, "train.py").visible
    assert [event["values"] for event in shown.of("metric")] == [{"after": 1.5}]
    errors = shown.of("guest-error")
    names = ["text", "many", "none", "huge"]
    assert [event["where"] for event in errors] == [f"nondet.metric({name!r})" for name in names]
    # Nothing that is compared is missing: the trial still counts.
    assert not any(event["lost"] for event in errors)


@pytest.mark.subject
def test_a_tensor_of_tensorflow(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import nondet\nimport tensorflow as tf\nnondet.metric('loss', tf.constant(0.75))\n"
    )
    assert [e["values"] for e in guided(tmp_path, "train.py").of("metric")] == [{"loss": 0.75}]
