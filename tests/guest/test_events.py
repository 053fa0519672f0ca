"""The file that a guest tells in: whole lines, by one process, whatever interrupts it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from nondet.guest import events, kept
from tests.command.running import PATIENCE


@pytest.mark.parametrize("opened", [False, True])
def test_what_comes_in_the_midst_of_a_write_waits_for_it(
    opened: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a signal's handler, or from a `__del__` that the garbage collector calls."""
    path = tmp_path / "rows"
    path.write_bytes(b"of a former process")
    file = events.Appended(str(path), fresh=True)
    if opened:
        file.open()
    look = kept.os.fstat
    offsets: list[int | None] = []

    def interrupted(number: int) -> os.stat_result:
        found = look(number)
        monkeypatch.undo()
        offsets.extend([file.write(b"second\n"), file.write(b"third\n")])
        return found

    monkeypatch.setattr(kept.os, "fstat", interrupted)
    writing = threading.Thread(target=lambda: offsets.append(file.write(b"first\n")), daemon=True)
    writing.start()
    writing.join(PATIENCE)
    assert not writing.is_alive(), "it waits for itself"
    assert offsets == [None, None, 0]
    assert file.write(b"last\n") == 19
    file.close()
    assert path.read_bytes() == b"first\nsecond\nthird\nlast\n"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_nobody_is_asked_for_what_a_forked_child_does(tmp_path: Path) -> None:
    told = events.Events(str(tmp_path / "events.jsonl"))
    asked: list[str] = []

    def unheard(event: str, data: bytes) -> bool:
        asked.append(event)
        return False

    told.unheard = unheard
    child = os.fork()
    if child == 0:
        told.emit("fit")
        os._exit(len(asked))
    assert os.waitpid(child, 0)[1] == 0
    told.emit("fit")
    assert asked == ["fit"]
