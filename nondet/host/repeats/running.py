"""Runs trials of one plan to their end, as many as asked for; none is stopped for what it shows."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nondet.host import own_code, planning, trials
from nondet.host.executors.interface import Executor
from nondet.host.laboratory import POLL_SECONDS, TELL_SECONDS, Laboratory
from nondet.host.placing import Placing
from nondet.host.standing import FAILED
from nondet.host.trials import Trial
from nondet.host.watching import Watcher
from nondet.record import Arm
from nondet.search.questions import Question

HOPELESS = 3
"""Runs of a plan that fail, without any that comes to its end, after which no more are started."""


class Repeater(Laboratory):
    """Runs and keeps trials of one subject, each started by itself in a fresh folder."""

    def __init__(
        self,
        settings: planning.Settings,
        executor: Executor,
        watcher: Watcher,
        *,
        jobs: int,
        timeout: float | None = None,
        deadline: float | None = None,
        check: Callable[[], None] = lambda: None,
        placing: Placing | None = None,
    ) -> None:
        """As for a laboratory. After the deadline no trial is started; those that run go on, since
        to stop them would leave out the slow ones."""
        super().__init__(
            settings,
            executor,
            watcher,
            jobs=jobs,
            factors=(),
            timeout=timeout,
            deadline=deadline,
            max_trials=sys.maxsize,
            check=check,
            placing=placing,
        )

    def restore(self, folder: Path) -> int:
        """Take over the trials of an earlier session that ended by themselves; how many count.

        Those that failed as well: to run them again until they don't would hide how often they do.
        One that took too long is run again, since the limit may be another now.
        """
        self.trials = [
            trial
            for trial in own_code.of_now(trials.restore_all(folder))
            if trial.plan == planning.plan_hash(self.settings, trial.held)
            and trial.outcome in ("completed", "crashed", "killed")
        ]
        return sum(not trial.alone_again for trial in self.trials)

    def ended(self, held: Mapping[str, Arm]) -> list[Trial]:
        """Trials of a plan that came to an end of their own, or took too long.

        Not those that may have been killed only because others ran beside them.
        """
        group = [trial for trial in self.of_plan(held) if not trial.alone_again]
        return [trial for trial in group if trial.outcome in ("completed", *FAILED)]

    @property
    def late(self) -> bool:
        """Whether no more trials may be started."""
        return self.deadline is not None and time.monotonic() > self.deadline

    def repeat(
        self,
        text: str,
        held: Mapping[str, Arm],
        free: Sequence[str],
        count: int,
        later: int = 0,
        useless: Callable[[Sequence[Trial]], bool] = lambda ended: False,
    ) -> None:
        """Run trials until `count` of this plan have ended, or the time is up.

        `later`: trials still to come after these, for the estimate of the time left. `useless` is
        asked whether it makes sense to go on, given those that have ended.
        """
        question = Question(text, held, count - 1)
        if (left := count - len(self.ended(held))) > 0:
            self.watcher.question(text, tuple(held), free, left)
        looked, ended = -1, list[Trial]()
        try:
            while True:
                self.check()
                for trial in list(self.running):
                    self._poll(trial)
                running = self.running
                if looked != (looked := len(self.trials) - len(running)):
                    ended = self.ended(held)
                self._tell(len(ended), count, later)
                hopeless = len(ended) >= HOPELESS and not any(trial.whole for trial in ended)
                over = self.late or hopeless or useless(ended)
                if not running and (over or len(ended) >= count):
                    return
                room = len(ended) + len(running) < count and len(running) < self.jobs
                if not over and room and self._start(question, ""):
                    continue
                time.sleep(POLL_SECONDS)
        finally:
            self._stop_all("interrupted")

    def _tell(self, ended: int, count: int, later: int) -> None:
        now = time.monotonic()
        if now - self.told < TELL_SECONDS:
            return
        self.told = now
        whole = self.longest if self.completed() else None
        for trial in self.running:
            seconds = now - trial.started
            self.watcher.trial_progress(trial.id, len(trial.checkpoints), whole, seconds)
        single = self.single_run_seconds()
        if single:
            rounds = -(-max(0, count - ended) // self.jobs) + -(-later // self.jobs)
            self.watcher.remaining(single * rounds)
