"""Answers questions by running trials: starts them, compares them as they run, stops them."""

from __future__ import annotations

import contextlib
import errno
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nondet.host import evidence, machine, output, planning, trials
from nondet.host.comparing import Following, parting
from nondet.host.errors import SHORTAGES
from nondet.host.executors.interface import Executor, ExecutorError, Launch
from nondet.host.own_code import OwnCode
from nondet.host.placement import VARIABLE
from nondet.host.placing import Placing, told_of
from nondet.host.standing import Counts, Standing
from nondet.host.store import MOST_LAYERS, Store
from nondet.host.trials import Trial
from nondet.host.warming import Warming, bridged
from nondet.host.watching import Watcher
from nondet.record import Arm
from nondet.search.questions import Answer, BudgetSpent, Question
from nondet.verdict import Verdict

POLL_SECONDS = 0.03
TELL_SECONDS = 0.25
CRASHES = 2
"""Crashed trials of one plan after which the plan counts as one that can't run; one is enough
as long as no trial of any plan has come to its end."""
WHOLE = 2
"""Trials that must end when it is asked how the difference between them grows."""
FEW = 2
"""Agreeing comparisons up to which a question is taken for one that looks for a difference."""
MOST_LOST = 3
"""Trials whose supervisor was killed, after which that counts as a failure of the trial."""
MOST_STRAYED = 8
"""Times that trials are lost with their machines, one after another with none that ends between
them, after which that counts as a failure of the trial."""
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
        forking: bool = False,
        placing: Placing | None = None,
    ) -> None:
        """`check` is called where nothing is half done, and may raise KeyboardInterrupt. With
        `forking`, trials may be forked from a process that has imported the frameworks. `placing`:
        where there are GPUs."""
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
        self.lost = 0
        """Trials whose supervisor was killed."""
        self.strayed = 0
        """Times that trials were lost with their machines since one has ended."""
        self.struck = 0
        """Number of the last trial that was started when that happened last."""
        self.astray = 0
        """Trials lost with their machines."""
        self.last = 0
        """Number of the last trial that was started; 0 before that."""
        self.code = OwnCode(settings.subject, isolated=executor.isolation != "in-place")
        self.warming = Warming(settings, executor, forking)
        self.placing = placing
        self.following: dict[str, Following] = {}
        """What is known of how each trial compares with its reference."""
        self.earlier: set[str] = set()
        """Factors that trials of another laboratory were seen to use in a way that varies."""
        self.standing = self._standing(Question("", {}, 1))
        self.clashing: set[str] = set()
        """Factors whose pins let a trial fail on what the former one left."""
        self.ran_short: Callable[[OSError], None] | None = None
        """Where there is one, it is told when the machine has run out of something, which then ends
        a question as an interruption does: what is known by then stands."""

    def beside(self, settings: planning.Settings) -> Laboratory:
        """A laboratory for trials under other settings, which are no evidence in this one."""
        other = Laboratory(
            settings,
            self.executor,
            self.watcher,
            jobs=self.jobs,
            factors=self.factors,
            timeout=self.time_limit(),
            deadline=self.deadline,
            max_trials=self.max_trials - self.spent,
            check=self.check,
            placing=self.placing,
        )
        if settings.environ == self.settings.environ:
            other.warming = self.warming
        # Else none is forked: what imports here has read the variables as they were.
        other.code = self.code
        other.earlier = self.varying
        other.ran_short = self.ran_short
        return other

    @property
    def spent(self) -> int:
        """Trials that count towards the number allowed. Those that were lost with their machines do
        not; but as many again as are allowed end it as well."""
        return len(self.trials) - min(self.astray, self.max_trials)

    def _group(self, question: Question) -> list[Trial]:
        """The trials that bear on a question; the first is what the others are compared with."""
        group = self.of_plan(question.held)
        if question.reference is None:
            return group
        whole = [t for t in self.counting(question.reference) if t.whole]
        return whole[:1] + group

    def _standing(self, question: Question) -> Standing:
        beside = question.reference is not None
        return Standing(lambda: self._group(question), self._compare, beside)

    def _usable(self, question: Question) -> list[Trial]:
        """Those that are evidence."""
        return [trial for trial in self._group(question) if trial.counts]

    # -- asking

    def ask(self, question: Question) -> Answer:
        """Run trials until the question is settled. Raises BudgetSpent."""
        try:
            return self._settled(question)
        except ExecutorError:
            self._abandon()
            raise
        except OSError as error:
            if self.ran_short is None or error.errno not in SHORTAGES:
                raise
            self._abandon()
            # From here on there may be room again.
            self.ran_short(error)
            self._save_all()
            raise KeyboardInterrupt from error

    def _settled(self, question: Question) -> Answer:
        free = [name for name in self.factors if name not in question.held]
        self.standing = self._standing(question)
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
        if not self.wrote or question.exact:
            return wanted
        return max(wanted, 3, self.standing.counts.fresh + 1)

    def _carries(self, held: Mapping[str, Arm]) -> bool:
        """Whether trials of this plan start from what the former one left. One that is ended at a
        horizon leaves nothing to start from."""
        if "leftovers" not in self.factors or "leftovers" in held or self.settings.horizon:
            return False
        return not self.clashing & held.keys()

    def _clashes(self, question: Question, failed: Sequence[Trial], fresh: int) -> bool:
        """Whether trials fail only where they start from what another left, while `fresh` others
        came to their end.

        A script that names its folder by the time or by chance finds that very folder there once
        these are pinned: that is of our making. From then on such plans start from a fresh folder.
        """
        if not question.held or not any(t.chained for t in failed):
            return False
        if not fresh:
            return False
        self.clashing |= question.held.keys()
        return True

    def _answer(self, question: Question) -> Answer | None:
        counts = self.standing.counts
        parted, running, failed = counts.parted, counts.running, counts.failed
        enough = len(parted) >= question.parting or counts.compared >= 2 * max(
            question.agreeing, question.parting
        )
        if parted and enough:
            pair = [self._partner(parted[0]), parted[0]]
            if question.to_end and counts.whole < WHOLE and len(failed) < CRASHES:
                first = sorted(running, key=lambda t: t not in pair)
                self._stop(first[WHOLE - counts.whole :], "others go on to the end")
                return None
            self._stop(running, f"{pair[0].id} and {pair[1].id} have parted")
            return self._told(Verdict.DIVERGES, self._usable(question))
        if parted and not question.to_end:
            # What has parted has said all it can, and its first trial with it.
            for trial in parted:
                pair = [self._partner(trial), trial]
                self._stop(pair, f"{pair[0].id} and {trial.id} have parted")
        for trial in [t for t in failed if t.parent and not t.set_aside]:
            self._set_aside([trial], f"the forked trial {trial.id} failed: {trial.note}")
        failed = [t for t in failed if not t.parent]
        failed = [t for t in failed if not t.alone_again]
        clashes = self._clashes(question, failed, counts.whole_fresh)
        if clashes or self.clashing & question.held.keys():
            failed = [t for t in failed if not t.chained]
        enough_crashes = CRASHES if self.completed() else 1
        if len(failed) >= enough_crashes or any(t.outcome == "timed-out" for t in failed):
            self._stop(running, "another trial of this plan failed")
            usable = self._usable(question)
            return self._told(Verdict.BROKEN, usable, broken=failed[-1].note, failed=failed)
        if counts.whole and not any(t.checkpoints for t in self.trials):
            self._stop(running, "there is nothing to compare")
            return self._told(Verdict.UNSURE, self._usable(question))
        if not parted and (agreeing := self._agreeing(question, counts)):
            self._stop([t for t in running if t not in agreeing], "the others agree")
            return self._told(Verdict.AGREES, agreeing)
        return None

    def _partner(self, trial: Trial) -> Trial:
        """The trial that it was compared with."""
        return self.named(trial.reference)

    def _agreeing(self, question: Question, counts: Counts) -> list[Trial]:
        """The whole trials that make up the number wanted; none when they don't.

        Of forked trials only one that equals those that started by themselves.
        """
        first, forked = counts.first_whole, [t for t in counts.forked if t.whole]
        alike = first is not None and bool(forked) and bridged(forked[0], first)
        if alike:
            self.warming.proves(forked[0].held)
        if first is None or counts.alone_whole + alike < self._wanted(question):
            return []
        alone = [t for t in self._usable(question) if t.whole and not t.parent]
        if alike:
            return [*alone, forked[0]]
        if forked:
            reason = f"{forked[0].id} differs from {first.id}, which was not forked"
            self._set_aside(forked, reason)
        return alone

    def _set_aside(self, forked: list[Trial], reason: str) -> None:
        """Drop what these forked trials have shown, and what all have if there is no telling why
        they are not like others."""
        self.warming.doubts(forked[0].held, reason)
        every = [t for t in self.trials if t.parent] if self.warming.mistaken else forked
        for trial in every:
            trial.set_aside = True
        self.standing.reset()

    def _told(
        self, verdict: Verdict, group: list[Trial], broken: str = "", failed: Sequence[Trial] = ()
    ) -> Answer:
        self._drain()
        parted = [t for t in group if t.witness is not None]
        # The first is what others are compared with, and may be another plan's.
        compared = [t for t in group[1:] if t.witness is not None or t.matched]
        shown = group
        if verdict is Verdict.DIVERGES:
            shown = list(dict.fromkeys(t for p in parted for t in (self._partner(p), p)))
        return Answer(
            verdict,
            tuple(t.id for t in shown),
            comparisons=len(compared) if verdict is not Verdict.AGREES else len(group) - 1,
            divergences=len(parted),
            exercised=evidence.exercised(self.trials, self.factors),
            suspected=evidence.suspected(self.trials, self.factors),
            leads=evidence.leads(self.trials, self.factors),
            settled=evidence.settled(self.trials, self.factors),
            broken=broken,
            blamed=evidence.blamed(failed),
            alike=_alike(group),
            stopped_share=self._stopped_share(),
        )

    def _stopped_share(self) -> float:
        """Duration of a trial stopped where it parted, as a share of a whole one's; 0: unknown."""
        parted = [t for t in self.trials if t.outcome == "stopped-early" and not t.whole]
        seconds = [t.seconds for t in parted if t.witness is not None]
        whole = self.single_run_seconds()
        return min(1.0, statistics.median(seconds) / whole) if seconds and whole else 0.0

    # -- running

    def _fill(self, question: Question) -> None:
        """Start trials while there is room and need. Raises BudgetSpent."""
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise BudgetSpent
        while True:
            parent = self._next(question)
            if parent is None or len(self.running) + self.warming.importing >= self.jobs:
                return
            if not self.executor.room(self._elsewhere(question.held)):
                return
            if self.spent >= self.max_trials:
                if self.running:
                    return
                raise BudgetSpent
            if not self._start(question, parent):
                return

    def _next(self, question: Question) -> str | None:
        """Where the next trial comes from: the name of a parent, or empty for one that starts by
        itself. None when no more are needed for now."""
        counts = self.standing.counts
        parted = counts.parted
        if question.to_end and len(parted) >= question.parting:
            if counts.whole + len(self.running) >= WHOLE:
                return None
            # Siblings that have parted before will do so again.
            alike = any(t.parent for t in parted)
            return self.warming.parent(question.held) if alike else ""
        if parted:
            # Not the first of those that start alike: it is what others are compared with.
            comparing = [t for t in counts.later() if not t.extends]
            if question.parting <= len(parted) + len(comparing):
                return None
        parent = self._parent(question, counts)
        if parent != "":
            return parent
        # One that parted is no use for agreeing; it leaves room for another that may part too.
        # Nor is one that was stopped where it left another plan's.
        wanted = self._wanted(question) + (counts.alone if parted else counts.lost)
        if counts.alone + self._bridging(counts) >= wanted or self._must_wait(question, counts):
            return None
        return ""

    def _bridging(self, counts: Counts) -> bool:
        """Whether a forked trial equals those that started by themselves, or may turn out so."""
        forked = next((t for t in counts.forked if t.whole or t.outcome is None), None)
        whole = counts.first_whole
        if forked is None:
            return False
        return whole is None or not forked.whole or bridged(forked, whole)

    def _parent(self, question: Question, counts: Counts) -> str | None:
        """What to fork the next trial from; empty if it is to start by itself, None to wait.

        Where a difference is expected, forked trials come first. Where agreement is, one stands for
        a trial of its own, once there is one to compare it with.
        """
        forked, parted = counts.forked, counts.parted
        if any(t.matched for t in forked) or (question.reference is not None and forked):
            return ""
        if not self.warming.worthwhile(self.importing_seconds(), self.single_run_seconds()):
            return ""
        varies = self.earlier.union(self.varying, *map(evidence.varying, self.running))
        varies = varies.intersection(self.factors) - question.held.keys()
        if varies and self.warming.trusts(question.held) and (parted or question.agreeing <= FEW):
            comparing = [t for t in forked[1:] if t.outcome is None and t.witness is None]
            if (
                question.reference is None
                and len(forked) > 1
                and len(parted) + len(comparing) >= question.parting
            ):
                return ""
            return self.warming.parent(question.held)
        # Beside another plan's trial, one whose pins may not hold would tell of these.
        if not forked and counts.usable and question.held and question.reference is None:
            return self.warming.parent(question.held) or ""
        return ""

    def _must_wait(self, question: Question, counts: Counts) -> bool:
        """A trial that is to start from the former one's files needs that one to have ended."""
        if not self.wrote or not self._carries(question.held) or counts.alone < 2:
            return False
        if question.reference is not None:
            return False
        return counts.alone_running > 0 and self.latest(question.held) is None

    def _new_folder(self) -> Path:
        """That of the next trial: a laboratory beside may have made some meanwhile."""
        rooms = self.settings.output / "trials"
        if not self.last:
            self.last = max((trials.number(path.name) for path in rooms.iterdir()), default=0)
        while True:
            self.last += 1
            folder = rooms / f"t{self.last:02d}"
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
                return folder

    def _elsewhere(self, held: Mapping[str, Arm]) -> bool | None:
        """Whether a plan asks for another kind of machine; None when any will do."""
        if "machine" in held or "machine" not in self.factors:
            return held.get("machine") == "varied"
        return None

    def _start(self, question: Question, parent: str) -> bool:
        """Start a trial; False when it has to wait for a GPU."""
        held = dict(question.held)
        spot = ""
        if self.placing is not None:
            gpu = self.placing.spot(planning.environment(self.settings, held, ""))
            if gpu is None:
                return False
            spot = gpu
        self.code.check()
        folder = self._new_folder()
        name = folder.name
        carries = self._carries(held) and question.reference is None and not parent
        former = self.latest(held) if carries else None
        left = self.written(held) if former is not None else ()
        place = self.executor.place(name, self._elsewhere(held))
        plan = planning.plan_file(self.settings, held, name, place, left)
        # The standard library's, which can write arguments that are no valid text.
        text = json.dumps(plan, indent=2)
        output.write_whole(folder / "plan.json", text.encode(), survives_power_loss=False)
        roots = tuple(
            (seen, str(real))
            for seen, real in zip(plan["folders"], self.settings.subject.folders, strict=True)
            if seen != str(real)
        )
        trial = Trial(
            name,
            held,
            plan["hash"],
            question.text,
            folder,
            time.monotonic(),
            roots,
            self.settings.horizon,
        )
        if former is not None:
            trial.chained, trial.depth = True, former.depth + 1
        trial.parent = parent
        environ = planning.environment(self.settings, held, name)
        if spot:
            environ[VARIABLE] = spot
        if (number := place.machine) is not None:
            trial.machine, trial.host = number, self.executor.machines[number].host
        trial.given = place.gpus(environ)
        launch = Launch(
            trial=name,
            argv=planning.command(self.settings, name, place.runtime),
            env=environ,
            cwd=self.settings.subject.cwd,
            folders=self.settings.subject.folders,
            log_folder=folder,
            leftovers=former.leftovers if former is not None else None,
            keep_leftovers=carries and trial.depth < MOST_LAYERS,
            fixed_addresses=planning.fixed_addresses(held),
            load=machine.cores() if planning.loads(held) else 0,
            parent=parent,
            files=self.settings.files,
        )
        if self.placing is not None:
            self.placing.started(name, environ, spot)
        try:
            trial.running = self.executor.start(launch)
        except ExecutorError as error:
            if self.placing is not None:
                self.placing.ended(name, ())
            if not parent:
                raise
            self.warming.give_up(str(error))
            return True
        self.add(trial)
        self.standing.add(trial)
        self.watcher.trial_started(name, question.text)
        return True

    def _listen(self, question: Question) -> None:
        """Take in events, compare, and notice what has ended."""
        for trial in list(self.running):
            self._poll(trial)
        self.standing.look()
        if any(trial is not self.standing.other for trial in self.standing.counts.parted):
            self.warming.learn(self.importer())
        self._tell_progress(question)

    def _poll(self, trial: Trial) -> None:
        if trial.running is None:
            if trial in self.running:
                # Ctrl-C came between its end and what was to be made of that.
                self._forget([trial])
            return
        ended = trial.running.poll()
        if self.placing is not None:
            self.placing.look()
        trial.listen()
        self.code.learn(trial)
        if ended is None:
            if trial.running.waiting and not trial.starts:
                trial.started = time.monotonic()  # its time begins when it does
            if trial.fault:
                trial.running.stop(trial.fault)
            elif trial.course.over:
                trial.running.stop("horizon")
            self._limit(trial)
            return
        timed_out = ended.stopped.startswith("time limit")
        if ended.lost:
            self._strays(trial)
        elif ended.exit_code is not None or ended.stopped:
            self.strayed = 0
        if ended.exit_code == OUT_OF_MEMORY and not ended.stopped and self._crowded(trial):
            # Side by side they may have taken the memory from one another: once more, alone.
            self.jobs = 1
            self.watcher.message(f"trial {trial.id} was killed; from now on trials run one by one")
            trial.alone_again = True
        if ended.exit_code is None and not (ended.stopped or ended.lost) and self.lost < MOST_LOST:
            # Somebody killed it from outside, which says nothing of the script.
            self.lost += 1
            trial.alone_again = True
        trial.ended(ended, timed_out)
        self._doubt_disk(trial)
        self._doubt_code(trial)
        if self.placing is not None:
            trial.gpus = self.placing.ended(trial.id, trial.gpu_use, bool(trial.frameworks))
        elif trial.given:
            trial.gpus = told_of(trial.given, trial.gpu_use, bool(trial.frameworks))
        self.has_ended(trial)
        trial.save()
        self.watcher.trial_ended(trial.id, trial.outcome or "", trial.seconds, trial.remark)

    def _doubt_disk(self, trial: Trial) -> None:
        """Raises OSError where it is the disk of the output folder that let a trial fail; that one
        counts for nothing."""
        free = output.free(self.settings.output)
        if trial.starved and free is not None and free < output.RESERVE:
            self._forget([trial])
            raise OSError(errno.ENOSPC, trial.note)

    def _doubt_code(self, trial: Trial) -> None:
        """Raises ExecutorError where somebody has edited what the trial ran; there is no telling
        which version that was, so it counts for nothing."""
        self.code.learn(trial)
        try:
            self.code.check()
        except ExecutorError:
            self._forget([trial])
            raise

    def _strays(self, trial: Trial) -> None:
        """The machine of a trial is gone, or cut off. Where no trial ends any more, it is their
        doing; but not of one that had not begun. Those that ran side by side may all have been hit
        at once, as when this machine was suspended."""
        self.astray += 1
        if trial.began and trials.number(trial.id) > self.struck:
            self.strayed += 1
            self.struck = self.last
        trial.alone_again = self.strayed <= MOST_STRAYED

    def _crowded(self, trial: Trial) -> bool:
        """Whether others may have taken the memory of the machine that a trial ran on."""
        hosts = [machine.host for machine in self.executor.machines]
        if trial.machine is None or self.jobs == 1:
            return self.jobs > 1
        running = [t.machine for t in self.trials if t is not trial and t.running is not None]
        return hosts[trial.machine] in {hosts[n] for n in running if n is not None}

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
        if trial.witness is not None or trial.matched:
            return
        both_ended = reference.whole and trial.whole
        following = self.following.get(trial.id)
        if following is None or following.reference is not reference:
            following = self.following[trial.id] = Following(reference, trial)
        trial.witness = following.parting(ended=both_ended)
        trial.matched = trial.witness is None and both_ended
        # The reference was stopped when another left it. A trial that agrees as far as it went says
        # nothing yet: it goes on to its end, and takes the reference's place for those to come.
        stopped = reference.outcome == "stopped-early" and not reference.whole
        stopped = stopped and following.covers()
        trial.extends = trial.witness is None and stopped
        if trial.witness is not None and not trial.note:
            trial.note = self._parting_note(trial)
        if trial.witness is not None or trial.matched:
            del self.following[trial.id]

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
        while self.running:
            for trial in list(self.running):
                self._poll(trial)
            time.sleep(POLL_SECONDS)

    def _stop_all(self, reason: str) -> None:
        self._stop(self.running, reason)
        self._drain()

    def _abandon(self) -> None:
        """End what runs, where its end may be impossible to see or to write down; what has none is
        forgotten."""
        for _ in range(len(self.running) + 1):
            with contextlib.suppress(OSError, ExecutorError):
                self._stop_all("the machine ran short")
        self._forget([trial for trial in self.trials if trial.outcome is None])

    def _forget(self, trials: Sequence[Trial]) -> None:
        """As if they had never been started."""
        gone = {trial.id for trial in trials}
        self.trials = [trial for trial in self.trials if trial.id not in gone]
        for trial in self.trials:
            if trial.reference in gone:
                trial.refer_to("")

    def _save_all(self) -> None:
        """Write down the ends that could not be written when they came."""
        for trial in self.trials:
            if not (trial.folder / "trial.json").exists():
                with contextlib.suppress(OSError):
                    trial.save()

    # -- telling

    def _tell_progress(self, question: Question) -> None:
        now = time.monotonic()
        if now - self.told < TELL_SECONDS:
            return
        self.told = now
        whole = self.longest if self.completed() else None
        for trial in self.running:
            self.watcher.trial_progress(
                trial.id, len(trial.checkpoints), whole, now - trial.started
            )
        single = self.single_run_seconds()
        if single:
            left = self._wanted(question) - self.whole(question.held)
            side_by_side = max(1, min(self.jobs, self.executor.slots or self.jobs))
            self.watcher.remaining(single * max(0, -(-left // side_by_side)))


def _alike(group: Sequence[Trial]) -> tuple[int, ...]:
    """Sizes of the groups of trials that agree as far as both went, largest first.

    One that was stopped for another reason than its difference from these says nothing. Forked
    trials are grouped by themselves, and only their differences count.
    """
    told = {t.reference for t in group if t.witness is not None}
    telling = [t for t in group if t.witness is not None or t.whole or t.id in told]
    if any(t.chained for t in telling) and any(t.wrote for t in telling):
        # What a former trial left shows against one that found nothing. Among those that found
        # nothing it can't show, and those that found the same may all be equal.
        first, *others = telling
        parted = [t for t in others if t.witness is not None]
        equal = [t for t in others if t.witness is None and (t.chained or first.chained)]
        return (1 + len(equal), *[1] * len(parted))
    largest, smaller = 1, list[int]()
    for parent in {t.parent for t in telling}:
        sizes = _sizes([t for t in telling if t.parent == parent])
        if parent:
            sizes = [1] * len(sizes)
        largest += sizes[0] - 1
        smaller += sizes[1:]
    return (largest, *sorted(smaller, reverse=True)) if telling else ()


def _sizes(telling: list[Trial]) -> list[int]:
    found: list[list[Trial]] = []
    for trial in sorted(telling, key=lambda t: -len(t.checkpoints)):
        for others in found:
            first = others[0]
            both = first.whole and trial.whole
            if parting(first, trial, ended=both) is None:
                others.append(trial)
                break
        else:
            found.append([trial])
    return sorted(map(len, found), reverse=True)
