"""A trial on a worker that answers, is lost, or comes back as a ghost."""

from __future__ import annotations

import concurrent.futures
from pathlib import Path
from typing import Any

import pytest

from nondet.host.executors.cluster import lease
from nondet.host.executors.cluster.running import (
    ARRIVAL_LIMIT,
    QUEUE_SECONDS,
    STOP_LIMIT,
    ClusterRunning,
    Fate,
)
from nondet.host.executors.interface import Ended, ExecutorError
from tests.host.executors.cluster.test_lease import Clock


class Tried:
    """One trial with a worker, a clock and a manager that are all at hand."""

    def __init__(self, folder: Path, begun: bool = True) -> None:
        self.folder, self.files = folder / "t01", folder / "cluster"
        self.folder.mkdir()
        self.files.mkdir()
        self.clock = Clock()
        self.alive = True
        self.overs: list[tuple[str, Fate]] = []
        self.future: concurrent.futures.Future[dict[str, Any]] = concurrent.futures.Future()
        if begun:
            self.beat = lease.Beat(self.files / "t01.alive")
        self.attendant = lease.Beat(self.files / "w0.alive")
        signs = lease.Pulse(self.files / "w0.alive", clock=self.clock)
        self.running = ClusterRunning(
            "t01", "w0", self.folder, self.files, self.future, self, signs, self.clock
        )
        self.look = signs.look
        self.running.look()

    def there(self, worker: str) -> bool:
        return self.alive

    def over(self, trial: str, fate: Fate) -> None:
        self.overs.append((trial, fate))

    def answer(self, **changes: Any) -> None:
        told = {
            "exit_code": 0,
            "seconds": 3.0,
            "peak_memory": 7,
            "wrote": ["model.keras"],
            "stopped": False,
            "left_running": 0,
            "sizes": {},
        }
        self.future.set_result(told | changes)

    @property
    def ordered(self) -> float | None:
        return lease.ordered_stop(self.files / "t01.order")


@pytest.fixture
def tried(tmp_path: Path) -> Tried:
    return Tried(tmp_path)


def ended(tried: Tried) -> Ended:
    end = tried.running.poll()
    assert end is not None
    return end


def test_it_ends_as_the_worker_says(tried: Tried) -> None:
    assert tried.running.poll() is None
    tried.answer()
    end = ended(tried)
    assert (end.exit_code, end.seconds, end.wrote, end.lost) == (0, 3.0, ("model.keras",), "")
    assert tried.overs == [("t01", Fate.ENDED)]


def test_it_has_ended_once_its_files_are_seen_here(tried: Tried) -> None:
    tried.answer(sizes={"events.jsonl": 5})
    assert tried.running.poll() is None
    (tried.folder / "events.jsonl").write_bytes(b"half")
    assert tried.running.poll() is None
    (tried.folder / "events.jsonl").write_bytes(b"whole")
    assert ended(tried).exit_code == 0


def test_files_that_never_come_make_it_lost(tried: Tried) -> None:
    tried.answer(sizes={"events.jsonl": 5})
    assert tried.running.poll() is None
    tried.clock.now += ARRIVAL_LIMIT + 1
    assert ended(tried).lost == "its files did not come"


def test_a_worker_that_is_gone_makes_it_lost(tried: Tried) -> None:
    tried.alive = False
    end = ended(tried)
    assert end.lost == "its worker was lost" and end.exit_code is None and not end.stopped
    assert tried.ordered == 0.0  # a ghost of it is to end
    assert tried.future.cancelled()


def test_no_sign_of_life_makes_it_lost(tried: Tried) -> None:
    for _ in range(3):
        tried.clock.now += lease.LEASE_SECONDS - 1
        tried.beat.beat()
        tried.running.look()
        assert tried.running.poll() is None
    tried.clock.now += lease.LEASE_SECONDS + 1
    assert "no sign of life" in ended(tried).lost
    assert tried.overs == [("t01", Fate.SILENT)]


