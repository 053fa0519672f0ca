"""The reader of a file that grows, and that others may lay hands on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nondet.guest.events import encoded
from nondet.host import events
from nondet.host.events import EventReader, ValuesOmitted


def line(tensors: int) -> bytes:
    return json.dumps({"event": "values-omitted", "tensors": tensors}).encode() + b"\n"


def read(reader: EventReader) -> list[int]:
    return [event.tensors for event in reader.read() if isinstance(event, ValuesOmitted)]


def test_a_line_counts_once_its_end_has_come(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    reader = EventReader(path)
    assert read(reader) == []
    path.write_bytes(line(1) + line(2)[:9])
    assert read(reader) == [1]
    with path.open("ab") as file:
        file.write(line(2)[9:] + line(3))
    assert read(reader) == [2, 3]
    assert read(reader) == []
    assert reader.damaged == 0


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_file_is_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(events, "CHUNK", size)
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(map(line, range(50))))
    assert read(EventReader(path)) == list(range(50))


@pytest.mark.parametrize(
    "data",
    [b"\n", b"{}\n", b"null\n", b'{"event": "of another kind"}\n', b"\xff\n", b"[" * 9999 + b"\n"],
)
def test_what_is_no_event_is_damage(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(line(1) + data + line(2))
    reader = EventReader(path)
    assert read(reader) == [1, 2]
    assert reader.damaged == 1


def test_of_a_line_without_end_little_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "CHUNK", 100)
    monkeypatch.setattr(events, "LONGEST", 1000)
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"x" * 5000)
    reader = EventReader(path)
    assert read(reader) == []
    assert reader.damaged > 0
    assert len(reader.rest) <= 1100


@pytest.mark.parametrize("how", ["cut", "gone"])
def test_what_is_taken_away_is_damage(tmp_path: Path, how: str) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(line(1) + line(2))
    reader = EventReader(path)
    assert read(reader) == [1, 2]
    path.write_bytes(line(1)) if how == "cut" else path.unlink()
    assert read(reader) == []
    assert reader.damaged == 1


def test_layouts_that_are_equal_are_kept_once() -> None:
    layout = {"id": 1, "model": "m", "index": 0, "tensors": [("kernel", "float32", (2, 3))]}
    line = encoded({**layout, "event": "layout"}).rstrip()  # type: ignore[no-untyped-call]
    assert events.decode(line) is events.decode(bytes(bytearray(line)))
