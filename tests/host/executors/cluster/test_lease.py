"""Signs of life and orders between host and workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from nondet.host.executors.cluster.lease import Beat, Pulse, order_stop, ordered_stop


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_writer_is_alive_as_long_as_its_file_changes(tmp_path: Path) -> None:
    clock = Clock()
    beat = Beat(tmp_path / "lease")
    pulse = Pulse(tmp_path / "lease", 10, clock)
    for _ in range(3):
        clock.now += 9
        beat.beat()
        pulse.look()
        assert not pulse.stale
    clock.now += 9
    pulse.look()
    assert not pulse.stale
    clock.now += 2
    pulse.look()
    assert pulse.stale and not pulse.over


def test_a_file_that_is_gone_or_half_written_is_no_sign_of_life(tmp_path: Path) -> None:
    clock = Clock()
    path = tmp_path / "lease"
    beat = Beat(path)
    pulse = Pulse(path, 10, clock)
    for text in (None, "", "     ", "\xff" * 13):
        clock.now += 6
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text, encoding="latin-1")
        pulse.look()
    assert pulse.stale
    path.unlink()
    beat.beat()
    pulse.look()
    assert not pulse.stale


def test_the_end_is_told_and_the_file_stays_the_same_one(tmp_path: Path) -> None:
    path = tmp_path / "lease"
    beat = Beat(path)
    inode = path.stat().st_ino
    pulse = Pulse(path)
    beat.over()
    pulse.look()
    assert pulse.over
    # A file made anew may go unseen for long on a network file system.
    assert path.stat().st_ino == inode


@pytest.mark.parametrize(("text", "grace"), [("", None), ("stop", None), ("stop 0.3\n", 0.3)])
def test_an_order_counts_once_it_is_whole(tmp_path: Path, text: str, grace: float | None) -> None:
    path = tmp_path / "order"
    assert ordered_stop(path) is None
    path.write_text(text)
    assert ordered_stop(path) == grace


def test_the_first_order_counts(tmp_path: Path) -> None:
    path = tmp_path / "order"
    order_stop(path, 0.3)
    order_stop(path, 0.0)
    assert ordered_stop(path) == 0.3
