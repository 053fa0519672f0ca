"""Distances against an oracle that knows values, not bits: ml_dtypes reads them, and the place of a
number among its format's is found by `frexp`."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
import textwrap
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nondet.host import byte_formats, differences, machine, measures
from nondet.host.differences import EQUAL, NOTHING, Distance

MEBIBYTE = 1 << 20
LAYOUTS = {
    "float16": (10, -14, "uint16"),
    "bfloat16": (7, -126, "uint16"),
    "float32": (23, -126, "uint32"),
    "float64": (52, -1022, "uint64"),
}
"""Bits of the fraction, the least exponent of a normal number, and an integer of the same width."""
MINIFLOATS = sorted(byte_formats.MINIFLOATS)
INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


# -- the oracle


def kind(dtype: str) -> np.dtype[Any]:
    return np.dtype(getattr(ml_dtypes, dtype, dtype))


def wide(a: NDArray[Any]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # A signalling NaN becomes a quiet one.
        return a.astype(np.float64)


def codes_of(dtype: str) -> NDArray[np.uint8]:
    """All that a format of one byte uses."""
    bits = byte_formats.INTEGERS[dtype][0] if dtype in byte_formats.INTEGERS else 8
    if dtype in byte_formats.MINIFLOATS:
        bits = 1 + sum(byte_formats.MINIFLOATS[dtype][:2])
    return np.arange(1 << bits, dtype=np.uint8)


@cache
def sorted_values(dtype: str) -> list[float]:
    table = wide(codes_of(dtype).view(kind(dtype)))
    return sorted(set(table[~np.isnan(table)].tolist()))


def place(value: float, dtype: str) -> int:
    """How many representable values a float is away from zero, with its sign."""
    if dtype not in LAYOUTS:
        return sorted_values(dtype).index(value)
    fraction, least, _ = LAYOUTS[dtype]
    mantissa, exponent = math.frexp(abs(value))
    if math.isinf(value):
        steps = 3 - 2 * least << fraction  # As if it were the next power of two.
    elif not value or exponent - 1 < least:
        steps = int(math.ldexp(mantissa, exponent - least + fraction))
    else:
        steps = (exponent - 1 - least << fraction) + int(math.ldexp(mantissa, fraction + 1))
    return -steps if value < 0 else steps


def expected(a: NDArray[Any], b: NDArray[Any], dtype: str) -> Distance:
    """Element by element."""
    size = a.dtype.itemsize
    differs = [x != y for x, y in zip(pieces(a, size), pieces(b, size), strict=True)]
    if not any(differs):
        return EQUAL
    x, y = wide(a).tolist(), wide(b).tolist()
    apart = [(p, q) for p, q, d in zip(x, y, differs, strict=True) if d]
    gaps: list[float] | None = None
    relative: list[float] = []
    if all(math.isfinite(p) and math.isfinite(q) for p, q in apart):
        gaps = [abs(p - q) for p, q in apart]
        larger = [max(abs(p), abs(q)) for p, q in apart]
        relative = [gap / most if most else 0.0 for gap, most in zip(gaps, larger, strict=True)]
    steps = None
    if not any(math.isnan(p) or math.isnan(q) for p, q in apart):
        steps = max(abs(place(p, dtype) - place(q, dtype)) for p, q in apart)
    norms = math.hypot(*x), math.hypot(*y)
    cosine = None
    if all(1e-140 <= norm <= 1e150 for norm in norms):
        cosine = math.fsum(p / norms[0] * (q / norms[1]) for p, q in zip(x, y, strict=True))
    return Distance(
        max_abs=finite(max(gaps)) if gaps is not None else None,
        mean_abs=finite(math.fsum(gaps) / len(x)) if gaps is not None else None,
        max_rel=finite(max(relative)) if gaps is not None else None,
        mean_rel=finite(math.fsum(relative) / len(x)) if gaps is not None else None,
        max_ulp=steps,
        share=sum(differs) / len(x),
        cosine=cosine,
    )


def pieces(a: NDArray[Any], size: int) -> list[bytes]:
    raw = a.tobytes()
    return [raw[start : start + size] for start in range(0, len(raw), size)]


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def near(found: Distance, wanted: Distance) -> None:
    """The same, but for the rounding of sums."""
    for name in ("max_abs", "max_rel", "max_ulp", "share"):
        assert getattr(found, name) == getattr(wanted, name), name
    for name in ("mean_abs", "mean_rel", "cosine"):
        one, other = getattr(found, name), getattr(wanted, name)
        assert (one is None) == (other is None), name
        if one is not None:
            assert one == pytest.approx(other, rel=1e-12, abs=1e-12 * (name == "cosine")), name


# -- what is tested


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Distance]:
    store = tmp_path_factory.mktemp("values")

    def measure(a: NDArray[Any], b: NDArray[Any], dtype: str) -> Distance:
        (store / "a").write_bytes(a.tobytes())
        (store / "b").write_bytes(b.tobytes())
        return differences.distance(store, "a", "b", dtype)

    return measure


Measured = Callable[..., Distance]


def edges(dtype: str) -> NDArray[Any]:
    """Both signs of zero, the subnormals at their ends, the normals at theirs, and all that is no
    number, with two codes of NaN where there are as many."""
    if dtype in byte_formats.MINIFLOATS:
        exponent, fraction, _, _ = byte_formats.MINIFLOATS[dtype]
        width, integer = exponent + fraction, "uint8"
    else:
        fraction, _, integer = LAYOUTS[dtype]
        width = np.dtype(integer).itemsize * 8 - 1
    top = (1 << width) - 1
    infinity = top - (1 << fraction) + 1
    least_normal, one_less = 1 << fraction, (1 << width - 1) - (1 << fraction)
    magnitudes = [0, 1, 2, least_normal - 1, least_normal, least_normal + 1, one_less, one_less + 1]
    magnitudes += [infinity - 1, infinity, infinity + 1, top - 1, top]
    codes = sorted({m | sign << width for m in magnitudes for sign in (0, 1)})
    return np.array(codes, integer).view(kind(dtype))


@pytest.mark.parametrize("dtype", [*LAYOUTS, *MINIFLOATS])
def test_edges_in_pairs(dtype: str, measured: Measured) -> None:
    values = edges(dtype)
    for a, b in itertools.product(values, repeat=2):
        one, other = np.array([a]), np.array([b])
        near(measured(one, other, dtype), expected(one, other, dtype))


@pytest.mark.parametrize("dtype", sorted(byte_formats.NAMES - {"bool"}))
def test_every_code_of_a_byte_against_every_other(dtype: str, measured: Measured) -> None:
    codes = codes_of(dtype)
    numbers = codes[np.isfinite(wide(codes.view(kind(dtype))))]
    for code in numbers[:: max(1, numbers.size // 16)]:
        one, other = np.full_like(numbers, code).view(kind(dtype)), numbers.view(kind(dtype))
        near(measured(one, other, dtype), expected(one, other, dtype))


@pytest.mark.parametrize("block", [100, measures.BLOCK])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_all_numbers_of_16_bits_against_others(
    dtype: str, block: int, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "BLOCK", block)
    codes = np.arange(1 << 16, dtype=np.uint16)
    codes = codes[np.isfinite(wide(codes.view(kind(dtype))))]
    others = np.random.default_rng(1).permutation(codes)
    one, other = codes.view(kind(dtype)), others.view(kind(dtype))
    near(measured(one, other, dtype), expected(one, other, dtype))


@pytest.mark.parametrize("dtype", LAYOUTS)
@settings(max_examples=60)
@given(data=st.data())
def test_any_bits(dtype: str, data: st.DataObject, measured: Measured) -> None:
    integer = LAYOUTS[dtype][2]
    codes = st.integers(0, int(np.iinfo(integer).max))
    pairs = data.draw(st.lists(st.tuples(codes, codes), min_size=1, max_size=20))
    keep = data.draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))
    a = np.array([p for p, _ in pairs], integer)
    b = np.array([p if same else q for (p, q), same in zip(pairs, keep, strict=True)], integer)
    a, b = a.view(kind(dtype)), b.view(kind(dtype))
    near(measured(a, b, dtype), expected(a, b, dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(value=st.floats(-(2.0**100), 2.0**100, width=32), steps=st.integers(0, 50))
def test_ulp_counts_the_steps_of_a_walk(
    dtype: str, value: float, steps: int, measured: Measured
) -> None:
    here = there = kind(dtype).type(value)
    for _ in range(steps):
        there = np.nextafter(there, kind(dtype).type(np.inf))
    found = measured(np.array([here]), np.array([there]), dtype)
    assert found.max_ulp == steps


def test_ulp_goes_through_zero_and_needs_one_bit_more(measured: Measured) -> None:
    for dtype, (fraction, _, _) in LAYOUTS.items():
        tiny, infinity = np.array([1], LAYOUTS[dtype][2]), np.array([math.inf]).astype(kind(dtype))
        least = tiny.view(kind(dtype))
        assert measured(-least, least, dtype).max_ulp == 2
        exponents = {"float16": 31, "bfloat16": 255, "float32": 255, "float64": 2047}[dtype]
        assert measured(-infinity, infinity, dtype).max_ulp == 2 * (exponents << fraction)


def test_what_is_farther_than_all_before_is_found(
    measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block holds a pair one step farther apart across zero, or an infinity on one side."""
    monkeypatch.setattr(measures, "BLOCK", 100)
    a = np.ones(1000, "float32")
    b = -a
    found = [measured(a, b, "float32").max_ulp]
    for index in range(150, 1000, 100):
        a[index], b[index] = np.nextafter(a[index - 100], np.float32(2)), b[index - 100]
        found.append(measured(a, b, "float32").max_ulp)
    assert found == [2 * place(1.0, "float32") + step for step in range(10)]
    a[999] = math.inf
    assert measured(a, b, "float32").max_ulp == place(math.inf, "float32") + place(1.0, "float32")


