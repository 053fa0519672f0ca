from __future__ import annotations

import dataclasses
import math
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nondet.guest import steps as guest
from nondet.guest.steps import ON_DEVICE, StepLog
from nondet.host import steps as module
from nondet.host.steps import Comparison, Parting, Record, StepTrace, differing_map, parting

Tensors = tuple[int, tuple[int, ...]]
"""A step's layout, and what stands for the bits of each tensor."""
Course = Mapping[int, Tensors]
"""What a trial records: the tensors by step."""


def digests(values: Iterable[int]) -> list[bytes]:
    return [b"%08d" % value * 2 for value in values]


def write(log: StepLog, course: Course) -> None:
    for step, (layout, values) in sorted(course.items()):
        log.append(step, layout, digests(values))


def trace(folder: Path, course: Course, index: int = 0, rows_limit: int = 1 << 20) -> StepTrace:
    log = StepLog(str(folder), index, rows_limit)
    write(log, course)
    log.close()
    return StepTrace(folder, index)


def pair(folder: Path, one: Course, other: Course, rows_limit: int) -> tuple[StepTrace, StepTrace]:
    return trace(folder, one, 0, rows_limit), trace(folder, other, 1, rows_limit)


def plain(
    steps: Iterable[int], differs_from: int | None = None, tensor: int = 1, tensors: int = 3
) -> Course:
    """The same at every step, but for one tensor from some step on."""
    found = {}
    for step in steps:
        values = [step * 10 + i for i in range(tensors)]
        if differs_from is not None and step >= differs_from:
            values[tensor] += 5
        found[step] = (1, tuple(values))
    return found


def oracle(one: Course, other: Course, rows: tuple[set[int], set[int]]) -> Parting | None:
    """Step by step over the steps of both."""
    before = 0
    for step in sorted(set(one) & set(other)):
        (layout, a), (_, b) = one[step], other[step]
        if len(a) != len(b):
            return Parting(step, before, None, 0, layout)
        if differing := [i for i in range(len(a)) if a[i] != b[i]]:
            if step in rows[0] and step in rows[1]:
                return Parting(step, before, differing[0], len(differing), layout)
            return Parting(step, before, None, 0, layout)
        before = step
    return None


def without_layout(part: Parting | None) -> Parting | None:
    """It is the first log's."""
    return None if part is None else dataclasses.replace(part, layout=0)


def kept(trace: StepTrace) -> set[int]:
    return {int(step) for i, step in enumerate(trace.steps) if trace.row(i) is not None}


VALUES = st.tuples(
    st.sampled_from([1, 1, 1, 2]), st.lists(st.integers(0, 1), min_size=2, max_size=2).map(tuple)
)
CHANGES = st.dictionaries(st.integers(1, 60), VALUES, max_size=3)


@st.composite
def schedules(draw: st.DrawFn) -> list[int]:
    """Steps all recorded at first, then every second, fourth ... from some places on."""
    end, dense = draw(st.integers(0, 60)), draw(st.integers(0, 60))
    interval = 1 << draw(st.integers(0, 3))
    longer = draw(st.integers(0, 60))
    return [
        step
        for step in range(1, end + 1)
        if step <= dense or step % (interval if step < longer else 2 * interval) == 0
    ]


@st.composite
def courses(draw: st.DrawFn) -> tuple[Course, Course]:
    schedule = draw(schedules())
    schedule_b = draw(st.one_of(st.just(schedule), schedules()))
    schedule_b = schedule_b[: draw(st.integers(0, 60))]
    base: Tensors = (1, (0, 0))
    changes = draw(CHANGES)
    later = changes | draw(CHANGES)
    return (
        {step: changes.get(step, base) for step in schedule},
        {step: later.get(step, base) for step in schedule_b},
    )


