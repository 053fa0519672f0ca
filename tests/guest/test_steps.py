from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nondet.guest.events import CANT_RECORD
from nondet.guest.steps import DENSE_STEPS, HEADER, ON_HOST, RECORD, Pace, StepLog, worth_recording
from tests.guest.children import in_child

ONE, TWO = [b"a" * 16, b"b" * 16], [b"a" * 16, b"c" * 16]


def records(folder: Path, index: int = 0) -> list[tuple[int, bytes, bytes, int, int, int]]:
    data = (folder / f"steps-{index}.bin").read_bytes()
    assert HEADER.unpack_from(data) == (b"nd-steps", 1, ON_HOST, RECORD.size)
    return list(RECORD.iter_unpack(data[HEADER.size :]))


def test_steps_are_thinned_as_they_grow() -> None:
    kept = [step for step in range(1, 100_000) if worth_recording(step)]
    assert kept[:64] == list(range(1, 65))
    assert len(kept) < 32 * 13
    assert all(later - step <= step / 16 for step, later in zip(kept[64:], kept[65:], strict=False))


# -- what a record says


def test_a_record_names_its_row_and_layout(tmp_path: Path) -> None:
    log = StepLog(str(tmp_path), 3)
    log.append(1, 7, ONE)
    log.append(5, 8, [*TWO, b"d" * 16])
    log.close()
    found = records(tmp_path, 3)
    assert [record[0] for record in found] == [1, 5]
    assert [record[3:] for record in found] == [(1, 7, 2), (17, 8, 3)]
    assert (tmp_path / "rows-3.bin").read_bytes() == b"a" * 8 + b"b" * 8 + (
        b"a" * 8 + b"c" * 8 + b"d" * 8
    )


@pytest.mark.parametrize(
    ("step", "layout", "digests"),
    [(3, 1, TWO), (3, 1, ONE[:1]), (3, 1, ONE[::-1])],
)
def test_a_root_depends_on_the_digests_and_the_chain_on_all_before(
    tmp_path: Path, step: int, layout: int, digests: list[bytes]
) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        second = (step, layout, digests) if folder.name == "c" else (3, 1, ONE)
        folder.mkdir()
        log = StepLog(str(folder), 0)
        for row in [(1, 1, ONE), second, (4, 1, TWO)]:
            log.append(*row)
        log.close()
    a, same, b = (records(folder) for folder in folders)
    assert a == same
    assert a[0] == b[0]
    assert a[1][1] != b[1][1]
    assert a[1][2] != b[1][2]
    assert a[2][1] == b[2][1]
    assert a[2][2] != b[2][2]


def test_a_chain_depends_on_the_steps(tmp_path: Path) -> None:
    for index, step in enumerate([1, 2]):
        log = StepLog(str(tmp_path), index)
        log.append(step, 1, ONE)
        log.close()
    (one,), (other,) = records(tmp_path, 0), records(tmp_path, 1)
    assert one[1] == other[1]
    assert one[2] != other[2]


def test_steps_grow(tmp_path: Path) -> None:
    log = StepLog(str(tmp_path), 0)
    with pytest.raises(ValueError, match="step 0 after step 0"):
        log.append(0, 1, ONE)
    log.append(2, 1, ONE)
    with pytest.raises(ValueError, match="step 2 after step 2"):
        log.append(2, 1, ONE)
    with pytest.raises(ValueError, match="under 8 bytes"):
        log.append(3, 1, [b"short"])
    log.close()
    assert len(records(tmp_path)) == 1