# -- what has no number


@pytest.mark.parametrize("dtype", [*LAYOUTS, "float8_e5m2", "float8_e4m3"])
def test_infinity_and_nan(dtype: str, measured: Measured) -> None:
    def found(a: list[float], b: list[float]) -> Distance:
        return measured(np.array(a).astype(kind(dtype)), np.array(b).astype(kind(dtype)), dtype)

    same = found([math.inf, math.nan, 1.0, 1.0], [math.inf, math.nan, 1.5, 1.0])
    assert (same.max_abs, same.mean_abs, same.share, same.cosine) == (0.5, 0.125, 0.25, None)
    infinite = found([math.inf, 1.0], [1.0, 1.0])
    assert infinite.max_abs is infinite.mean_abs is infinite.max_rel is infinite.mean_rel is None
    assert infinite.max_ulp is not None and infinite.max_ulp > 0
    assert infinite.share == 0.5
    undefined = found([math.nan, 1.0], [1.0, 1.0])
    assert undefined == Distance(share=0.5)


def test_nan_of_another_payload_differs(measured: Measured) -> None:
    a, b = np.array([0x7FC00000, 0], "uint32"), np.array([0x7FC00001, 0], "uint32")
    assert measured(a, b, "float32") == Distance(share=0.5)


def test_zeros_of_both_signs_differ_and_are_0_apart(measured: Measured) -> None:
    found = measured(np.array([-0.0, 2.0]), np.array([0.0, 2.0]), "float64")
    assert found == Distance(0.0, 0.0, 0.0, 0.0, 0, 0.5, 1.0)
    assert measured(np.array([-0.0]), np.array([0.0]), "float64").cosine is None


