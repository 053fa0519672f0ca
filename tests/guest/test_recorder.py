from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from nondet.guest import digests

ARRAYS = npst.arrays(
    st.sampled_from(["float16", "float32", "float64", "int32", "uint8", "bool"]),
    npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


@pytest.mark.parametrize("algorithm", ["sha256", "xxh3_128"])
@given(array=ARRAYS)
def test_a_digest_depends_on_values_shape_and_dtype_and_not_on_layout(
    algorithm: str, array: NDArray[Any]
) -> None:
    digester = digests.Digester(algorithm)
    digest = digester.digest(array)
    assert digester.digest(array.copy(order="F")) == digest
    assert digester.digest(np.repeat(array[..., None], 2, -1)[..., 0]) == digest
    assert digester.digest(array[None]) != digest
    if array.dtype != np.float64:
        assert digester.digest(array.astype(np.float64)) != digest


@given(
    array=npst.arrays("float32", npst.array_shapes(max_side=5)),
    data=st.data(),
)
def test_one_bit_changes_the_digest(array: NDArray[Any], data: st.DataObject) -> None:
    digester = digests.Digester("sha256")
    changed = array.copy()
    bits = changed.reshape(-1).view(np.uint32)
    place = data.draw(st.integers(0, bits.size - 1))
    bits[place] ^= np.uint32(1 << data.draw(st.integers(0, 31)))
    assert digester.digest(changed) != digester.digest(array)


def test_negative_zero_and_nan_payloads_count() -> None:
    digester = digests.Digester("sha256")
    assert digester.digest(np.array([0.0], "float32")) != digester.digest(
        np.array([-0.0], "float32")
    )
    one, other = np.array([0x7FC00000, 0x7FC00001], "uint32").view(np.float32)
    assert digester.digest(np.asarray([one])) != digester.digest(np.asarray([other]))


PADDED = [
    np.dtype(np.longdouble),
    np.dtype(np.clongdouble),
    np.dtype(np.longdouble).newbyteorder(),
    np.dtype([("flag", "?"), ("number", "f8")], align=True),
    np.dtype([("inner", np.dtype([("a", "i1"), ("b", "i4")], align=True), (2,)), ("c", "g")]),
]


@pytest.mark.parametrize("dtype", PADDED, ids=str)
def test_what_lies_between_values_does_not_count(dtype: np.dtype[Any]) -> None:
    """Long doubles of x86 leave six bytes of theirs as they were in memory, as structures do."""
    values = np.arange(1, 6)
    found = []
    for filling in (0, 255):
        array = np.full(values.size * dtype.itemsize, filling, np.uint8).view(dtype)
        for name in dtype.names or ("",):
            part = array[name] if name else array
            if part.dtype.names:
                for field in part.dtype.names:
                    part[field] = values[:, None]
            else:
                # By a ufunc: an assignment may copy whole elements.
                np.add(values, 0, out=part, casting="unsafe")
        found.append(array)
    digester = digests.Digester("sha256")
    assert digester.digest(found[0]) == digester.digest(found[1])
    found[1].view(np.uint8)[: dtype.itemsize] ^= 255
    assert digester.digest(found[0]) != digester.digest(found[1])
    assert digester.digest(found[0][:0]) == digester.digest(found[1][:0])


def test_objects_have_no_bits() -> None:
    with pytest.raises(TypeError, match="no bits"):
        digests.Digester("sha256").digest(np.array([object()]))
