"""Files of others: read as data or not at all, and nothing is written through them."""

from __future__ import annotations

import os
import re
import shutil
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from nondet.guest import digests, kept
from nondet.guest import steps as guest_steps
from nondet.guest.plain_values import Plain
from nondet.host import differences, events, files, fixing, mending, output, sites, steps, trials
from nondet.host.errors import UsageError
from nondet.host.repeats import patterns
from nondet.host.steps import StepTrace
from tests import strangers
from tests.fuzzing import Trial

planted = pytest.mark.parametrize("plant", strangers.PLANTED.values(), ids=list(strangers.PLANTED))


@pytest.fixture(autouse=True)
def in_bounds() -> Iterator[None]:
    with strangers.bounded():
        yield


@planted
def test_no_data_is_not_read(tmp_path: Path, plant: strangers.Plant) -> None:
    plant(tmp_path / "x")
    with pytest.raises(files.NotData, match="no regular file|larger than 1 MiB"):
        files.read(tmp_path / "x", 1 << 20)


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(100))
    (tmp_path / "link").symlink_to(path)
    assert files.read(tmp_path / "link", 100) == bytes(100)
    with pytest.raises(files.NotData, match="larger"):
        files.read(path, 99)
    # It has no size, and much in it.
    with pytest.raises(files.NotData, match="larger"):
        files.read(Path("/proc/self/environ"), 10)
    with pytest.raises(FileNotFoundError):
        files.read(tmp_path / "none", 100)


def test_a_small_file_takes_little_memory_whatever_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "x"
    data = os.urandom(3 << 20)
    path.write_bytes(data)
    with strangers.limited(32 << 20):
        assert files.read(path, files.MOST_RECORD) == data


def test_a_large_file_takes_its_size_once(tmp_path: Path) -> None:
    """As Python counts it: how much of the system's memory that is depends on what the process has
    taken and given back before, which no limit for a reader in its midst can know."""
    size = 32 << 20
    with (tmp_path / "x").open("wb") as file:
        file.truncate(size)
    tracemalloc.start()
    try:
        data = files.read(tmp_path / "x", files.MOST_RECORD)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(data) == size
    assert most < size + files.CHUNK


def test_a_file_that_grows_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"ab")
    look = os.fstat

    def grow(handle: int) -> os.stat_result:
        state = look(handle)
        with path.open("ab") as file:
            file.write(b"cd")
        return state

    # Once as it is opened, once as its size is asked for.
    monkeypatch.setattr(os, "fstat", grow)
    assert files.read(path, 6) == b"abcdcd"
    with pytest.raises(files.NotData, match="larger"):
        files.read(path, 9)


@planted
def test_records_in_a_folder(tmp_path: Path, plant: strangers.Plant) -> None:
    for kind, read in (
        (output.DIAGNOSIS, output.read_diagnosis),
        (output.REPETITION, output.read_repetition),
        (output.PROBING, output.read_probing),
    ):
        plant(tmp_path / kind.record)
        with pytest.raises(UsageError, match=kind.record) as refused:
            read(tmp_path)
        assert refused.value.slug == "diagnosis-unreadable"


@pytest.mark.parametrize("name", ["trial.json", "events.jsonl", "steps-0.bin", "rows-0.bin"])
@planted
def test_files_of_a_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, plant: strangers.Plant
) -> None:
    monkeypatch.setattr(events, "LONGEST", 1 << 20)
    target = Trial(tmp_path / "whole")
    path = target.trial / name
    path.unlink()
    plant(path)
    trial = trials.restore(target.trial)
    if trial is None:
        assert name in ("trial.json", "events.jsonl")
        return
    found = trials.restore_all(target.trial.parent)[0]
    assert found.id == "t01"
    if name == "rows-0.bin":
        trace = StepTrace(target.trial, 0)
        with pytest.raises(ValueError, match="it has lost the row"):
            # 100 GB of zeros would be a row.
            trace.digests(1, 1 << 30)
        if plant is not strangers.vast:
            with pytest.raises(ValueError, match="it has lost the row"):
                trace.row(3)
    else:
        assert trial.fault


