"""The workers of a diagnosis: who has come and who is gone, and which of them runs a trial."""

from __future__ import annotations

import collections
import concurrent.futures
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from nondet.host.executors.cluster.engine import Engine, Refusal
from nondet.host.executors.cluster.placement import Roster, Seat
from nondet.host.executors.cluster.running import Fate
from nondet.host.executors.interface import ExecutorError, Machine

WATCH_SECONDS = 1.0
GATHER_SECONDS = 15.0
"""How long others are waited for once a worker is ready."""
SCHEDULER_SECONDS = 60.0
"""Without an answer for so long, the scheduler is taken for lost."""
MOST_SILENT = 2
"""Trials of a worker, one after another, for which nobody there answered any more. It is surveyed
anew after each; after one more it gets none."""
TELL_SECONDS = 20.0
CLOSE_SECONDS = 20.0
ASLEEP = 0.05
Told = dict[str, Any]
Survey = Callable[[str], concurrent.futures.Future[Told]]
"""Asks a worker what it is; it answers as attendants do (attendant.py), or with an error."""


class Crew:
    """Watches the workers from a thread of its own. Its methods may be called from any."""

    def __init__(
        self,
        engine: Engine,
        survey: Survey,
        check: Callable[[], None],
        tell: Callable[[str], None],
        named: str | None = None,
    ) -> None:
        """`check` may raise KeyboardInterrupt; `tell`: a line for people; `named`: the GPUs that
        the user's environment names."""
        self._engine, self._survey, self._check, self._tell = engine, survey, check, tell
        self._lock = threading.RLock()
        self._roster = Roster(named)
        self._surveys: dict[str, concurrent.futures.Future[Told]] = {}
        self._refused: dict[str, Refusal] = {}
        """By worker, of those that can't run trials."""
        self._told_refusals: set[Refusal] = set()
        self._silent = collections.Counter[str]()
        """By worker, the trials for which nobody there answered any more, since one has ended."""
        self._again: set[str] = set()
        """Workers that are to be surveyed anew."""
        self._there: set[str] = set()
        self._answered, self._failure = time.monotonic(), ""
        self._empty_since: float | None = None
        self._told = time.monotonic()
        """When it was last said that a worker is waited for."""
        self.chosen: Mapping[str, Any] = {}
        """What the attendant of a worker of the kind has told that trials are kept on."""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join(CLOSE_SECONDS)

    # -- watching

    def _watch(self) -> None:
        while not self._closing.is_set():
            try:
                there = self._engine.workers()
                with self._lock:
                    self._take_in(there)
            except Exception as error:  # whatever the engine and the network come up with
                self._failure = str(error)
            else:
                self._answered, self._failure = time.monotonic(), ""
            self._closing.wait(WATCH_SECONDS)

    def _take_in(self, there: set[str]) -> None:
        for worker in (there - self._there) | (there & self._again):
            if why := self._engine.unfit(worker):
                self._refused[worker] = Refusal(slug="executor-worker", message=why)
            else:
                self._surveys[worker] = self._survey(worker)
            self._again.discard(worker)
        for worker in self._there - there:
            self._roster.remove(worker)
            self._again.discard(worker)
            self._refused.pop(worker, None)
            self._silent.pop(worker, None)
            if (survey := self._surveys.pop(worker, None)) is not None:
                survey.cancel()
        self._there = there
        for worker, survey in list(self._surveys.items()):
            if survey.done():
                del self._surveys[worker]
                self._take_on(worker, survey)

    def _take_on(self, worker: str, survey: concurrent.futures.Future[Told]) -> None:
        """Make a worker a seat, or keep why it can't be one."""
        try:
            told = survey.result()
        except concurrent.futures.CancelledError:
            return
        except Exception as error:
            told = {"lost": f"{type(error).__name__}: {error}"}
        if "lost" in told:
            self._refused[worker] = Refusal(slug="executor-worker", message=told["lost"])
        elif "error" in told:
            self._refused[worker] = Refusal(*told["error"])
        else:
            self._roster.add(worker, told)

    def doubt(self, failure: str) -> None:
        """The scheduler could not be reached just now: no trial goes there until it answers."""
        self._failure = failure

    def _alive(self) -> None:
        """Raises ExecutorError when the scheduler has not answered for long."""
        if time.monotonic() - self._answered > SCHEDULER_SECONDS:
            raise ExecutorError(
                "executor-scheduler",
                f"{self._engine.name} does not answer any more ({self._failure or 'no word'}): "
                "see that its scheduler runs, then go on with --resume",
            )

    # -- waiting

    def gather(self) -> None:
        """Wait for workers, and settle on a kind of machine. Raises ExecutorError."""
        began, ready = time.monotonic(), 0.0
        while True:
            self._check()
            self._alive()
            now = time.monotonic()
            with self._lock:
                seats, refused = len(self._roster.seats), dict(self._refused)
                all_here = not self._surveys and seats + len(refused) >= self._engine.coming
                ready = (ready or now) if seats else 0.0
                if seats and (all_here or now - ready > GATHER_SECONDS):
                    self._roster.choose()
                    self.chosen = self._roster.fitting(False)[0].told
                    break
            if not seats:
                if refused and all_here:
                    raise self._none_fits(refused)
                self._wait_on(began, now)
            self._tell_refusals()
            time.sleep(ASLEEP)
        self._tell_refusals()

    def _wait_on(self, since: float, now: float) -> None:
        """Say now and then what is waited for. Raises ExecutorError when that has been too long."""
        if now - since > self._engine.waits:
            raise ExecutorError(
                "executor-no-worker",
                f"{self._engine.name} has no worker that can run trials, after "
                f"{self._engine.waits:g} s{self._why_none()}: start some, then go on with "
                "--resume",
            )
        if now - max(since, self._told) > TELL_SECONDS:
            self._told = now
            self._tell(f"waiting for a worker of {self._engine.name}")

    def _tell_refusals(self) -> None:
        """Say once of each reason which worker it keeps from running trials."""
        with self._lock:
            refused = list(self._refused.items())
        for worker, why in refused:
            if why not in self._told_refusals:
                self._told_refusals.add(why)
                self._tell(f"worker {worker} gets no trial: {why.message}")

    def _why_none(self) -> str:
        """What is known of workers that are there, in brackets; empty where there is none."""
        with self._lock:
            refused, asked = list(self._refused.items()), len(self._surveys)
        if asked:
            return f" ({asked} did not answer: tasks of others may keep them busy)"
        return f" (worker {refused[-1][0]}: {refused[-1][1].message})" if refused else ""

    def _none_fits(self, refused: Mapping[str, Refusal]) -> ExecutorError:
        worker, why = next(iter(refused.items()))
        todo = {
            "executor-folder": "the script's folder and the output folder must be on a file system "
            "that all workers share, at the same path",
            "executor-python": "the script's interpreter must start at the same path on every "
            "worker",
        }
        hint = f": {todo[why.slug]}" if why.slug in todo else ""
        return ExecutorError(why.slug, f"worker {worker}: {why.message.rstrip('.')}{hint}")

    # -- what there is

    def there(self, worker: str) -> bool:
        """Whether the scheduler still knows it. Raises ExecutorError when it does not answer."""
        self._alive()
        return worker in self._there

    @property
    def workers(self) -> list[str]:
        """Those that have an attendant, or are about to, or may still have one."""
        with self._lock:
            silent = self._there.intersection(self._silent)
            return list(dict.fromkeys([*self._roster.seats, *self._surveys, *silent]))

    @property
    def kind(self) -> str:
        """The kind of machine that trials are kept on."""
        return self._roster.kind

    @property
    def kinds(self) -> list[str]:
        """All kinds that workers have now, the largest first."""
        with self._lock:
            return self._roster.kinds()

    @property
    def machines(self) -> tuple[Machine, ...]:
        """Those that ever were, in the order in which they came."""
        return tuple(self._roster.machines)

    def fitting(self) -> list[Seat]:
        """Seats, free or not, of the kind that trials are kept on."""
        with self._lock:
            return self._roster.fitting(False)

    def insist(self, module: str, elsewhere: bool) -> bool:
        """Have no trial run from now on where the subject's interpreter lacks a module. False, and
        nothing changes, where it is lacking: on a worker of the kind that trials are kept on, or,
        with `elsewhere`, on any."""
        with self._lock:
            seats = self._roster.able() if elsewhere else self._roster.fitting(False)
            if not all(seat.has(module) for seat in seats):
                return False
            self._roster.needs = module
            return True

    # -- seats

    def room(self, elsewhere: bool | None) -> bool:
        """As that of an executor."""
        self._alive()
        self._tell_refusals()
        if self._failure:
            return False
        with self._lock:
            free = self._roster.free(elsewhere) is not None
            if free or self._roster.fitting(elsewhere):
                self._empty_since = None
                return free
        now = time.monotonic()
        if self._empty_since is None:
            self._empty_since = now
        self._wait_on(self._empty_since, now)
        return False

    def take(self, trial: str, elsewhere: bool | None) -> Seat:
        """A seat for a trial, where there was room a moment ago. Raises ExecutorError."""
        while True:
            with self._lock:
                if self._roster.free(elsewhere) is not None:
                    return self._roster.take(trial, elsewhere)
            self.room(elsewhere)  # the worker was lost since; that can't go on for ever
            self._check()
            time.sleep(ASLEEP)

    def release(self, trial: str, fate: Fate) -> None:
        """The seat of a trial is free again, unless nobody answers there."""
        with self._lock:
            seat = self._roster.release(trial, fate is Fate.REFUSED)
            if seat is None:
                return
            if fate is Fate.ENDED:
                self._silent.pop(seat.worker, None)
            elif fate is Fate.SILENT:
                self._survey_again(seat.worker)

    def _survey_again(self, worker: str) -> None:
        """A worker gets no trial before it has said once more what it is."""
        self._roster.remove(worker)
        self._silent[worker] += 1
        if self._silent[worker] <= MOST_SILENT:
            self._again.add(worker)
        else:
            why = f"{self._silent[worker]} trials one after another were lost there"
            self._refused[worker] = Refusal(slug="executor-worker", message=why)
