"""Every reader refuses damaged files as documented; the benchmark tries a million of them."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from nondet import record
from nondet.cli.reading import INCONSISTENT
from nondet.report import html
from tests.benchmarks import fuzzing
from tests.damage import KINDS, PAYLOADS, Change, Shown, Target, drawn
from tests.fuzzing import TARGETS
from tests.report import samples

INPUTS = 400
DEAR = ("report", "repetition-shown", "probing-shown", "recorded")
"""Those that show what they read, or unpack it."""
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


@pytest.mark.parametrize("name", [name for name in TARGETS if name not in DEAR])
@settings(max_examples=INPUTS, suppress_health_check=[NOT_FRESH])
@given(place=st.integers(0, 1000), changes=CHANGES)
@example(place=0, changes=[])
def test_damaged_files(
    targets: dict[str, Target], name: str, place: int, changes: Sequence[Change]
) -> None:
    refused = targets[name].try_one(place, changes)
    assert changes or not refused, "what is not damaged is read"


@pytest.mark.parametrize("name", DEAR)
@settings(max_examples=60, suppress_health_check=[NOT_FRESH])
@given(place=st.integers(0, 1000), changes=CHANGES)
def test_records_that_are_changed_and_still_valid(
    targets: dict[str, Target], name: str, place: int, changes: Sequence[Change]
) -> None:
    targets[name].try_one(place, changes)


@pytest.mark.parametrize("name", ["report", "repetition-shown", "probing-shown"])
def test_what_is_readable_is_mostly_shown(tmp_path: Path, name: str) -> None:
    target, generator = TARGETS[name](tmp_path / name), random.Random(1)
    for place in range(100):
        target.try_one(place, drawn(generator))
    assert isinstance(target, Shown)
    assert target.readable > 30
    target.check()
    target.inconsistent = target.readable // 10 + 3
    with pytest.raises(AssertionError, match="could not be shown"):
        target.check()


def test_what_a_page_looks_for_in_vain_does_not_go_together() -> None:
    whole = samples.one_cause()
    elsewhere = structs.replace(whole.trials[0], machine=7)
    with pytest.raises(INCONSISTENT, match="no element 7"):
        html.render(structs.replace(whole, trials=(elsewhere, *whole.trials[1:])))


def test_every_reader_is_tried_by_the_benchmark() -> None:
    assert fuzzing.SHARES.keys() == TARGETS.keys()
    assert sum(fuzzing.SHARES.values()) == 100


SLOW = """
import sys
import time
from tests.benchmarks import fuzzing


class Slow(fuzzing.TARGETS["plan"]):
    def read(self, name, data):
        time.sleep(0 if self.read_so_far < 5 else 600)
        self.read_so_far += 1
        if self.read_so_far == 5:
            fuzzing.LONGEST = 2.0  # not before: on a busy machine one of these may take as long

    read_so_far = 0


fuzzing.TARGETS["plan"] = Slow
sys.exit(fuzzing.child("plan", 9, 1, 300, int(sys.argv[1])))
"""


def test_one_input_that_takes_too_long_ends_it(tmp_path: Path) -> None:
    with (tmp_path / "progress").open("wb") as progress:
        done = subprocess.run(
            [sys.executable, "-c", SLOW, str(progress.fileno())],
            pass_fds=[progress.fileno()],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    assert done.returncode == 1
    assert "Timeout" in done.stderr and "in read" in done.stderr
    assert (tmp_path / "progress").read_text().strip() == "305"


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