def test_what_exceeds_float64_has_no_number(measured: Measured) -> None:
    found = measured(np.array([1.7e308, 1.0]), np.array([-1.7e308, 1.0]), "float64")
    assert found.max_abs is found.mean_abs is found.max_rel is found.cosine is None
    assert found.share == 0.5
    assert found.max_ulp == 2 * place(1.7e308, "float64")
    beyond = measured(np.array([1.7e308 + 1.7e308j]), np.array([1.7e308 + 1.6e308j]), "complex128")
    assert beyond.max_abs is beyond.max_rel is None


def test_numbers_too_small_to_be_squared_have_no_cosine(measured: Measured) -> None:
    found = measured(np.array([1e-170, 2e-170]), np.array([1e-170, 1e-170]), "float64")
    assert found.cosine is None
    assert found.max_rel == 0.5


def test_values_that_were_not_kept_have_no_distance(tmp_path: Path) -> None:
    assert differences.distance(tmp_path, "a", "b", "float32") == NOTHING
    assert differences.distance(tmp_path, "a", "a", "float32") == EQUAL


@pytest.mark.parametrize("dtype", ["", "str160", "float128", "datetime64[ns]", "object", "void8"])
def test_what_is_no_number_has_no_distance(dtype: str, measured: Measured) -> None:
    assert measured(np.arange(4), np.arange(4) + 1, dtype) == NOTHING


