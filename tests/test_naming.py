"""Names are told as people do."""

from __future__ import annotations

import pytest

from nondet.naming import enumerated, numbered


@pytest.mark.parametrize(
    ("names", "most", "said"),
    [
        ("", None, ""),
        ("a", None, "a"),
        ("ab", None, "a and b"),
        ("abc", None, "a, b and c"),
        ("", 2, ""),
        ("abc", 2, "a, b and c"),
        ("abcd", 2, "a, b and 2 more"),
        ("abcd", 0, "4 more"),
    ],
)
def test_names_in_a_sentence(names: str, most: int | None, said: str) -> None:
    assert enumerated(names, most) == said


def test_names_told_apart() -> None:
    assert list(numbered(["a", "b", "a", "a"])) == ["a", "b", "a (2)", "a (3)"]
    assert list(numbered(["a", "a", "a (2)", "a"])) == ["a", "a (2)", "a (2) (2)", "a (3)"]
