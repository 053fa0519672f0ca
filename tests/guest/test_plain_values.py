"""Values without NumPy have the digests that they have with it."""

from __future__ import annotations

import array
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nondet.guest import device_values, plain_values
from nondet.guest.digests import Digester
from nondet.guest.user_values import flatten
from tests.guest.running import guided

VALUES = [
    0, -7, 2**63 - 1, True, 0.1, -0.0, float("nan"), 1 + 2j, "word", "", b"bytes",
    [], [1, 2, 3], [1, 2.5], (True, False), [True, 2], [0.5, 1j], None,
    {"b": [1.0, 2.0], "a": {"deep": "text"}}, [[1, 2], [3.0]], ["x", "y"],
    array.array("f", [1.0, 2.0]), array.array("q", [1, -2]), bytearray(b"more"),
]  # fmt: skip


def digests(value: object) -> list[tuple[str, str, tuple[int, ...], str]]:
    """(path, dtype, shape, digest) of each part."""
    digester = Digester("sha256")
    found = []
    for path, part in flatten("", value):
        name, shape = device_values.kind_of(part)
        found.append((path, name, shape, digester.digest(part)))
    return found


@pytest.fixture
def without_numpy(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def go() -> None:
        monkeypatch.setattr(plain_values, "numpy", lambda: None)
        monkeypatch.delitem(sys.modules, "numpy")

    return go


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_the_digest_is_the_same(value: Any, without_numpy: Callable[[], None]) -> None:
    known = digests(value)
    assert known or value == []
    without_numpy()
    assert digests(value) == known


def test_buffers_of_several_sides_keep_their_shape(without_numpy: Callable[[], None]) -> None:
    table: Any = np.arange(6, dtype="int32").reshape(2, 3)
    known = digests(table)
    without_numpy()
    assert digests(memoryview(table)) == known


def test_a_masked_array_is_its_values_and_its_mask() -> None:
    """What lies under the mask is none of its values: of `masked_all`, whatever was in memory."""

    def masked(under: float, *mask: bool) -> Any:
        return {"v": np.ma.array([1.0, under], mask=list(mask))}

    known = digests(masked(5.0, False, True))
    assert [path for path, *_ in known] == ["v/data", "v/mask"]
    assert digests(masked(7.0, False, True)) == known
    assert digests(masked(0.0, False, False)) != known, "the same data, and another mask"
    assert digests(masked(5.0, True, True)) != known


@pytest.mark.parametrize("value", [object(), 2**64, {1, 2}], ids=["object", "large", "set"])
def test_what_has_no_bits_is_refused(value: Any, without_numpy: Callable[[], None]) -> None:
    without_numpy()
    with pytest.raises(TypeError, match="NumPy is not installed|more than 64 bits"):
        digests(value)


TELLING = """
import array
import sys
import nondet
if sys.argv[1:]:
    import numpy
for number, value in enumerate([0.5, [1, 2], "word", b"", None, array.array("f", [1.0]), 2**63]):
    nondet.checkpoint(str(number), value)
    print("numpy" in sys.modules, end=" ")
"""


def test_what_a_script_has_not_imported_is_not_imported_for_it(tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    folder.mkdir()
    (folder / "train.py").write_text(TELLING)
    shown = [guided(folder, "train.py", *args) for args in ((), ("numpy",))]
    # Only a number of more than 64 bits takes it.
    assert [each.out.split() for each in shown] == [["False"] * 6 + ["True"], ["True"] * 7]
    told = [[e["digests"] for e in each.of("checkpoint")] for each in shown]
    assert told[0] == told[1]
    assert len(told[0]) == 7
