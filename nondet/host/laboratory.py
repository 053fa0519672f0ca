"""Answers questions by running trials: starts them, compares them as they run, stops them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence

from nondet.host import evidence, machine, output, planning, trials
from nondet.host.executors.interface import Executor, Launch
from nondet.host.store import Store
from nondet.host.trials import Trial
from nondet.host.watching import Watcher
from nondet.record import Arm
from nondet.search.questions import Answer, BudgetSpent, Question
from nondet.verdict import Verdict, compare

POLL_SECONDS = 0.03
TELL_SECONDS = 0.25
CRASHES = 2
"""Crashed trials of one plan after which the plan counts as one that can't run; one is enough
as long as no trial of any plan has come to its end."""
OUT_OF_MEMORY = -9
"""Exit code of a process that the kernel killed, mostly for want of memory."""


class Laboratory(Store):
    """Runs trials of one subject on one executor."""

    def __init__(
        self,
        settings: planning.Settings,
        executor: Executor,
        watcher: Watcher,
        *,
        jobs: int,
        factors: tuple[str, ...],
        timeout: float | None = None,
        deadline: float | None = None,
        max_trials: int,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """`check` is called where nothing is half done, and may raise KeyboardInterrupt."""
        super().__init__(settings)
        self.executor = executor
        self.watcher = watcher
        self.jobs = jobs
        self.factors = factors
        self.timeout = timeout
        self.deadline = deadline
        self.max_trials = max_trials
        self.check = check
        self.told = 0.0
        self.clashing: set[str] = set()
        """Factors whose pins let a trial fail on what the former one left."""

    def _group(self, question: Question) -> list[Trial]:
        """The trials that bear on a question; the first is what the others are compared with."""
        group = self.of_plan(question.held)
        if question.reference is None:
            return group
        whole = [t for t in self.counting(question.reference) if t.outcome == "completed"]
        return whole[:1] + group

    # -- asking

    def ask(self, question: Question) -> Answer:
        """Run trials until the question is settled. Raises BudgetSpent."""
        free = [name for name in self.factors if name not in question.held]
        wanted = self._wanted(question)
        varied = tuple(name for name, arm in question.held.items() if arm == "varied")
        pinned = tuple(name for name in question.held if name not in varied)
        self.watcher.question(question.text, pinned, free, wanted, varied)
        try:
            while True:
                self.check()
                self._listen(question)
                answer = self._answer(question)
                if answer is not None:
                    return answer
                self._fill(question)
                time.sleep(POLL_SECONDS)
        finally:
            self._stop_all("no longer needed")

    def _wanted(self, question: Question) -> int:
        """Trials that settle the question when they agree.

        What a former run left shows only in a trial that starts from it; those that start side
        by side before any has ended don't.
        """
        wanted = max(question.agreeing + 1, 2)
        if question.reference is not None or not self._carries(question.held):
            return wanted
        if not any(trial.wrote for trial in self.trials):
            return wanted
        fresh = sum(not trial.chained for trial in self.counting(question.held))
        return max(wanted, 3, fresh + 1)

    def _carries(self, held: Mapping[str, Arm]) -> bool:
        """Whether trials of this plan start from what the former one left."""
        if "leftovers" not in self.factors or "leftovers" in held:
            return False
        return not self.clashing & held.keys()

    def _clashes(self, question: Question, failed: Sequence[Trial], done: Sequence[Trial]) -> bool:
        """Whether trials fail only where they start from what another left.

        A script that names its folder by the time or by chance finds that very folder there once
        these are pinned: that is of our making. From then on such plans start from a fresh folder.
        """
        if not question.held or not any(t.chained for t in failed):
            return False
        if all(t.chained for t in done):
            return False
        self.clashing |= question.held.keys()
        return True

    def _answer(self, question: Question) -> Answer | None:
        group = self._group(question)
        usable = [trial for trial in group if trial.counts]
        parted = [t for t in usable if t.witness is not None]
        running = [t for t in group if t.outcome is None]
        compared = [t for t in usable[1:] if t.witness is not None or t.matched]
        enough = len(parted) >= question.parting or len(compared) >= 2 * max(
            question.agreeing, question.parting
        )
        if parted and enough:
            pair = [usable[0], parted[0]]
            if question.to_end and any(t in running for t in pair):
                self._stop([t for t in running if t not in pair], "another pair has parted")
                return None
            self._stop(running, f"{pair[0].id} and {pair[1].id} have parted")
            return self._told(Verdict.DIVERGES, usable)
        if parted and not question.to_end:
            # What has parted has said all it can, and its first trial with it.
            self._stop([usable[0], *parted], f"parts from {usable[0].id}, or the other way round")
        failed = [t for t in group if t.outcome in ("crashed", "killed", "timed-out")]
        failed = [t for t in failed if not t.alone_again]
        done = [t for t in usable if t.outcome == "completed"]
        if self._clashes(question, failed, done) or self.clashing & question.held.keys():
            failed = [t for t in failed if not t.chained]
        enough_crashes = CRASHES if self.completed() else 1
        if len(failed) >= enough_crashes or any(t.outcome == "timed-out" for t in failed):
            self._stop(running, "another trial of this plan failed")
            return self._told(Verdict.BROKEN, usable, broken=failed[-1].note, failed=failed)
        if done and not any(t.checkpoints for t in self.trials):
            self._stop(running, "there is nothing to compare")
            return self._told(Verdict.UNSURE, usable)
        if not parted and len(done) >= self._wanted(question):
            return self._told(Verdict.AGREES, done)
        return None

    def _told(
        self, verdict: Verdict, group: list[Trial], broken: str = "", failed: Sequence[Trial] = ()
    ) -> Answer:
        self._drain()
        parted = [t for t in group if t.witness is not None]
        compared = [t for t in group[1:] if t.witness is not None or t.matched]
        shown = group if verdict is not Verdict.DIVERGES else [group[0], *parted]
        return Answer(
            verdict,
            tuple(t.id for t in shown),
            comparisons=len(compared),
            divergences=len(parted),
            exercised=evidence.exercised(self.trials, self.factors),
            suspected=evidence.suspected(self.trials, self.factors),
            leads=evidence.leads(self.trials, self.factors),
            settled=evidence.settled(self.trials, self.factors),
            broken=broken,
            blamed=evidence.blamed(failed),
        )

    # -- running

    def _fill(self, question: Question) -> None:
        """Start trials while there is room and need. Raises BudgetSpent."""
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise BudgetSpent
        useful = [trial for trial in self._group(question) if trial.counts]
        running = [t for t in self.trials if t.outcome is None]
        parted = [t for t in useful if t.witness is not None]
        # One that parted is no use for agreeing; it leaves room for another that may part too.
        wanted = self._wanted(question) + (len(useful) if parted else 0)
        if parted and question.parting <= len(parted):
            return
        room = min(self.jobs - len(running), wanted - len(useful))
        if parted:
            comparing = [t for t in running if not t.extends]
            room = min(room, question.parting - len(parted) - len(comparing))
        for _ in range(room):
            if self._must_wait(question, useful):
                return
            if len(self.trials) >= self.max_trials:
                if running:
                    return
                raise BudgetSpent
            useful.append(self._start(question))
            running.append(useful[-1])

    def _must_wait(self, question: Question, group: list[Trial]) -> bool:
        """A trial that is to start from the former one's files needs that one to have ended."""
        wrote = any(trial.wrote for trial in self.trials)
        if not wrote or not self._carries(question.held) or len(group) < 2:
            return False
        if question.reference is not None:
            return False
        running = any(trial.outcome is None for trial in group)
        return running and self.left(question.held) is None

    def _start(self, question: Question) -> Trial:
        rooms = self.settings.output / "trials"
        taken = max((trials.number(path.name) for path in rooms.iterdir()), default=0)
        name = f"t{taken + 1:02d}"
        folder = rooms / name
        folder.mkdir(mode=0o700)
        held = dict(question.held)
        runtime = self.executor.runtime
        carries = self._carries(held) and question.reference is None
        former = self.left(held) if carries else None
        left = self.written(held) if former is not None else ()
        plan = planning.plan_file(self.settings, held, name, self.executor, left)
        # The standard library's, which can write arguments that are no valid text.
        text = json.dumps(plan, indent=2)
        output.write_whole(folder / "plan.json", text.encode(), survives_power_loss=False)
        roots = tuple(
            (seen, str(real))
            for seen, real in zip(plan["folders"], self.settings.subject.folders, strict=True)
            if seen != str(real)
        )
        trial = Trial(name, held, plan["hash"], question.text, folder, time.monotonic(), roots)
        trial.chained = former is not None
        trial.running = self.executor.start(
            Launch(
                trial=name,
                argv=planning.command(self.settings, name, runtime),
                env=planning.environment(self.settings, held, name),
                cwd=self.settings.subject.cwd,
                folders=self.settings.subject.folders,
                log_folder=folder,
                leftovers=former,
                keep_leftovers=carries,
                fixed_addresses=planning.fixed_addresses(held),
                load=machine.cores() if planning.loads(held) else 0,
            )
        )
        self.trials.append(trial)
        self.watcher.trial_started(name, question.text)
        return trial

    def _listen(self, question: Question) -> None:
        """Take in events, compare, and notice what has ended."""
        for trial in [t for t in self.trials if t.running is not None]:
            self._poll(trial)
        usable = [trial for trial in self._group(question) if trial.counts]
        reference: Trial | None = None
        if question.reference is not None and usable:
            # It belongs to another plan: what it was compared with there stays.
            reference, *usable = usable
        for trial in usable:
            trial.refer_to(reference.id if reference is not None else "")
            if reference is not None:
                self._compare(reference, trial)
            if reference is None or trial.extends:
                reference = trial
        self._tell_progress(question)

    def _poll(self, trial: Trial) -> None:
        if trial.running is None:
            return
        ended = trial.running.poll()
        trial.listen()
        if ended is None:
            if trial.fault:
                trial.running.stop(trial.fault)
            self._limit(trial)
            return
        timed_out = ended.stopped.startswith("time limit")
        if ended.exit_code == OUT_OF_MEMORY and not ended.stopped and self.jobs > 1:
            # Side by side they may have taken the memory from one another: once more, alone.
            self.jobs = 1
            self.watcher.message(f"trial {trial.id} was killed; from now on trials run one by one")
            trial.alone_again = True
        trial.ended(ended, timed_out)
        trial.save()
        self.watcher.trial_ended(trial.id, trial.outcome or "", trial.seconds, trial.note)

    def _limit(self, trial: Trial) -> None:
        limit = self.time_limit()
        if limit is None or trial.running is None:
            return
        if time.monotonic() - trial.started > limit:
            trial.running.stop(f"time limit of {limit:g} s")

    def time_limit(self) -> float | None:
        """Seconds a trial may take: as asked, else ten times the first, and at least a minute."""
        if self.timeout is not None:
            return self.timeout
        done = self.completed()
        return max(60.0, 10 * done[0].seconds) if done else None

    def _compare(self, reference: Trial, trial: Trial) -> None:
        if trial.witness is not None:
            return
        both_ended = reference.outcome == "completed" and trial.outcome == "completed"
        one, other = reference.checkpoints, trial.checkpoints
        if trial.compared < min(len(one), len(other)) or both_ended:
            trial.witness = compare(one, other, start=trial.compared, ended=both_ended)
            trial.compared = min(len(one), len(other))
        trial.matched = trial.witness is None and both_ended
        # The reference was stopped when another left it. A trial that agrees as far as it went says
        # nothing yet: it goes on to its end, and takes the reference's place for those to come.
        stopped = reference.outcome == "stopped-early" and len(other) >= len(one)
        trial.extends = trial.witness is None and stopped
        if trial.witness is not None and not trial.note:
            trial.note = self._parting_note(trial)

    def _parting_note(self, trial: Trial) -> str:
        witness = trial.witness
        if witness is None:
            return "no longer needed"
        tensor = f", {witness.tensor}" if witness.tensor else ""
        return f"parts from {trial.reference} at {witness.checkpoint.label}{tensor}"

    # -- stopping

    def _stop(self, running: list[Trial], reason: str) -> None:
        for trial in running:
            if trial.running is not None:
                trial.running.stop(reason)

    def _drain(self) -> None:
        """Wait until what was stopped has ended."""
        while any(trial.running is not None for trial in self.trials):
            for trial in self.trials:
                self._poll(trial)
            time.sleep(POLL_SECONDS)

    def _stop_all(self, reason: str) -> None:
        self._stop([t for t in self.trials if t.running is not None], reason)
        self._drain()

    # -- telling

    def _tell_progress(self, question: Question) -> None:
        now = time.monotonic()
        if now - self.told < TELL_SECONDS:
            return
        self.told = now
        whole = max((len(t.checkpoints) for t in self.completed()), default=None)
        for trial in self.trials:
            if trial.running is not None:
                self.watcher.trial_progress(
                    trial.id, len(trial.checkpoints), whole, now - trial.started
                )
        single = self.single_run_seconds()
        if single:
            group = self.of_plan(question.held)
            left = self._wanted(question) - sum(t.outcome == "completed" for t in group)
            self.watcher.remaining(single * max(0, -(-left // self.jobs)))


def user_environment() -> dict[str, str]:
    """The environment that trials start from: the user's, as it is now."""
    return dict(os.environ)
