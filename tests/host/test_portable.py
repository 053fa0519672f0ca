"""Archives of strangers: no more is unpacked than a recorded run has, and by no other unpacker."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nondet.host import across, differences, portable
from nondet.host.errors import UsageError
from tests import strangers
from tests.fuzzing_records import ARCHIVE, Recorded
from tests.host.written import Written


@pytest.fixture(autouse=True)
def in_bounds() -> Iterator[None]:
    with strangers.bounded(256 << 20):
        yield


@pytest.fixture
def target(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path / "target")


@pytest.fixture
def path(target: Recorded) -> Path:
    """A recorded run that is whole."""
    path = target.folder / ARCHIVE
    path.write_bytes(target.files[ARCHIVE])
    return path


def refused(path: Path, words: str) -> None:
    with pytest.raises(UsageError, match=words) as error, portable.opened(path):
        raise AssertionError("it was opened")
    assert error.value.slug == "recording-unreadable"


def test_a_whole_one_is_opened(path: Path) -> None:
    with portable.opened(path) as one:
        assert len(list(one.values.iterdir())) == 18
        assert one.trial.checkpoints


def test_a_small_one_takes_little_memory(path: Path) -> None:
    with strangers.limited(48 << 20), portable.opened(path) as one:
        assert one.trial.checkpoints


@pytest.mark.parametrize("name", ["MOST", "MOST_MEMBERS", "MOST_HEAD"])
def test_limits(path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with zipfile.ZipFile(path) as archive:
        sizes = [member.file_size for member in archive.infolist()]
        head = archive.getinfo(portable.HEAD).file_size
    most = {"MOST": sum(sizes), "MOST_MEMBERS": len(sizes), "MOST_HEAD": head}[name]
    monkeypatch.setattr(portable, name, most)
    with portable.opened(path):
        pass
    monkeypatch.setattr(portable, name, most - 1)
    refused(path, "more than any recorded run does|run.json holds more")


def test_the_limits_are_what_the_messages_say() -> None:
    assert portable.MOST == 64 << 30
    assert portable.MOST_MEMBERS == 1_000_000
    assert portable.MOST_HEAD == 16 << 20


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_unpackers_are_not_used(path: Path, method: int) -> None:
    """A mebibyte of theirs may hold gigabytes, which come at once."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("values/" + "a" * 16, bytes(1 << 20), method)
    refused(path, "packed in a way")


def test_a_member_gives_out_no_more_than_it_claims(path: Path) -> None:
    """The head has 400 MiB of zeros and more, and claims eight bytes."""
    chunk = bytes(12_345_678)
    size = 34 * len(chunk)
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(portable.HEAD, "w") as head,
    ):
        for _ in range(34):
            head.write(chunk)
    data = path.read_bytes()
    assert data.count(struct.pack("<I", size)) == 2
    path.write_bytes(data.replace(struct.pack("<I", size), struct.pack("<I", 8)))
    refused(path, "damaged|no run.json")


def test_the_list_of_members_is_as_long_as_the_disk(path: Path) -> None:
    whole = path.read_bytes()
    end = bytearray(whole[-22:])
    end[12:16] = struct.pack("<I", 0xFFFFFFF0)
    with path.open("wb") as file:
        file.write(whole[:-22])
        file.seek(8 << 30)
        file.write(end)
    # It is refused before any memory is taken for that.
    with strangers.limited(48 << 20):
        refused(path, "claims to hold more")


@pytest.mark.parametrize("plant", strangers.PLANTED.values(), ids=list(strangers.PLANTED))
def test_what_is_no_archive(tmp_path: Path, plant: strangers.Plant) -> None:
    plant(tmp_path / "a.nd")
    refused(tmp_path / "a.nd", "no regular file|no recorded run")


def test_a_name_that_comes_twice(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("trial/trial.json", b"{}")
    refused(path, "something twice")


def test_names_that_are_no_text(path: Path) -> None:
    data = path.read_bytes()
    at = data.rindex(b"trial/trial.json")
    flags = data.rindex(b"PK\x01\x02", 0, at) + 8
    data = data[:flags] + b"\x00\x08" + data[flags + 2 : at] + b"\xff" + data[at + 1 :]
    path.write_bytes(data)
    refused(path, "no recorded run")


def test_a_digest_names_no_other_file(
    tmp_path: Path, target: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What events call a digest may be the path of any file."""
    asked: list[Path] = []

    def between(one: Path, other: Path, dtype: str) -> differences.Distance:
        asked.extend((one, other))
        return differences.NOTHING

    monkeypatch.setattr(differences, "between", between)
    opened = []
    for name, digests in (("one", ["../../secret", "aa"]), ("other", ["/etc/passwd", "bb"])):
        trial = Written(tmp_path, name)
        tensors = [["secret", "uint8", [1]], ["own", "uint8", [1]]]
        trial.emit("layout", id=1, model="m", index=-1, tensors=tensors)
        place = {"kind": "user", "model": "m", "index": -1, "layout": 1, "fit": 0, "epoch": 0}
        trial.emit("checkpoint", **place, step=0, digests=digests)
        run, heard = target.other.run, trial.heard("completed")
        opened.append(portable.Opened(tmp_path / name, run, heard, tmp_path / "values"))
    found = across.compare(*opened)
    assert found.first is not None and found.first.differing == 2
    assert {path.name for path in asked} == {"aa", "bb"}
