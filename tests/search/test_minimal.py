from __future__ import annotations

from collections.abc import Generator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.searching.minimal import minimal_set

NAMES = list("abcdefghijklmnop")


def solve(candidates: Sequence[str], needed: list[set[str]]) -> tuple[list[str], int]:
    """Run the search where pins hold when each set of `needed` is hit; the answer and its cost."""
    asked = 0

    def holds(names: tuple[str, ...]) -> Generator[None, None, bool]:
        nonlocal asked
        asked += 1
        yield
        return all(group & set(names) for group in needed)

    search = minimal_set(candidates, holds)
    try:
        while True:
            next(search)
    except StopIteration as stop:
        return stop.value, asked


@given(st.sets(st.sampled_from(NAMES), max_size=4))
def test_each_needed_pin_is_found_and_no_other(culprits: set[str]) -> None:
    found, _ = solve(NAMES, [{name} for name in culprits])
    assert set(found) == culprits


@given(st.lists(st.sets(st.sampled_from(NAMES), min_size=1, max_size=3), max_size=4))
def test_the_answer_holds_and_nothing_can_be_left_out(groups: list[set[str]]) -> None:
    found, _ = solve(NAMES, groups)
    assert all(group & set(found) for group in groups)
    for name in found:
        rest = set(found) - {name}
        assert not all(group & rest for group in groups)


def test_of_two_that_would_do_the_earlier_is_preferred() -> None:
    assert solve(NAMES, [{"c", "k"}])[0] == ["c"]


def test_the_cost_grows_with_the_logarithm() -> None:
    worst = max(solve(NAMES, [{name}])[1] for name in NAMES)
    assert worst <= 10
    worst = max(solve(NAMES, [{a}, {b}])[1] for a in NAMES for b in NAMES)
    assert worst <= 18