def test_tensors_of_other_sizes_have_no_distance(measured: Measured) -> None:
    assert measured(np.arange(4), np.arange(5), "int64") == NOTHING
    assert measured(np.arange(3, dtype="int8"), np.ones(3, "int8"), "int16") == NOTHING
    assert measured(np.zeros(0), np.zeros(0), "float64") == NOTHING


# -- other kinds of numbers


@pytest.mark.parametrize("dtype", INTEGERS)
@settings(max_examples=60)
@given(data=st.data())
def test_integers_are_apart_by_ones(dtype: str, data: st.DataObject, measured: Measured) -> None:
    limits = np.iinfo(dtype)
    numbers = st.lists(st.integers(limits.min, limits.max), min_size=5, max_size=5)
    a, b = data.draw(numbers), data.draw(numbers)
    found = measured(np.array(a, dtype), np.array(b, dtype), dtype)
    if a == b:
        assert found == EQUAL
        return
    gaps = [abs(x - y) for x, y in zip(a, b, strict=True)]
    larger = [max(abs(x), abs(y), 1) for x, y in zip(a, b, strict=True)]
    relative = [gap / most for gap, most in zip(gaps, larger, strict=True)]
    assert found.max_ulp == max(gaps)
    assert found.max_abs == float(max(gaps))
    assert found.mean_abs == pytest.approx(sum(gaps) / 5, rel=1e-12)
    assert found.max_rel == pytest.approx(max(relative), rel=1e-15)
    assert found.mean_rel == pytest.approx(sum(relative) / 5, rel=1e-12)
    assert found.share == sum(gap > 0 for gap in gaps) / 5
    norms = [math.hypot(*numbers) for numbers in (a, b)]
    if 0 in norms:
        assert found.cosine is None
    else:
        product = sum(x * y for x, y in zip(a, b, strict=True))
        assert found.cosine == pytest.approx(product / norms[0] / norms[1], abs=1e-12)


def test_booleans(measured: Measured) -> None:
    a, b = np.array([True, False, True, True]), np.array([True, True, False, True])
    found = measured(a, b, "bool")
    near(found, Distance(1.0, 0.5, 1.0, 0.5, 1, 0.5, cosine=2 / 3))


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_numbers_are_apart_by_their_modulus(dtype: str, measured: Measured) -> None:
    a = np.array([3 + 4j, 1 + 0j, 0j, 2 - 1j], dtype)
    b = np.array([0j, 1 + 0j, -0.0j, 2 + 1j], dtype)
    found = measured(a, b, dtype)
    assert found.max_abs == 5.0
    assert found.mean_abs == (5 + 2) / 4
    assert found.max_rel == 1.0
    assert found.mean_rel == pytest.approx((1 + 2 / math.sqrt(5)) / 4)
    assert found.share == 3 / 4
    part = "float32" if dtype == "complex64" else "float64"
    assert found.max_ulp == max(2 * place(1.0, part), place(4.0, part))
    norms = math.sqrt(25 + 1 + 5) * math.sqrt(1 + 5)
    assert found.cosine == pytest.approx((1 + 4 - 1) / norms)


def test_one_part_that_is_not_finite_leaves_a_complex_number_without_a_distance(
    measured: Measured,
) -> None:
    a, b = np.array([complex(math.inf, 1), 1]), np.array([complex(math.inf, 2), 1])
    found = measured(a, b, "complex128")
    assert found == Distance(share=0.5, max_ulp=place(2.0, "float64") - place(1.0, "float64"))
    assert measured(a, a + 0, "complex128") == EQUAL
    c = np.array([complex(math.inf, 1), 2])
    assert measured(a, c, "complex128").max_abs == 1.0


# -- in pieces


