"""What the taps in TensorFlow's graphs tell of a tensor, in each way that they take its digest."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytest

from nondet.guest.inside.scene import Moment
from nondet.guest.inside.tensorflow_taps import LARGE, TensorFlowTaps, large

tf = pytest.importorskip("tensorflow", reason="tensorflow is an extra")

SMALL = 5
BIG = LARGE // 4


@pytest.fixture
def taps() -> TensorFlowTaps:
    return TensorFlowTaps(types.SimpleNamespace(open=True))


def tapped(taps: TensorFlowTaps, **options: Any) -> Any:
    """A compiled function of which one tensor is looked at."""

    def double(x: Any) -> Any:
        y = x + x
        taps.record(y, Moment("forward", "output"))
        return y

    return tf.function(double, autograph=False, **options)


def told(taps: TensorFlowTaps) -> list[str]:
    return [digest for _, digest in taps.gather()]


def values(size: int) -> Any:
    return np.linspace(1, 2, size, dtype="float32")


def with_one_bit(array: Any, place: int) -> Any:
    other = array.copy()
    other.view("uint32")[place] ^= 1
    return other


@pytest.mark.parametrize("size", [0, 1, SMALL, BIG])
@pytest.mark.parametrize("xla", [False, True])
def test_equal_bits_give_one_digest(taps: TensorFlowTaps, size: int, xla: bool) -> None:
    double = tapped(taps, jit_compile=xla)
    double(values(size))
    once = told(taps)
    double(values(size))

    assert len(once) == 1
    assert told(taps) == once


@pytest.mark.parametrize("size", [1, SMALL, BIG])
@pytest.mark.parametrize("xla", [False, True])
def test_one_bit_gives_another(taps: TensorFlowTaps, size: int, xla: bool) -> None:
    double = tapped(taps, jit_compile=xla)
    double(values(size))
    once = told(taps)
    for place in {0, size // 2, size - 1}:
        double(with_one_bit(values(size), place))
        assert told(taps) not in ([], once)


def test_the_sign_of_zero_counts(taps: TensorFlowTaps) -> None:
    double = tapped(taps)
    double(np.zeros(1, "float32"))
    once = told(taps)
    double(-np.zeros(1, "float32"))

    assert told(taps) != once


def test_calls_of_one_step_are_told_as_one(taps: TensorFlowTaps) -> None:
    double = tapped(taps)
    double(values(SMALL))
    once = told(taps)
    double(values(SMALL))
    double(with_one_bit(values(SMALL), 2))
    both = told(taps)
    double(with_one_bit(values(SMALL), 2))
    double(values(SMALL))

    assert len(both) == 1
    assert both != once
    assert told(taps) == both


def test_what_was_not_run_is_not_told(taps: TensorFlowTaps) -> None:
    one, other = tapped(taps), tapped(taps)
    one(values(SMALL))
    other(values(SMALL))
    assert len(told(taps)) == 2
    one(values(SMALL))
    assert len(told(taps)) == 1
    assert told(taps) == []


def test_a_large_tensor_costs_nothing_while_the_gate_is_closed(taps: TensorFlowTaps) -> None:
    double = tapped(taps)
    double(values(BIG))
    once = told(taps)
    taps.scene.open = False
    taps.turn(False, None)
    double(values(BIG))
    assert told(taps) == []
    taps.scene.open = True
    taps.turn(True, None)
    double(values(BIG))
    assert told(taps) == once


def test_a_tap_is_of_few_operations(taps: TensorFlowTaps) -> None:
    """A model of 500 layers has thousands of them."""
    spec = tf.TensorSpec([None, 16])
    without = tf.function(lambda x: x + x).get_concrete_function(spec)
    graph = tapped(taps).get_concrete_function(spec).graph

    assert len(graph.get_operations()) - len(without.graph.get_operations()) <= 12


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [
        ([LARGE // 4], "float32", True),
        ([LARGE // 4 - 1], "float32", False),
        ([LARGE // 8], "float64", True),
        ([None, LARGE], "float32", False),
        (None, "float32", False),
    ],
)
def test_large_is_what_is_known_to_be(
    shape: list[int | None] | None, dtype: str, expected: bool
) -> None:
    assert large(tf.TensorSpec(shape, dtype)) is expected
