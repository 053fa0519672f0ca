from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from nondet.host import byte_formats

CODES = np.arange(byte_formats.CODES, dtype=np.uint8)
OTHERS = sorted(byte_formats.NAMES - {"bool", "int8", "uint8"})


def codes_of(dtype: str) -> int:
    """How many codes mean something: formats of fewer bits use the lowest."""
    if dtype in byte_formats.INTEGERS:
        return 1 << byte_formats.INTEGERS[dtype][0]
    if dtype in byte_formats.MINIFLOATS:
        return 2 << sum(byte_formats.MINIFLOATS[dtype][:2])
    return byte_formats.CODES


@pytest.mark.parametrize("dtype", OTHERS)
def test_every_code_has_the_value_that_ml_dtypes_gives_it(dtype: str) -> None:
    count = codes_of(dtype)
    expected = CODES[:count].view(getattr(ml_dtypes, dtype)).astype(np.float64)
    found = byte_formats.values(dtype)[:count]
    np.testing.assert_array_equal(found, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found)[numbers], np.signbit(expected)[numbers])


def test_whole_bytes_have_the_values_that_numpy_gives_them() -> None:
    for dtype in ("int8", "uint8"):
        np.testing.assert_array_equal(byte_formats.values(dtype), CODES.view(dtype))
    np.testing.assert_array_equal(byte_formats.values("bool")[:2], [0, 1])


@pytest.mark.parametrize("dtype", sorted(byte_formats.NAMES))
def test_ranks_count_the_values_between(dtype: str) -> None:
    table, ranks = byte_formats.values(dtype), byte_formats.ranks(dtype)
    numbers = ~np.isnan(table)
    for code in np.flatnonzero(numbers):
        below = np.unique(table[numbers & (table < table[code])])
        assert ranks[code] == below.size


def test_tables_are_shared_and_can_not_be_written_to() -> None:
    assert byte_formats.values("int4") is byte_formats.values("int4")
    with pytest.raises(ValueError):
        byte_formats.values("int4")[0] = 1


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(KeyError):
        byte_formats.values("float32")
