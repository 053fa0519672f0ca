"""What a graph of TensorFlow 1 leaves open, and that every write can be made to wait."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nondet.guest.graph_order import Order

tf = pytest.importorskip("tensorflow", reason="tensorflow is an extra")
v1 = tf.compat.v1
kinds = pytest.mark.parametrize("resource", [False, True], ids=["by reference", "by resource"])


@pytest.fixture(autouse=True)
def graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def variable(name: str, resource: bool, value: float = 1.0) -> Any:
    return v1.get_variable(name, initializer=tf.constant(value), use_resource=resource)


def left_open(*fetches: Any) -> list[tuple[str, str]]:
    """(variable, what may come before or after its write)"""
    order = Order([fetch.op for fetch in fetches])
    return [(found.name, other.name) for _, found, other in order.open()]


@kinds
def test_a_count_that_is_read_and_raised_in_one_step_is_open(resource: bool) -> None:
    count = variable("count", resource)
    rate = 1.0 / count.read_value() if resource else tf.raw_ops.Neg(x=count, name="rate")
    names = [name for name, _ in left_open(rate, count.assign_add(1.0))]
    assert names == ["count"]


@kinds
def test_a_write_that_depends_on_the_read_is_not(resource: bool) -> None:
    weight = variable("weight", resource)
    assert left_open(weight.assign(weight * 2.0)) == []


@kinds
def test_a_read_that_waits_for_the_write_is_not(resource: bool) -> None:
    count = variable("count", resource)
    with tf.control_dependencies([count.assign_add(1.0)]):
        after = count.read_value() + 1.0
    assert left_open(after) == []


def test_what_no_fetch_needs_is_not_looked_at() -> None:
    count = variable("count", False)
    count.assign_add(1.0)
    assert left_open(count.read_value() + 1.0) == []


def test_two_writes_of_one_variable_are_told_once() -> None:
    count = variable("count", False)
    assert left_open(count.assign_add(1.0), count.assign(3.0)) == [("count", "Assign")]


def two_layers() -> tuple[Any, list[Any]]:
    """A loss, and weights of which the later one is read by the earlier one's gradient."""
    first, second = variable("first", False), variable("second", False)
    loss = (first.read_value() * second.read_value() - 3.0) ** 2
    return loss, [first, second]


def updates(loss: Any, weights: list[Any]) -> list[Any]:
    """A step of gradient descent as Keras 2 puts it together."""
    gradients = tf.gradients(loss, weights)
    return [w.assign_sub(0.1 * g) for w, g in zip(weights, gradients, strict=True)]


def test_gradients_that_are_not_gated_are_open_and_those_of_tensorflow_are_not() -> None:
    loss, weights = two_layers()
    steps = updates(loss, weights)
    assert {name for name, _ in left_open(*steps)} == {"first", "second"}
    train = v1.train.GradientDescentOptimizer(0.1).minimize(loss, var_list=weights)
    assert [found.name for _, found, _ in Order([train]).open()] == []


def test_closed_nothing_is_open_and_a_step_computes_what_the_reads_before_it_give() -> None:
    loss, weights = two_layers()
    steps = updates(loss, weights)
    Order([step.op for step in steps]).close()
    assert left_open(*steps) == []
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        # Both gradients of (1 * 1 - 3)^2 are -4, whichever weight is written first.
        assert session.run(steps) == pytest.approx([1.4, 1.4])


def test_a_read_in_a_branch_that_is_not_taken_keeps_no_write_from_happening() -> None:
    v1.disable_control_flow_v2()
    try:
        weight = variable("weight", False)
        taken = v1.placeholder(tf.bool)
        value = v1.cond(taken, lambda: weight.read_value() * 2.0, lambda: tf.constant(5.0))
        update = weight.assign_add(1.0)
    finally:
        v1.enable_control_flow_v2()
    order = Order([value.op, update.op])
    assert [other.type for _, _, other in order.open()] == ["Merge"]
    order.close()
    assert left_open(value, update) == []
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        assert session.run([value, update], {taken: False}) == [5.0, 2.0]
        assert session.run([value, update], {taken: True}) == [4.0, 3.0]
