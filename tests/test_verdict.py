from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nondet.verdict import Checkpoint, Tensors, compare

CHECKPOINTS = st.builds(
    Checkpoint,
    kind=st.sampled_from(["init", "epoch"]),
    model=st.sampled_from(["a", "b"]),
    fit=st.just(1),
    epoch=st.integers(0, 3),
    step=st.just(0),
    tensors=st.lists(
        st.tuples(st.sampled_from("xyz"), st.text("01", min_size=1, max_size=2)), max_size=3
    ).map(tuple),
)
TRAJECTORIES = st.lists(CHECKPOINTS, max_size=5)


@given(TRAJECTORIES)
def test_a_trajectory_agrees_with_itself(one: list[Checkpoint]) -> None:
    assert compare(one, list(one)) is None


@given(TRAJECTORIES, TRAJECTORIES)
def test_different_trajectories_have_a_witness_at_their_first_difference(
    one: list[Checkpoint], other: list[Checkpoint]
) -> None:
    witness = compare(one, other)
    assert (witness is None) == (one == other)
    if witness is not None:
        assert one[: witness.index] == other[: witness.index]
        assert one[witness.index : witness.index + 1] != other[witness.index : witness.index + 1]


@given(TRAJECTORIES, st.integers(0, 5))
def test_a_part_of_a_running_trial_agrees_so_far(one: list[Checkpoint], length: int) -> None:
    part = one[:length]
    assert compare(one, part, ended=False) is None
    if len(part) < len(one):
        witness = compare(one, part)
        assert witness is not None
        assert witness.index == len(part)
        assert witness.other is None


def test_moments_have_their_names() -> None:
    labels = [Checkpoint(kind, "m", 0, 0, 3, ()).label for kind in ("step", "fit", "user")]
    assert labels == ["step 3", "fit 3", "m"]


def test_the_witness_names_the_first_tensor_and_counts_the_others() -> None:
    one = Checkpoint("epoch", "m", 1, 2, 8, (("a", "1"), ("b", "2"), ("c", "3")))
    other = Checkpoint("epoch", "m", 1, 2, 8, (("a", "1"), ("b", "x"), ("c", "y")))
    witness = compare([one], [other])
    assert witness is not None
    assert (witness.tensor, witness.differing, witness.checkpoint.label) == ("b", 2, "epoch 2")


@pytest.mark.parametrize(
    "digests",
    [
        ("00ff", "a1b2"),
        ("A1B2", "a1b2"),
        ("0 0f", "a1b2"),
        ("abc", "abd"),
        ("abcd", "ab"),
        ("", ""),
    ],
)
def test_tensors_are_what_was_put_in(digests: tuple[str, str]) -> None:
    paths = ("kernel", "bias")
    tensors = Tensors(paths, digests)
    assert list(tensors) == list(zip(paths, digests, strict=True))
    assert (tensors[1], tensors[-2], tensors[:1]) == (
        ("bias", digests[1]),
        ("kernel", digests[0]),
        [("kernel", digests[0])],
    )
    assert tensors == Tensors(("kernel", "bias"), list(digests))
    assert hash(tensors) == hash(Tensors(paths, digests))
    assert tensors != Tensors(paths, (digests[0], "beef"))
    assert tensors != Tensors(("kernel", "gamma"), digests)
    with pytest.raises(IndexError):
        tensors[2]
    with pytest.raises(ValueError, match="2 digests of 1"):
        Tensors(("kernel",), digests)


def test_of_equal_bytes_in_other_pieces_nothing_is_equal() -> None:
    assert Tensors(("a", "b"), ("ab", "cd")) != Tensors(("a",), ("abcd",))
    assert list(Tensors((), ())) == []