@planted
def test_values_logs_and_sources(tmp_path: Path, plant: strangers.Plant) -> None:
    for name in ("aa", "bb", "stdout.log", "train.py", "book.ipynb"):
        plant(tmp_path / name)
    if plant is not strangers.vast:  # which is bytes like any other, and is compared in pieces
        assert differences.distance(tmp_path, "aa", "bb", "float32") == differences.NOTHING
        found = patterns.search(patterns.read(["loss=loss (.*)"]), tmp_path)
        assert not found.matched
    trial = trials.Trial("t01", {}, "h", "?", tmp_path)
    assert not trial.tail("stdout.log").strip("\0")
    assert sites.source_lines(tmp_path / "train.py", 1) == ()
    assert mending.text_of([tmp_path], "train.py") is None


def test_a_line_of_a_log_is_read_in_pieces(tmp_path: Path) -> None:
    with (tmp_path / "stdout.log").open("wb") as file:
        file.write(b"loss 1\n")
        file.truncate(70 << 20)
        file.seek(0, 2)
        file.write(b"\nloss 2\n")
    with strangers.limited(64 << 20):
        found = patterns.search(patterns.read(["loss=loss (.)"]), tmp_path)
    assert found.values == {"loss": 2.0}


def test_a_bar_that_is_rewritten_without_end_is_cut_nowhere(tmp_path: Path) -> None:
    """Else half a number would be a number."""
    with (tmp_path / "stdout.log").open("wb") as file:
        for step in range(60_000):
            file.write(b"\rstep %d loss 12345678" % step)
    assert (tmp_path / "stdout.log").stat().st_size > patterns.CHUNK
    found = patterns.search(patterns.read([r"loss=loss (\d+)$", r"cut=loss (\d{1,7})$"]), tmp_path)
    assert found.values == {"loss": 12345678.0}


def test_a_trial_that_is_a_link_is_none(tmp_path: Path) -> None:
    target = Trial(tmp_path / "whole")
    rooms = tmp_path / "trials"
    rooms.mkdir()
    (rooms / "t01").symlink_to(target.trial)
    assert trials.restore_all(rooms) == []
    shutil.copytree(target.trial, rooms / "t02")
    assert len(trials.restore_all(rooms)) == 1


def test_the_guest_keeps_to_the_host_s_limit_of_rows() -> None:
    assert steps.ROWS_LIMIT == guest_steps.ROWS_LIMIT


def test_nothing_more_is_read_of_a_line_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LONGEST", 1 << 20)
    path = tmp_path / "events.jsonl"
    strangers.vast(path)
    reader = events.EventReader(path)
    assert reader.read() == reader.read() == []
    assert reader.damaged == 1
    assert reader.offset <= events.LONGEST + 2 * events.CHUNK


# -- writing


def test_nothing_is_written_through_what_lies_there(tmp_path: Path) -> None:
    victim, room = tmp_path / "victim", tmp_path / "room"
    victim.write_text("years of work")
    room.mkdir()
    (room / "report.html").symlink_to(victim)
    (room / "report.html.new").symlink_to(victim)
    output.write_whole(room / "report.html", b"a page")
    assert victim.read_text() == "years of work"
    assert not (room / "report.html").is_symlink()
    assert (room / "report.html").read_bytes() == b"a page"


def test_no_file_of_the_user_s_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "train.py.new").write_text("another draft")
    output.write_whole(tmp_path / "train.py", b"patched")
    assert (tmp_path / "train.py.new").read_text() == "another draft"
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_written_in_the_meantime_is_hidden_and_private(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)
    before = os.umask(0)
    try:
        with files.written(path) as file:
            (beside,) = tmp_path.iterdir()
            assert beside.stat().st_mode & 0o777 == 0o600
            assert not path.exists()
            file.write(b"x")
    finally:
        os.umask(before)
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("before")
    with pytest.raises(KeyError), files.written(path) as file:
        file.write(b"half")
        raise KeyError
    assert path.read_text() == "before"
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match=re.escape("'" + str(tmp_path / "folder") + "'")):
        output.write_whole(tmp_path / "folder", b"")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "x"]
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "none" / "y") + "'")):
        output.write_whole(tmp_path / "none" / "y", b"")


