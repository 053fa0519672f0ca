"""What a child that is the trial tells when its parent says that it is none."""

from __future__ import annotations

import json
import types
from pathlib import Path

from nondet.guest import events, launching


def listening(folder: Path) -> tuple[events.Events, Path]:
    """What a child tells with, and the file by which its parent silences it."""
    telling = events.Events(str(folder / "events.jsonl"))
    muted = folder / ("plan.json" + launching.MUTED)
    session = types.SimpleNamespace(events=telling)
    launching.listen(session, str(muted))
    return telling, muted


def told(folder: Path) -> list[tuple[str, str]]:
    lines = map(json.loads, (folder / "events.jsonl").read_text().splitlines())
    return [(line["event"], line.get("kind", "")) for line in lines]


def test_a_child_is_silent_from_then_on(tmp_path: Path) -> None:
    telling, muted = listening(tmp_path)
    for event in ("fit", "checkpoint", "checkpoint"):
        telling.emit(event)
    muted.touch()
    for event in ("checkpoint", "checkpoint", "finished"):
        telling.emit(event)
    assert told(tmp_path) == [(e, "") for e in ("fit", "checkpoint", "checkpoint", "elsewhere")]


def test_a_child_that_is_silenced_while_it_writes_its_first_checkpoint(tmp_path: Path) -> None:
    """The parent finds nothing recorded, and trains itself: there are two courses."""
    telling, muted = listening(tmp_path)
    write = telling.file.write

    def late(data: bytes) -> None:
        assert told(tmp_path) == []
        muted.touch()
        write(data)

    telling.file.write = late
    telling.emit("checkpoint")
    telling.emit("checkpoint")
    assert told(tmp_path)[:2] == [("checkpoint", ""), ("crashed", launching.SEVERAL)]
    assert [event for event, _ in told(tmp_path)[2:]] == ["elsewhere"]