def sizeable(dtype: str, size: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Two tensors of which a stretch agrees and some is not finite."""
    rng = np.random.default_rng(7)
    if dtype in INTEGERS:
        limits = np.iinfo(dtype)
        a, b = (rng.integers(limits.min, limits.max, size, dtype, endpoint=True) for _ in "ab")
    else:
        numbers = rng.standard_normal((2, size)).astype(np.float32)
        a, b = (n.astype(kind(dtype)) for n in numbers)
    b[size // 3 : 2 * size // 3] = a[size // 3 : 2 * size // 3]
    return a, b


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int16", "complex64", "float8_e4m3fn"])
def test_the_size_of_pieces_changes_the_rounding_alone(
    dtype: str, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = sizeable(dtype, 100_003)
    found = {measured(a, b, dtype)}
    for block, window, threads in ((999, 4096, 1), (1000, 20_480, 3), (1 << 14, 1 << 16, 4)):
        even = block + block % 2  # A complex number's two parts stay together.
        monkeypatch.setattr(measures, "BLOCK", even)
        monkeypatch.setattr(measures, "BLOCK_BYTES", block)
        monkeypatch.setattr(differences, "WINDOW", window)
        monkeypatch.setattr(differences, "MOST_THREADS", threads)
        monkeypatch.setattr(machine, "cores", lambda: 4)
        found.add(measured(a, b, dtype))
    first, *others = found
    assert first.share == pytest.approx(2 / 3, abs=0.05)
    for other in others:
        near(other, first)


def test_a_single_difference_is_found_wherever_it_is(
    measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "BLOCK", 100)
    monkeypatch.setattr(differences, "WINDOW", 4096)
    a = np.ones(2049, "float32")
    for index in (0, 99, 100, 1023, 1024, 2047, 2048):
        b = a.copy()
        b[index] = 1.5
        found = measured(a, b, "float32")
        assert (found.max_abs, found.max_ulp, found.share) == (0.5, 1 << 22, 1 / 2049)
        assert found.mean_abs == 0.5 / 2049


def test_the_cosine_of_what_is_parallel_is_never_beyond_1(measured: Measured) -> None:
    rng = np.random.default_rng(5)
    found = []
    for _ in range(30):
        a = rng.standard_normal(9)
        found += [measured(a, 2 * a, "float64").cosine, measured(a, -2 * a, "float64").cosine]
    assert max(found) == 1 and min(found) == -1  # type: ignore[type-var]


def test_sums_are_those_of_float64(measured: Measured) -> None:
    size = 1 << 18
    rng = np.random.default_rng(3)
    a = rng.standard_normal(size).astype(np.float32)
    b = (a * (1 + 1e-6 * rng.standard_normal(size))).astype(np.float32)
    x, y = wide(a), wide(b)
    found = measured(a, b, "float32")
    gaps = np.abs(x - y)
    assert found.mean_abs == pytest.approx(math.fsum(gaps) / size, rel=1e-14)
    squares = [math.fsum(p * q) for p, q in ((x, x), (x, y), (y, y))]
    exact = squares[1] / math.sqrt(squares[0] * squares[2])
    assert found.cosine is not None
    # 1e-12 is what makes this pair another direction.
    assert 1 - found.cosine == pytest.approx(1 - exact, rel=1e-2)


@pytest.mark.parametrize("dtype", ["float64", "int32", "float8_e5m2", "complex64"])
def test_memory_is_bounded_whatever_the_size(dtype: str, tmp_path: Path) -> None:
    """In a process of its own, which looks at its own high-water mark before and after."""
    size = 96 * MEBIBYTE
    for name, place in (("a", 0), ("b", size // 2)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)  # Zeros that take no room on the disk.
            file.seek(place)
            file.write(np.ones(MEBIBYTE // 4, "float32").tobytes())
    script = """
        import pathlib, re, sys
        from nondet.host import differences, machine

        machine.cores = lambda: 4

        def peak():
            status = pathlib.Path("/proc/self/status").read_text()
            return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) * 1024

        store, dtype = pathlib.Path(sys.argv[1]), sys.argv[2]
        before = peak()
        found = differences.distance(store, "a", "b", dtype)
        print(peak() - before, found.share)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path), dtype]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    grown, share = ran.stdout.split()
    assert int(grown) < 64 * MEBIBYTE
    assert 0 < float(share) <= 1 / 48
