from __future__ import annotations

import functools
import importlib.util
import itertools
import json
import math
import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from nondet.guest import device_digests
from nondet.guest.device_digests import ALL, FACTORS, ODD, PIECES, SALT, finish, numpy_lanes
from tests.guest.device_lanes import CASES, Case, Told, kind
from tests.guest.running import environment

pytest.importorskip("ml_dtypes", reason="it comes with TensorFlow, and with JAX")

ARRAYS = st.builds(
    Case,
    st.sampled_from(list(PIECES)),
    npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
).map(Case.array)
WORDS = npst.arrays("uint32", st.integers(1, 300))


def integers(lanes: NDArray[np.uint32]) -> list[int]:
    return [int(lane) for lane in lanes]


# -- the definition, and NumPy


def mixed(word: int) -> int:
    word ^= word >> 16
    word = word * FACTORS[0] & ALL
    word ^= word >> 15
    word = word * FACTORS[1] & ALL
    return word ^ word >> 15


def defined(array: NDArray[Any]) -> list[int]:
    """The lanes as the module's docstring defines them, in Python's integers."""
    bits, size = array.tobytes(), PIECES[array.dtype.name]
    words = [int.from_bytes(bits[at : at + size], "little") for at in range(0, len(bits), size)]
    return [
        sum(mixed(word ^ mixed((i * odd + salt) & ALL)) for i, word in enumerate(words)) & ALL
        for odd, salt in zip(ODD, SALT, strict=True)
    ]


@given(ARRAYS)
def test_numpy_follows_the_definition_in_blocks_of_any_size(array: NDArray[Any]) -> None:
    expected = defined(array)
    assert integers(numpy_lanes(array)) == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device_digests, "BLOCK", 5)
        assert integers(numpy_lanes(array)) == expected


@given(ARRAYS)
def test_neither_layout_nor_byte_order_counts(array: NDArray[Any]) -> None:
    expected = integers(numpy_lanes(array))
    assert integers(numpy_lanes(array.copy(order="F"))) == expected
    assert integers(numpy_lanes(np.repeat(array[..., None], 2, -1)[..., 0])) == expected
    if array.dtype.kind in "iufc":
        swapped = array.byteswap().view(array.dtype.newbyteorder())
        assert integers(numpy_lanes(swapped)) == expected


def test_digests_stay_what_they_are() -> None:
    """They are compared with those of other versions."""
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    lanes = numpy_lanes(array)
    assert integers(lanes) == [333825864, 3200497923]
    assert finish(lanes, "float32", array.shape).hex() == "71c2e512cc389fc3"


# -- what a digest tells apart


def test_each_bit_of_a_word_changes_every_bit_by_half_a_chance() -> None:
    words = np.random.default_rng(1).integers(0, 1 << 32, 1 << 14, dtype=np.uint32)
    mix = device_digests.unsigned().mix
    for bit in range(32):
        changes = mix(words.copy()) ^ mix(words ^ np.uint32(1 << bit))
        shares = [float(np.mean(changes >> np.uint32(at) & 1)) for at in range(32)]
        # Six standard deviations, for 1024 shares.
        assert max(abs(share - 0.5) for share in shares) < 3 / math.sqrt(words.size)


@given(WORDS, st.data())
def test_one_bit_changes_both_lanes(words: NDArray[np.uint32], data: st.DataObject) -> None:
    changed = words.copy()
    place = data.draw(st.integers(0, words.size - 1))
    changed[place] ^= np.uint32(1 << data.draw(st.integers(0, 31)))
    # `mix` is a bijection: that it changes is certain, not likely.
    assert (numpy_lanes(changed) != numpy_lanes(words)).all()


@given(WORDS, st.data())
def test_two_words_that_change_places_change_the_digest(
    words: NDArray[np.uint32], data: st.DataObject
) -> None:
    places = st.integers(0, words.size - 1)
    one, other = data.draw(places), data.draw(places)
    changed = words.copy()
    changed[[one, other]] = words[[other, one]]
    same = words[one] == words[other]
    assert np.array_equal(numpy_lanes(changed), numpy_lanes(words)) == same


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16", "float64", "float8_e4m3fn"])
def test_signs_that_flip_in_pairs_don_t_cancel(name: str) -> None:
    array = np.linspace(0.5, 1, 64).astype(kind(name))
    pairs = [[], *map(list, itertools.combinations(range(64), 2))]
    found = set()
    for pair in pairs:
        flipped = array.copy()
        flipped[pair] = -flipped[pair]
        found.add(tuple(integers(numpy_lanes(flipped))))
    assert len(found) == len(pairs)


def test_each_single_bit_has_lanes_of_its_own() -> None:
    flat = np.zeros((64 * 32, 64), np.uint32)
    flat[np.arange(64 * 32), np.repeat(np.arange(64), 32)] = np.tile(1 << np.arange(32), 64)
    lanes = {tuple(integers(numpy_lanes(row))) for row in flat}
    assert len(lanes) == len(flat)


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("float32", 0x00000000, 0x80000000),
        ("float32", 0x7FC00000, 0x7FC00001),
        ("bfloat16", 0x7FC0, 0x7FC1),
        ("float8_e5m2", 0x7D, 0x7E),
    ],
)
def test_negative_zero_and_nan_payloads_count(name: str, one: int, other: int) -> None:
    bits = np.array([one, other], f"u{kind(name).itemsize}").view(kind(name))
    assert not np.array_equal(numpy_lanes(bits[:1]), numpy_lanes(bits[1:]))