def test_a_worker_that_has_something_else_to_do_is_not_silent(tmp_path: Path) -> None:
    tried = Tried(tmp_path, begun=False)
    tried.clock.now += QUEUE_SECONDS - 1
    tried.attendant.beat()
    tried.look()
    tried.running.look()
    assert tried.running.waiting and tried.running.poll() is None
    tried.beat = lease.Beat(tried.files / "t01.alive")
    tried.running.look()
    tried.clock.now += lease.LEASE_SECONDS - 1
    assert not tried.running.waiting and tried.running.poll() is None
    tried.clock.now += 2
    assert "no sign of life" in ended(tried).lost


def test_a_worker_that_lost_what_runs_trials_is_not_waited_for(tmp_path: Path) -> None:
    tried = Tried(tmp_path, begun=False)
    tried.clock.now += lease.LEASE_SECONDS + 1
    assert "no sign of life" in ended(tried).lost
    assert tried.overs == [("t01", Fate.SILENT)]


def test_nothing_waits_for_ever(tmp_path: Path) -> None:
    tried = Tried(tmp_path, begun=False)
    tried.clock.now += QUEUE_SECONDS + 1
    assert "did not begin" in ended(tried).lost


def test_what_is_to_end_before_it_has_begun_says_nothing_of_its_worker(tmp_path: Path) -> None:
    tried = Tried(tmp_path, begun=False)
    tried.running.stop("no longer needed")
    tried.clock.now += STOP_LIMIT + 1
    assert ended(tried).stopped == "no longer needed"
    assert tried.overs == [("t01", Fate.LOST)]


def test_what_a_ghost_answers_later_counts_for_nothing(tried: Tried) -> None:
    tried.future.set_running_or_notify_cancel()  # it can't be cancelled any more
    tried.alive = False
    lost = ended(tried)
    tried.alive = True
    tried.answer()
    assert tried.running.poll() is lost
    assert tried.overs == [("t01", Fate.LOST)]


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (lambda future: future.cancel(), Fate.LOST),
        (lambda future: future.set_exception(OSError("no route")), Fate.LOST),
        (lambda future: future.set_exception(RuntimeError("KilledWorker")), Fate.SILENT),
        (lambda future: future.set_result({"lost": "its attendant ended"}), Fate.SILENT),
    ],
)
def test_no_answer_is_no_failure_of_the_trial(tried: Tried, answer: Any, fate: Fate) -> None:
    answer(tried.future)
    assert ended(tried).lost.startswith("its worker was lost")
    assert tried.overs == [("t01", fate)]


def test_an_order_to_end_reaches_the_worker_and_its_answer_counts(tried: Tried) -> None:
    tried.running.stop("t01 and t02 have parted", 0.3)
    tried.running.stop("again")
    assert tried.ordered == 0.3
    assert tried.running.poll() is None
    tried.answer(exit_code=None, stopped=True)
    assert ended(tried).stopped == "t01 and t02 have parted"


def test_what_was_to_end_and_is_lost_has_ended(tried: Tried) -> None:
    tried.running.stop("no longer needed")
    tried.clock.now += STOP_LIMIT + 1
    tried.beat.beat()
    tried.running.look()
    end = ended(tried)
    assert end.stopped == "no longer needed" and not end.lost


def test_a_machine_that_can_not_start_it_is_not_its_fault(tried: Tried) -> None:
    tried.future.set_result({"trial": "t01", "error": ["copy-failed", "no space left"]})
    assert "no space left" in ended(tried).lost
    assert tried.overs == [("t01", Fate.REFUSED)]


def test_what_no_machine_can_do_is_an_error(tried: Tried) -> None:
    tried.future.set_result({"trial": "t01", "error": ["files-shared", "none of its own"]})
    with pytest.raises(ExecutorError) as error:
        tried.running.poll()
    assert error.value.slug == "files-shared"
    assert tried.overs == [("t01", Fate.LOST)]
