"""What moments inside a step are called."""

from __future__ import annotations

import pytest

from nondet.record import Moment
from nondet.report.page import moments
from tests.report.inside import moment


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            moment(phase="state", layer="", tensor="dropout/seed_generator_state"),
            "the state of the seed generator `dropout/seed_generator_state`",
        ),
        (moment(phase="state", layer="", tensor="mae/total"), "the state `mae/total`"),
        (moment(phase="batch", layer="", tensor="x[image]"), "the batch `x[image]`"),
        (moment(phase="batch", layer="", tensor="input of net"), "the input of `net`"),
        (moment(phase="forward", layer="noise", tensor="output"), "the output of `noise`"),
        (moment(phase="forward", layer="a/b", tensor="input"), "the input of `a/b`"),
        (moment(phase="forward", layer="a", tensor="mask"), "`a/mask`"),
        (moment(phase="loss", layer="", tensor="loss"), "the loss"),
        (moment(phase="loss", layer="", tensor="head"), "the loss `head`"),
        (moment(), "the gradient of `conv2d_3/kernel`"),
        (moment(tensor="conv2d_3/kernel"), "the gradient of `conv2d_3/kernel`"),
        (moment(tensor="kernel (indices)"), "the gradient of `conv2d_3/kernel (indices)`"),
        (
            moment(tensor="gradient of its output"),
            "the gradient of the output of `conv2d_3`",
        ),
        (moment(phase="update"), "the update of `conv2d_3/kernel`"),
        (
            moment(phase="update", layer="", tensor="adam/kernel_momentum"),
            "the optimizer's state `adam/kernel_momentum`",
        ),
    ],
)
def test_a_moment_by_name(found: Moment, said: str) -> None:
    assert moments.thing(found) == moments.called(found) == said


def test_a_layer_that_is_called_twice() -> None:
    again = moment(phase="forward", layer="dense", tensor="output, call 2")
    assert moments.thing(again) == "the output of `dense`"
    assert moments.called(again) == "the output of `dense` (call 2)"
    assert moments.named(again) == ("output", "call 2")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Conv2D, float32, 3×3×32×32"),
        ({"op": "Conv2DBackpropFilter"}, "Conv2D, Conv2DBackpropFilter, float32, 3×3×32×32"),
        ({"kind": "", "shape": ()}, "float32, scalar"),
        ({"shape": (-1, 10)}, "Conv2D, float32, ?×10"),
        ({"kind": "", "dtype": "", "shape": ()}, ""),
    ],
)
def test_what_is_known_beside_the_name(changes: dict[str, object], said: str) -> None:
    found = moment(**changes)
    assert moments.facts(found) == said
    rest = said.removeprefix("Conv2D, ")
    assert moments.spec(found) == (f" ({rest})" if rest else "")


def test_the_first_that_differs() -> None:
    assert moments.first([moment(differs=False), moment(), moment()]) == 1
    assert moments.first([moment(differs=False)]) is None