@given(ARRAYS)
def test_shape_and_dtype_count(array: NDArray[Any]) -> None:
    lanes, name = numpy_lanes(array), array.dtype.name
    digest = finish(lanes, name, array.shape)
    assert len(digest) == 8
    assert finish([int(lanes[0]) - (1 << 32), int(lanes[1])], name, array.shape) == digest
    assert finish(lanes[::-1], name, array.shape) != digest or lanes[0] == lanes[1]
    shapes = [(1, *array.shape), (array.size, 1, 1, 1), (11, *array.shape)]
    others = {finish(lanes, name, shape) for shape in shapes}
    others |= {finish(lanes, other, array.shape) for other in PIECES if other != name}
    assert digest not in others
    assert len(others) == len({*shapes}) + len(PIECES) - 1


@pytest.mark.parametrize(
    "array",
    [
        np.array([object()]),
        np.array(["text"]),
        np.zeros(2, "f4,i4"),
        np.zeros(2, np.longdouble),
        np.zeros(2, kind("int4")),
        np.zeros(2, "datetime64[s]"),
    ],
    ids=lambda array: str(array.dtype),
)
def test_what_has_no_such_bits_is_refused(array: NDArray[Any]) -> None:
    with pytest.raises(TypeError, match="no digest of dtype .*: expected bool, int8"):
        numpy_lanes(array)


# -- the frameworks


@functools.lru_cache
def told(framework: str) -> Told:
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is an extra")
    done = subprocess.run(
        [sys.executable, "-m", "tests.guest.device_lanes", framework],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Told(**json.loads(done.stdout))


def expected(case: Case, blind: bool) -> list[int]:
    """NumPy's lanes; `blind` to which NaN of one sign it is."""
    array = case.array()
    return integers(numpy_lanes(array.astype(np.float16).astype(array.dtype) if blind else array))


# In one worker, which has all that a process of each framework tells.
pytestmark = [pytest.mark.subject, pytest.mark.xdist_group("device digests")]
in_each = pytest.mark.parametrize("framework", ["tensorflow", "jax", "torch"])


@pytest.mark.parametrize(
    "framework", [pytest.param("tensorflow", marks=pytest.mark.long), "jax", "torch"]
)
def test_each_way_gives_the_lanes_of_numpy(framework: str) -> None:
    """Of random bits: in each dtype, and in shapes of nothing, of one block and of several."""
    cases = {str(case): case for case in CASES}
    wrong = []
    for way, lanes in told(framework).lanes.items():
        for name, found in lanes.items():
            case = cases[name]
            graph = framework == "tensorflow" and way not in ("eager", "variable")
            blind = graph and case.dtype == "float8_e5m2"
            if found != expected(case, blind):
                wrong.append((way, name))
    assert wrong == []
    assert {name for lanes in told(framework).lanes.values() for name in lanes} == set(cases)


@in_each
def test_gradients_are_the_same_beside_a_digest(framework: str) -> None:
    for gradient in told(framework).effects["gradients"]:
        assert gradient == [2, 4]


@in_each
def test_what_has_no_such_bits_is_refused_there_too(framework: str) -> None:
    refusals = told(framework).effects["refused"]
    assert refusals
    assert [text for text in refusals if not text.startswith("no digest of ")] == []


@in_each
def test_python_and_numpy_draw_what_they_would_have_drawn(framework: str) -> None:
    drawn = [random.Random(5).random(), float(np.random.RandomState(5).random())]
    assert told(framework).effects["drawn after"] == drawn


def test_tensorflow_draws_what_it_would_have_drawn() -> None:
    """Its operations without a seed get theirs by counting, in a graph and outside."""
    effects = told("tensorflow").effects
    eager, graph = effects["drawn without"]
    assert effects["drawn with digests"] == [eager, eager, graph, graph]
    # Three draws and one after, each of its own.
    assert [len({str(one) for one in drawn}) for drawn in (eager, graph)] == [4, 4]


def test_tensorflow_has_nothing_to_keep() -> None:
    """No variable, no generator, nothing that runs on its own account."""
    assert told("tensorflow").effects["stateful"] == []


def test_tensorflow_has_a_kernel_for_gpus_for_each_operation() -> None:
    effects = told("tensorflow").effects
    if not effects["has kernels for GPUs"]:
        pytest.skip("this build of TensorFlow has no kernels for GPUs")
    assert effects["without a kernel for GPUs"] == []


def test_autograph_leaves_the_code_alone() -> None:
    assert told("tensorflow").effects["callers"] == [device_digests.__file__]


def test_jax_compiles_it_into_one_pass_over_the_tensor() -> None:
    effects = told("jax").effects
    assert effects["temporary bytes"] < 1 << 16
    assert effects["x64"] is False


def test_torch_draws_what_it_would_have_drawn() -> None:
    assert told("torch").effects["generator kept"] is True