@settings(deadline=None)
@given(both=courses(), rows_limit=st.sampled_from([0, 200, 1 << 20]), chunk=st.integers(1, 8))
def test_partings_are_those_of_a_comparison_step_by_step(
    both: tuple[Course, Course], rows_limit: int, chunk: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", chunk)
        one, other = pair(Path(folder), *both, rows_limit)
        expected = oracle(*both, (kept(one), kept(other)))
        assert parting(one, other) == expected
        assert without_layout(parting(other, one)) == without_layout(expected)


@settings(deadline=None)
@given(both=courses(), turns=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9))))
def test_logs_are_followed_while_they_grow(
    both: tuple[Course, Course], turns: list[tuple[int, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        logs = [StepLog(folder, index) for index in (0, 1)]
        traces = [StepTrace(Path(folder), index) for index in (0, 1)]
        comparison = Comparison(*traces)
        left = [sorted(course.items()) for course in both]
        came: list[dict[int, Tensors]] = [{}, {}]
        for which, count in [*turns, (0, 60), (1, 60)]:
            new, left[which] = left[which][:count], left[which][count:]
            write(logs[which], dict(new))
            came[which].update(new)
            assert traces[which].refresh() == len(came[which])
            every = set(came[0]), set(came[1])
            assert comparison.parting() == oracle(came[0], came[1], every)
        for log in logs:
            log.close()


def test_logs_of_two_methods_are_not_compared(tmp_path: Path) -> None:
    logs = [StepLog(str(tmp_path), index) for index in (0, 1, 2)]
    for log in logs[1:]:
        log.method = ON_DEVICE
    for log, digest in zip(logs, (b"a", b"b", b"c"), strict=True):
        log.append(1, 1, [digest * 8])
        log.close()
    copied, device, also = (StepTrace(tmp_path, index) for index in (0, 1, 2))
    assert parting(copied, device) is None
    assert differing_map(copied, device)[1].size == 0
    assert parting(device, also) == Parting(1, 0, 0, 1, 1)


class Counted(StepTrace):
    """Counts the records that are read one by one."""

    reads = 0

    def record(self, i: int) -> Record:
        self.reads += 1
        return super().record(i)


@pytest.mark.parametrize("at", [1, 2, 777, 1999, 2000, None])
def test_logs_of_one_schedule_take_few_reads(tmp_path: Path, at: int | None) -> None:
    count = 2000
    trace(tmp_path, plain(range(1, count + 1)), 0, rows_limit=0)
    trace(tmp_path, plain(range(1, count + 1), at), 1, rows_limit=0)
    one, other = Counted(tmp_path, 0), Counted(tmp_path, 1)
    found = parting(one, other)
    assert found == (at and Parting(at, at - 1, None, 0, 1))
    assert max(one.reads, other.reads) <= math.log2(count) + 5
    if at is None:
        assert (one.reads, other.reads) == (1, 1)


def test_what_was_compared_is_not_read_again(tmp_path: Path) -> None:
    trace(tmp_path, plain(range(1, 101)), 0)
    trace(tmp_path, plain([*range(1, 33), *range(64, 101, 4)], 96), 1)
    one, other = Counted(tmp_path, 0), Counted(tmp_path, 1)
    comparison = Comparison(one, other)
    found = comparison.parting()
    assert found == Parting(96, 92, 1, 1, 1)
    reads = one.reads
    assert comparison.parting() == found
    assert one.reads == reads


# -- reading


def test_the_guest_writes_what_the_host_reads() -> None:
    assert guest.RECORD.format == module.RECORD.format
    assert module.RECORDS.itemsize == module.RECORD.size
    assert guest.HEADER.format == module.HEADER.format
    assert guest.VERSION == module.VERSION
    assert guest.DIGEST_BYTES == module.DIGEST_BYTES


def test_records_and_rows(tmp_path: Path) -> None:
    found = trace(tmp_path, {1: (4, (7, 8)), 3: (5, (9,)), 100: (5, ())}, rows_limit=40)
    assert len(found) == 3
    assert found.steps.tolist() == [1, 3, 100]
    assert [(r.layout, r.tensors) for r in map(found.record, range(3))] == [(4, 2), (5, 1), (5, 0)]
    assert found.record(1).root == found.records()["root"][1].tobytes()
    assert found.record(1).chain == found.records()["chain"][1].tobytes()
    assert found.row(0) == (b"00000007", b"00000008")
    assert found.row(1) is not None
    with pytest.raises(IndexError, match="record 3 of 3"):
        found.record(3)


def test_a_log_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    found = StepTrace(tmp_path, 0)
    assert (len(found), found.steps.size) == (0, 0)
    trace(tmp_path, plain([1]))
    assert len(found) == 0
    assert found.refresh() == 1


@settings(deadline=None)
@given(st.integers(0, 16 + 3 * 48))
def test_a_record_counts_when_it_is_whole(size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole = trace(Path(folder), plain([1, 2, 3]))
        whole.path.write_bytes(whole.path.read_bytes()[:size])
        cut = StepTrace(Path(folder), 0)
        assert len(cut) == max(0, (size - 16) // 48)
        assert cut.steps.tolist() == [1, 2, 3][: len(cut)]


def test_a_log_that_begins_anew_is_followed(tmp_path: Path) -> None:
    found = trace(tmp_path, plain([1, 2, 3]))
    trace(tmp_path, plain([5]))
    assert found.refresh() == 1
    assert found.steps.tolist() == [5]


# -- damage


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"PK", "begins with b'PK'"),
        (b"not a log of steps at all", "begins with b'not a lo'"),
        (b"nd-steps\2\0\0\0\x30\0\0\0", "version 2 with records of 48 bytes"),
        (b"nd-steps\1\0\0\0\x20\0\0\0", "version 1 with records of 32 bytes"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "steps-0.bin").write_bytes(data)
    with pytest.raises(ValueError, match=says):
        StepTrace(tmp_path, 0)


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_steps_that_do_not_grow_are_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    good, bad = pair(tmp_path, plain([1, 2, 3]), plain([1, 2, 3]), 0)
    with bad.path.open("r+b") as file:
        file.seek(-48, 2)
        file.write(bytes(48))
    for look in (lambda: bad.steps, lambda: parting(good, bad), lambda: differing_map(good, bad)):
        with pytest.raises(ValueError, match="step 0 comes after step 2"):
            look()


def test_a_chain_that_parts_alone_is_damage(tmp_path: Path) -> None:
    one, other = pair(tmp_path, plain([1, 2]), plain([1, 2]), 0)
    with other.path.open("r+b") as file:
        file.seek(16 + 48 + 16)
        file.write(bytes(16))
    with pytest.raises(ValueError, match="equal up to step 2, but not their chains"):
        parting(one, other)


def test_what_was_lost_is_told(tmp_path: Path) -> None:
    found = trace(tmp_path, plain([1, 2]))
    rows = found.rows_path.read_bytes()
    found.rows_path.write_bytes(rows[:-1])
    assert found.row(0) is not None
    with pytest.raises(ValueError, match=r"rows-0.bin: it has lost the row of 24 bytes from .* 24"):
        found.row(1)
    found.rows_path.unlink()
    with pytest.raises(ValueError, match="lost the row"):
        found.row(0)
    found.path.write_bytes(found.path.read_bytes()[:-1])
    for look in (lambda: found.record(1), found.records):
        with pytest.raises(ValueError, match="lost record 1"):
            look()


# -- the map


@settings(deadline=None)
@given(both=courses(), rows_limit=st.sampled_from([200, 1 << 20]), most=st.integers(1, 70))
def test_the_map_shows_the_tensors_that_differ(
    both: tuple[Course, Course], rows_limit: int, most: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        traces = pair(Path(folder), *both, rows_limit)
        steps, differing = differing_map(*traces, most)
        rows = kept(traces[0]) & kept(traces[1])
    one, other = both
    alike = sorted(rows)
    assert len(steps) <= most
    assert differing.shape == (2 if alike else 0, len(steps))
    layouts = {one[int(step)][0] for step in steps}
    assert len(layouts) == (1 if alike else 0)
    candidates = [step for step in alike if one[step][0] in layouts]
    if len(candidates) <= most:
        assert steps.tolist() == candidates
    for column, step in enumerate(map(int, steps)):
        a, b = one[step][1], other[step][1]
        assert differing[:, column].tolist() == [x != y for x, y in zip(a, b, strict=True)]
    found = oracle(one, other, (rows, rows))
    if found is not None and found.tensor is not None:
        assert found.step in steps


@pytest.mark.parametrize("at", [1, 3, 400, 998, 1000, None])
def test_a_long_map_is_dense_around_the_parting(tmp_path: Path, at: int | None) -> None:
    every = range(1, 1001)
    one, other = pair(tmp_path, plain(every), plain(every, at, tensor=2), 1 << 20)
    steps, differing = differing_map(one, other, 100)
    assert 90 <= len(steps) <= 100
    assert steps[0] == 1
    assert steps[-1] == 1000
    assert np.all(np.diff(steps.astype(int)) <= 1000 / 49 + 1)
    around = range(max(1, (at or 1000) - 12), min(1000, (at or 1000) + 36) + 1)
    assert set(around) <= set(steps.tolist())
    assert differing.shape == (3, len(steps))
    assert not differing[:2].any()
    assert differing[2].tolist() == [at is not None and step >= at for step in steps.tolist()]


def test_the_map_keeps_to_the_layout_at_the_parting(tmp_path: Path) -> None:
    one = {1: (1, (0,)), 2: (2, (0, 0)), 3: (2, (0, 0)), 4: (3, (0, 0, 0))}
    for at, columns in [(1, [1]), (3, [2, 3]), (4, [4])]:
        layout, values = one[at]
        other = {**one, at: (layout, (1, *values[1:]))}
        steps, differing = differing_map(*pair(tmp_path, one, other, 1000))
        assert steps.tolist() == columns
        assert differing[0].tolist() == [step == at for step in columns]
