"""Finding parameters in what functions of JAX take and give: tests, run by test_pytrees.py."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from nondet.guest.without_keras import pytrees

jax = pytest.importorskip("jax", reason="JAX is an extra")

PARAMS = {"a": np.ones((2, 3), "float32"), "b": np.ones(3, "float32")}


class Moments(NamedTuple):
    mean: Any


Moments.__module__ = "optax._src.transform"


def found(tree: Any, *built: Any) -> list[str]:
    shapes = [pytrees.shape_of(each) for each in built or (PARAMS,)]
    return [path for path, _ in pytrees.find(tree, shapes)]


def test_parameters_are_found_wherever_they_are() -> None:
    assert found(PARAMS) == [""]
    assert found((1.0, {"params": PARAMS, "more": [PARAMS]})) == ["1/more/0", "1/params"]
    assert found({"a": PARAMS["a"]}) == []


def test_other_shapes_and_moments_of_optimizers_are_none() -> None:
    assert found({"a": PARAMS["a"], "b": np.ones(4, "float32")}) == []
    assert found({"a": PARAMS["a"], "b": np.ones(3, "float64")}) == []
    assert found((Moments(PARAMS), PARAMS)) == ["1"]


def test_several_kinds_of_parameters_are_found_in_one_result() -> None:
    other = [np.zeros(1, "float32")]
    assert found((PARAMS, other, 2.0), PARAMS, other) == ["0", "1"]


def test_parameters_that_are_built_alike_but_for_their_shapes_are_told_apart() -> None:
    other = {"a": np.ones((4, 3), "float32"), "b": np.ones(3, "float32")}
    assert found((PARAMS, other), PARAMS, other) == ["0", "1"]
    assert found((PARAMS, other), other) == ["1"]


class Variable:
    """As Keras has it, in a tree of JAX' a leaf."""

    def __init__(self, value: Any) -> None:
        self.value, self.dtype, self.shape = value, str(value.dtype), value.shape


Variable.__module__ = "keras.src.backend.jax.core"


def test_variables_of_keras_stand_for_their_values() -> None:
    given = {name: Variable(value) for name, value in PARAMS.items()}
    ((path, part),) = pytrees.find(([given], 1.0), [pytrees.shape_of(PARAMS)])
    assert path == "0/0"
    assert all(part[name] is value for name, value in PARAMS.items())


def test_leaves_have_the_names_that_are_known() -> None:
    def names(*parts: str) -> list[str]:
        known = {"x": ("k", "l"), "z": ("m", "n")}
        rows = [(part, [part, part]) for part in parts]
        return [p for p, _ in pytrees.named_leaves(rows, lambda part: known.get(part[0], ()))]

    assert names("x") == ["k", "l"]
    assert names("x", "z") == ["k", "l", "m", "n"]
    assert names("x", "y") == ["x/k", "x/l", "y/0", "y/1"]


def test_paths_say_what_tells_parts_apart() -> None:
    def names(*paths: str) -> list[str]:
        return [path for path, _ in pytrees.named_leaves([(path, [1, 2]) for path in paths])]

    assert names("0/params") == ["0", "1"]
    assert names("0/0/params", "0/0/mean") == ["params/0", "params/1", "mean/0", "mean/1"]
    assert [path for path, _ in pytrees.named_leaves([("", 1)])] == ["value"]


def test_what_a_call_takes_and_gives_back_is_carried() -> None:
    given = ((PARAMS, np.ones(4)), {"state": [np.ones(2)]})
    carried = pytrees.carried(given, (np.ones(()), PARAMS, [np.zeros(2)]))
    assert [path for path, _ in carried] == ["1", "2"]
    assert [path for path, _ in pytrees.carried(given, PARAMS)] == [""]
    assert pytrees.carried(given, (None, "text")) == []


def test_only_arrays_with_values_are_concrete() -> None:
    seen = []

    def traced(x: Any) -> Any:
        seen.append(pytrees.concrete([x]))
        return x

    jax.make_jaxpr(traced)(1.0)
    assert seen == [False]
    assert pytrees.concrete({"a": jax.numpy.ones(2)})
    assert pytrees.concrete([np.ones(2)])
    assert not pytrees.concrete([1.0])


def test_memory_that_was_given_away_is_told() -> None:
    given = jax.numpy.ones(2)
    assert not pytrees.deleted([given, np.ones(2)])
    given.delete()
    assert pytrees.deleted([np.ones(2), given])


def test_keys_have_no_bits_to_be_read() -> None:
    assert [
        pytrees.readable(leaf) for leaf in (jax.random.key(1), jax.numpy.ones(2), np.ones(2))
    ] == [
        False,
        True,
        True,
    ]