def test_a_backup_goes_through_no_link(tmp_path: Path) -> None:
    (tmp_path / "train.py.orig").symlink_to(tmp_path / "victim")
    assert fixing.backup(tmp_path / "train.py") == tmp_path / "train.py.orig2"


def test_values_go_through_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim, store = tmp_path / "victim", tmp_path / "values"
    victim.write_text("years of work")
    store.mkdir()
    monkeypatch.setattr(kept.os, "urandom", bytes)
    (store / f"ab.{os.getpid()}.{bytes(8).hex()}").symlink_to(victim)
    values = digests.Values(str(store), 100)  # type: ignore[no-untyped-call]
    values.keep("ab", Plain("uint8", (1,), b"7"))  # type: ignore[no-untyped-call]
    assert victim.read_text() == "years of work"
    assert not (store / "ab").exists()
    assert values.omitted == 1


def test_values_of_processes_with_one_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On two machines, or in two containers, that share the folder."""
    store, array = tmp_path / "values", Plain("uint8", (4,), b"four")  # type: ignore[no-untyped-call]
    store.mkdir()

    def meanwhile(handle: int, mode: int) -> None:
        """The other one writes all of it, just when this one has made its file."""
        monkeypatch.undo()
        digests.Values(str(store), 100).keep("ab", array)  # type: ignore[no-untyped-call]
        assert (store / "ab").read_bytes() == b"four"
        os.fchmod(handle, mode)

    monkeypatch.setattr(kept.os, "fchmod", meanwhile)
    values = digests.Values(str(store), 100)  # type: ignore[no-untyped-call]
    values.keep("ab", array)  # type: ignore[no-untyped-call]
    assert [path.name for path in store.iterdir()] == ["ab"]
    assert (store / "ab").read_bytes() == b"four"
    assert not values.omitted


@pytest.mark.parametrize("name", output.FOLDERS)
def test_a_folder_that_leads_elsewhere_is_not_written_to(tmp_path: Path, name: str) -> None:
    room, other = tmp_path / "room", tmp_path / "other"
    other.mkdir()
    (other / "kept").write_text("")
    room.mkdir()
    (room / "diagnosis.json").write_text("")
    (room / name).symlink_to(other)
    (room / ".writable").symlink_to(tmp_path / "made")
    with (
        pytest.raises(UsageError) as refused,
        output.prepared(room, resume=True, force=False),
    ):
        pass
    assert refused.value.slug == "output-leads-elsewhere"
    with output.prepared(room, resume=False, force=True):
        assert not (room / name).exists()
    assert list(other.iterdir()) == [other / "kept"]
    assert not (tmp_path / "made").exists()


# -- room held for the end


def test_room_is_held_by_a_file_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "SHARE", 1)
    free = shutil.disk_usage(tmp_path).free
    with output.reserved(tmp_path) as release:
        assert list(tmp_path.iterdir()) == []
        (held,) = held_in(tmp_path)
        assert held.st_size == output.RESERVE
        assert held.st_blocks * 512 >= output.RESERVE
        release()
        assert held_in(tmp_path) == []
    assert free > output.RESERVE


def test_nothing_is_held_on_a_small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "SHARE", 2**40)
    with output.reserved(tmp_path) as release:
        assert held_in(tmp_path) == []
        release()


def held_in(folder: Path) -> list[os.stat_result]:
    """Files that this process has open there."""
    found = []
    for entry in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{entry}").startswith(f"{folder}/"):
                found.append(os.stat(f"/proc/self/fd/{entry}"))
        except OSError:
            continue
    return found