@settings(deadline=None)
@given(
    limit=st.integers(0, 4000),
    tensors=st.integers(0, 5),
    steps=st.lists(st.integers(1, 500), unique=True).map(sorted),
)
def test_rows_are_thinned_from_half_of_the_limit_on(
    tmp_path_factory: pytest.TempPathFactory, limit: int, tensors: int, steps: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("log")
    log = StepLog(str(folder), 0, rows_limit=limit)
    for step in steps:
        log.append(step, 1, [b"%08d" % step] * tensors)
    log.close()
    path = folder / "rows-0.bin"
    rows = path.read_bytes() if path.exists() else b""
    assert len(rows) <= limit
    left, used = [], 0
    for step, _, _, row, _, _ in records(folder) if steps else []:
        if row:
            size = 8 * tensors
            assert rows[row - 1 : row - 1 + size] == b"%08d" % step * tensors
            assert used + size <= limit // 2 or worth_recording(step)
            used += size
        else:
            left.append(step)
            assert used + 8 * tensors > limit // 2
            assert used + 8 * tensors > limit or not worth_recording(step)
    assert used == len(rows)
    assert not left or tensors


# -- in a user's process


def test_a_later_process_begins_anew(tmp_path: Path) -> None:
    for step in (4, 2):
        log = StepLog(str(tmp_path), 0)
        log.append(step, 1, ONE)
        log.close()
    assert [record[0] for record in records(tmp_path)] == [2]
    assert (tmp_path / "rows-0.bin").stat().st_size == 16


def test_nothing_is_written_before_the_first_step(tmp_path: Path) -> None:
    StepLog(str(tmp_path), 0).close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_is_silent(tmp_path: Path) -> None:
    log = StepLog(str(tmp_path), 0)
    log.append(1, 1, ONE)
    assert in_child(lambda: log.append(2, 1, TWO)) == 0
    own = os.getpid()
    assert in_child(lambda: StepLog(str(tmp_path), 0, pid=own).append(3, 1, TWO)) == 0
    log.append(4, 1, ONE)
    log.close()
    assert [(record[0], record[3]) for record in records(tmp_path)] == [(1, 1), (4, 17)]
    assert (tmp_path / "rows-0.bin").stat().st_size == 32


def test_no_step_ends_in_a_file_of_the_user_s(tmp_path: Path) -> None:
    log = StepLog(str(tmp_path), 0)
    log.append(1, 1, ONE)
    numbers = [log.records.descriptor, log.rows.descriptor]
    with (tmp_path / "user").open("wb") as file:
        for number in numbers:
            os.dup2(file.fileno(), number)
        log.append(2, 1, TWO)
        log.close()
        assert [os.fstat(number).st_ino for number in numbers] == [
            os.fstat(file.fileno()).st_ino
        ] * 2
        for number in numbers:
            os.close(number)
    assert (tmp_path / "user").read_bytes() == b""
    assert [(record[0], record[3]) for record in records(tmp_path)] == [(1, 1), (2, 17)]


def test_closing_spares_a_file_of_the_user_s(tmp_path: Path) -> None:
    log = StepLog(str(tmp_path), 0)
    log.append(1, 1, ONE)
    number = log.records.descriptor
    with (tmp_path / "user").open("wb") as file:
        os.dup2(file.fileno(), number)
        log.close()
        assert os.fstat(number).st_ino == os.fstat(file.fileno()).st_ino
    os.close(number)


def test_a_trial_that_cannot_write_ends(tmp_path: Path) -> None:
    code = (
        "import sys; from nondet.guest.steps import StepLog\n"
        "StepLog(sys.argv[1], 0).append(1, 1, [bytes(16)])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "gone")], check=False)
    assert done.returncode == CANT_RECORD


# -- the pace


class Run:
    """Steps under a pace, by a clock of its own."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.now = 100.0
        self.step = 0
        self.kept: list[int] = []
        self.intervals: list[int] = []

    def interval(self, step: int) -> int:
        """The one in force at a step."""
        return self.intervals[step - 1]

    def go(self, steps: int, took: float, cost: float, stride: int = 1) -> Run:
        return self.through([(took * stride, cost)] * steps, stride)

    def through(self, times: Iterable[tuple[float, float]], stride: int = 1) -> Run:
        for took, cost in times:
            self.now += took
            self.step += stride
            if self.pace.stepped(self.step, self.now):
                self.kept.append(self.step)
                self.now += cost
                self.pace.recorded(cost, self.now)
            self.intervals.append(self.pace.interval)
        return self


TIMES = st.floats(1e-6, 10.0)


def expected(pace: Pace, steps: int) -> list[int]:
    """What is kept by a pace whose interval stands from the dense steps on."""
    gaps = range(1, pace.dense + Pace.GAP * Pace.GAPS + 1)
    wide = max(Pace.GAP, pace.interval)
    return [
        step
        for step in range(1, steps + 1)
        if step <= pace.dense or step % (wide if step in gaps else pace.interval) == 0
    ]


@settings(deadline=None)
@given(took=TIMES, cost=TIMES)
def test_the_interval_is_the_shortest_that_keeps_to_the_share(took: float, cost: float) -> None:
    run = Run(Pace()).go(100, took, cost)
    interval = run.pace.interval

    def share(interval: int) -> float:
        return cost / (interval * took + cost)

    assert interval == 1 << (interval.bit_length() - 1)
    assert share(interval) <= 0.05 * (1 + 1e-6) or interval == Pace.LONGEST_INTERVAL
    assert interval == 1 or share(interval // 2) >= 0.05 * (1 - 1e-6)
    assert run.kept == expected(run.pace, 100)


@pytest.mark.parametrize(
    ("cost", "dense", "interval"), [(0.001, 32, 1), (0.2, 32, 4), (0.25, 11, 8), (50.0, 11, 1024)]
)
def test_the_first_steps_are_fewer_where_recording_is_dear(
    cost: float, dense: int, interval: int
) -> None:
    run = Run(Pace()).go(5000, 1.0, cost)
    assert (run.pace.dense, run.pace.interval) == (dense, interval)
    assert run.kept[:dense] == list(range(1, dense + 1))
    assert set(run.intervals[:dense]) == {1}
    assert all(step % interval == 0 for step in run.kept[dense:])


def test_recording_keeps_to_its_share() -> None:
    run = Run(Pace()).go(20_000, 0.01, 0.01)
    assert run.pace.interval == 32
    assert 0.02 < run.pace.share <= 0.05
    spent = 0.01 * len(run.kept)
    assert run.pace.share == pytest.approx(spent / (run.now - 100.01))


def test_tracing_and_pauses_count_for_nothing() -> None:
    slow, usual, pause = (30.0, 5.0), (1.0, 0.01), (600.0, 0.01)
    run = Run(Pace()).through([slow] * 3 + ([usual] * 9 + [pause]) * 30)
    assert run.pace.interval == 1
    # Medians of so few would be others with the first three among them.
    dear, cheap = [(1.0, 0.25)] * 5, [(10.0, 0.01)] * 4
    assert Run(Pace()).through([(30.0, 0.0)] * 3 + dear + cheap).pace.dense == 11


def test_the_interval_only_grows_and_at_doublings() -> None:
    run = Run(Pace()).go(40, 1.0, 0.01).go(1000, 1.0, 0.1).go(4000, 1.0, 0.001)
    assert sorted(run.intervals) == run.intervals
    changed = [step for step in range(2, 5041) if run.interval(step) != run.interval(step - 1)]
    assert changed == [128]
    assert run.pace.interval == 2


@settings(deadline=None)
@given(st.lists(st.tuples(TIMES, TIMES), max_size=200), st.lists(st.tuples(TIMES, TIMES)))
def test_equal_times_give_equal_steps_and_longer_intervals_fewer(
    times: list[tuple[float, float]], others: list[tuple[float, float]]
) -> None:
    run, again = Run(Pace()).through(times), Run(Pace()).through(times)
    assert (run.kept, run.intervals) == (again.kept, again.intervals)
    other = Run(Pace()).through(others)
    for coarse, fine in [(run, other), (other, run)]:
        for step in coarse.kept[DENSE_STEPS:]:
            if step <= fine.step and coarse.interval(step) >= fine.interval(step):
                assert step in fine.kept


@pytest.mark.parametrize(("interval", "dense"), [(1, 32), (4, 32), (8, 11), (64, 11)])
def test_a_given_interval_depends_on_no_time(interval: int, dense: int) -> None:
    run = Run(Pace(interval=interval)).go(300, 1.0, 1000.0)
    assert run.pace.interval == interval
    assert run.kept == [s for s in range(1, 301) if s <= dense or s % interval == 0]
    assert not Run(Pace(interval=1)).pace.share


def test_calls_of_several_steps_are_kept_when_they_pass_a_multiple() -> None:
    run = Run(Pace(interval=32)).go(100, 1.0, 0.0, stride=10)
    later = [step for step in run.kept if step > 10 * run.pace.dense]
    assert later[:5] == [130, 160, 200, 230, 260]
    assert Run(Pace()).go(100, 1.0, 10.0, stride=10).pace.interval == 256


def test_steps_that_python_does_not_wait_for_count_by_their_mean() -> None:
    # Python is ahead of the steps, until it waits for one that is to be recorded.
    run = Run(Pace())
    kept = 0
    for step in range(1, 5001):
        waits = run.pace.due(step)
        run.through([(0.1 * (step - kept) if waits else 0.0, 0.015)])
        # Those that passed at once have been computed by then.
        kept = step if waits else kept
    assert (run.pace.dense, run.pace.interval) == (DENSE_STEPS, 4)


@pytest.mark.parametrize(("lost", "interval"), [(0.0, 4), (0.1, 32), (1.0, 256)])
def test_what_a_recording_costs_is_seen_from_without_too(lost: float, interval: int) -> None:
    """Seconds that are lost around it: while it goes on, the next step is not prepared."""
    pace = Pace()
    now = 0.0
    for step in range(1, 50_001):
        now += 0.1
        if pace.due(step):
            now += lost
        if pace.stepped(step, now):
            now += 0.015
            pace.recorded(0.015, now)
    assert pace.interval == interval
    assert pace.share <= 0.05
    assert pace.share == pytest.approx((lost + 0.015) / (interval * 0.1 + lost + 0.015), rel=0.4)


def test_stretches_that_hold_other_work_tell_nothing() -> None:
    """Of the ends of short epochs, say: from within a recording looks cheap, and counts as that."""
    run = Run(Pace()).through([(0.1, 0.001)] * 32 + [(9.0, 0.001)] * 24 + [(0.1, 0.001)] * 500)
    assert run.pace.interval == 1


def test_what_is_due_is_known_before_the_step() -> None:
    pace = Pace(interval=16)
    for step in range(1, 200):
        due = pace.due(step)
        assert pace.stepped(step, float(step)) == due


def test_without_recordings_nothing_is_decided() -> None:
    pace = Pace()
    for step in range(1, 100):
        pace.stepped(step, float(step))
    assert (pace.interval, pace.share) == (1, 0.0)
