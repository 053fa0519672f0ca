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


def test_objects_have_no_bits() -> None:
    with pytest.raises(TypeError, match="no bits"):
        digests.Digester("sha256").digest(np.array([object()]))
