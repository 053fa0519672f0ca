"""Every reader refuses damaged files as documented; the benchmark tries a million of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nondet import record
from tests.fuzzing import KINDS, PAYLOADS, TARGETS, Change, Target, drawn
from tests.report import samples

INPUTS = 400
CHANGES = st.lists(
    st.builds(
        Change,
        st.sampled_from(KINDS),
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 1000),
        st.sampled_from(PAYLOADS) | st.binary(max_size=16),
    ),
    min_size=1,
    max_size=5,
)
NOT_FRESH = HealthCheck.function_scoped_fixture


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    folder = tmp_path_factory.mktemp("fuzzing")
    return {name: make(folder / name) for name, make in TARGETS.items()}


@pytest.mark.parametrize("name", [name for name in TARGETS if name != "report"])
@settings(max_examples=INPUTS, suppress_health_check=[NOT_FRESH])
@given(place=st.integers(0, 1000), changes=CHANGES)
@example(place=0, changes=[])
def test_damaged_files(
    targets: dict[str, Target], name: str, place: int, changes: Sequence[Change]
) -> None:
    refused = targets[name].try_one(place, changes)
    assert changes or not refused, "what is not damaged is read"


@settings(max_examples=60, suppress_health_check=[NOT_FRESH])
@given(place=st.integers(0, 1000), changes=CHANGES)
def test_records_that_are_changed_and_still_valid(
    targets: dict[str, Target], place: int, changes: Sequence[Change]
) -> None:
    targets["report"].try_one(place, changes)


@pytest.mark.parametrize("name", TARGETS)
def test_most_changes_do_damage(targets: dict[str, Target], name: str) -> None:
    """Else nothing is tried."""
    target, generator = targets[name], random.Random(1)
    other = next(iter(target.files.values()))
    damaged = [
        any(change(data, other) != data for change in drawn(generator))
        for data in target.files.values()
        for _ in range(50)
    ]
    assert sum(damaged) > 0.8 * len(damaged)


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    whole = record.encode(samples.three_causes())
    record.decode(whole)
    torn = whole.replace(b'"differs": [', b'"differs": [[],', 1)
    assert torn != whole
    with pytest.raises(record.RecordError, match="differs"):
        record.decode(torn)
