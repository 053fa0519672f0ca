"""``nondet diagnose``: drives the search and what follows it, from first trial to record."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import time
from collections.abc import Callable, Generator
from typing import TypeVar

from nondet import record
from nondet.host import checking, executing, machine, recording, wording
from nondet.host import output as outputs
from nondet.host.askable import MACHINE, ONE_GPU, Askable
from nondet.host.assembling import Assembly
from nondet.host.availability import user_environment
from nondet.host.closer import CloserLook
from nondet.host.concluding import Conclusion, Course
from nondet.host.errors import BrokenSubject
from nondet.host.executors.cluster.executor import ClusterExecutor
from nondet.host.executors.interface import ExecutorError
from nondet.host.executors.parents import possible
from nondet.host.laboratory import Laboratory
from nondet.host.options import Options
from nondet.host.placing import ONE_EACH, placing_trials
from nondet.host.planning import SEED, Settings
from nondet.host.releasing import HOLDER
from nondet.host.subject import Subject
from nondet.host.telling import Telling
from nondet.host.watching import Watcher
from nondet.search.diagnosing import Goal
from nondet.search.questions import Answer, BudgetSpent, Finding, Question
from nondet.search.stressing import Provoked, StressSearch
from nondet.verdict import Verdict

Told = TypeVar("Told")

TOGETHER = ("nccl", ONE_GPU)
"""Factors of what several GPUs do together."""

GROWTH = "How does the difference grow?"


class Diagnosing:
    """One diagnosis from start to record. Interrupted at any moment, it has a record."""

    def __init__(
        self,
        subject: Subject,
        options: Options,
        watcher: Watcher,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """`check` may raise KeyboardInterrupt; it is called where that does no harm."""
        self.subject = subject
        self.options = options
        self.watcher = watcher
        self.check = check
        self.started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.clock = time.monotonic()
        self.environment = machine.environment(
            subject.description.python, subject.description.packages
        )
        self.askable = Askable(subject, self.environment, options)
        self.mixture = ""
        self.goal = Goal(
            confidence=options.confidence, rate=options.rate, alternatives=options.alternatives
        )
        self.search = self.askable.search(self.goal)
        self.questions: list[record.QuestionRecord] = []
        self.telling = Telling(watcher)
        self.ran_free = False
        self.error: record.Failure | None = None
        self.interrupted = False
        self.failures: list[OSError | ExecutorError] = []
        """What the machine has run out of, or refused; the diagnosis ended there."""

    # -- running

    def run(self) -> record.Diagnosis:
        """Diagnose; every way out but a usage error gives a record. Raises OSError when the machine
        has run out of something before the first trial has ended; later, see `failures`."""
        settings = self._settings()
        with contextlib.ExitStack() as stack:
            executor = self._opened(settings)
            stack.enter_context(executor)
            release = stack.enter_context(outputs.reserved(settings.output))
            jobs = self.options.jobs or machine.default_jobs(len(self.environment.gpus))
            can_fork, placing = possible(self.environment.python), None
            if isinstance(executor, ClusterExecutor):
                found = executing.surroundings(executor, self.subject)
                settings = self._settle(settings, executor, found)
                jobs, can_fork = self.options.jobs or executing.MOST_JOBS, False
            else:
                placing = stack.enter_context(placing_trials(jobs))
            side_by_side = min(jobs, executor.slots or jobs)
            self.watcher.opened(self.subject.command, str(self.options.output), side_by_side)
            self.telling.factors_first(self.askable.not_tested, self.askable.factors)
            self._doubt()
            for warning in filter(None, (executor.warning, self.mixture)):
                self.telling.warn(warning)
            if placing is not None and (gpus := placing.splits(settings.environ)):
                self.telling.warn(ONE_EACH.format(gpus))
                for name in TOGETHER:
                    self._leave_out(name, "each trial sees one GPU; --jobs 1 lets it see all")
            if executor.isolation == "in-place" and "leftovers" not in self.askable.not_tested:
                reason = "trials run in the folder itself, so each sees what the former one left"
                self._leave_out("leftovers", reason)
            laboratory = Laboratory(
                settings,
                executor,
                self.watcher,
                jobs=jobs,
                factors=tuple(f.name for f in self.askable.asked()),
                timeout=self.options.timeout,
                deadline=self.clock + self.options.budget if self.options.budget else None,
                max_trials=self.options.max_trials,
                check=self.check,
                forking=self.options.forking and can_fork,
                placing=placing,
            )

            def ran_short(error: OSError) -> None:
                self.failures.append(error)
                release()

            laboratory.ran_short = ran_short
            if self.options.resume:
                self._resume(laboratory)
            finding = self._search(laboratory)
            if self.failures and not laboratory.trials:
                raise self.failures[0]
            self._follow(laboratory, finding)
            if laboratory.warming.mistaken and not self.interrupted:
                # What forked trials have shown counts no more; all others are used again.
                self.search, self.questions = self.askable.search(self.goal), []
                finding = self._search(laboratory)
                self._follow(laboratory, finding)
            closer = self._look_closer(laboratory, finding)
            provoked = self._provoke(laboratory, finding)
            return self._conclude(laboratory, finding, closer, provoked)

    def _leave_out(self, factor: str, reason: str) -> None:
        """Not to test a factor after all."""
        self.askable.not_tested[factor] = reason
        self.telling.factor(factor, "not-tested", reason)
        self.search = self.askable.search(self.goal)

    def _opened(self, settings: Settings) -> executing.Opened:
        """Where trials run. Raises ExecutorError, and leaves no sign of a diagnosis then."""
        options = self.options

        def look() -> None:
            self.check()
            if options.budget and time.monotonic() - self.clock > options.budget:
                raise ExecutorError(
                    "executor-no-worker",
                    f"--executor {options.executor}: no worker came within the budget: give it "
                    "more, or start some workers",
                )

        tell = self.watcher.message
        try:
            return executing.opened(options.executor, settings, options.jobs, look, tell)
        except BaseException:
            outputs.drop_empty(settings.output)
            raise

    def _settle(
        self, settings: Settings, executor: ClusterExecutor, found: executing.Surroundings
    ) -> Settings:
        """Take in what trials find where they run."""
        self.subject, self.environment = found.subject, found.environment
        self.mixture = self.askable.settle(found)
        self.search = self.askable.search(self.goal)
        digest = self.options.digest or executing.digest(executor, self.askable.compares_machines)
        return dataclasses.replace(
            settings, subject=found.subject, machine=found.kind, digest=digest
        )

    def _digest(self) -> str:
        found = self.subject.description.found
        return self.options.digest or ("xxh3_128" if found.get("xxhash") else "sha256")

    def _doubt(self) -> None:
        """Say at once when the trials allowed can't be enough for runs that agree."""
        needed, most = self.goal.comparisons + 1, self.options.max_trials
        if needed > most:
            self.telling.warn(
                f"to be sure of agreement takes {needed} trials (--confidence and --rate), and "
                f"--max-trials allows {most}"
            )

    def _resume(self, laboratory: Laboratory) -> None:
        folder = laboratory.settings.output / "trials"
        count = laboratory.restore(folder)
        if count:
            ended = "1 finished trial is" if count == 1 else f"{count} finished trials are"
            self.watcher.message(f"resumed: {ended} used again")
        elif any(folder.iterdir()):
            self.watcher.message(
                "no finished trial there fits: it ended too early, or the script, its arguments, "
                "its packages or the options are others now"
            )

    def _settings(self) -> Settings:
        output = self.options.output
        for folder in (output, output / "trials", output / "values"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Settings(
            self.subject,
            output.resolve(),
            user_environment(),
            SEED,
            self._digest(),
            self.options.granularity,
            self.options.plugins,
            self.options.horizon,
        )

    def _search(self, laboratory: Laboratory) -> Finding:
        """What the search finds; every way out gives a finding."""
        try:
            return self._drive(laboratory, self.search.run())
        except BrokenSubject as broken:
            self.error = record.Failure(
                slug=broken.slug, message=broken.message, traceback=broken.traceback
            )
            return dataclasses.replace(self.search.finding, verdict="broken")
        except ExecutorError as error:
            self.failures.append(error)
        except KeyboardInterrupt:
            pass
        self.interrupted = True
        if self.search.finding.verdict in ("reproducible", "causes-found"):
            return self.search.finding  # it stands: only more was asked
        return dataclasses.replace(self.search.finding, verdict="unsure")

    def _follow(self, laboratory: Laboratory, finding: Finding) -> None:
        """Let two trials that part run to their end: the report shows how far apart they get."""
        if self.interrupted or finding.verdict not in ("causes-found", "unresolved"):
            return
        question = Question(GROWTH, {}, 1, to_end=True)
        # The verdict stands without it.
        with contextlib.suppress(BudgetSpent):
            try:
                self._note(laboratory, question, laboratory.ask(question))
            except ExecutorError as error:
                self.telling.warn(f"how the difference grows was not seen: {error.message}")
            except KeyboardInterrupt:
                self.interrupted = True

    def _look_closer(self, laboratory: Laboratory, finding: Finding) -> CloserLook:
        closer = CloserLook(
            laboratory,
            finding,
            self._note,
            resume=self.options.resume,
            gpus=bool(self.environment.gpus),
        )
        if self.options.zoom and not self.interrupted:
            closer.into_steps()
            self.interrupted = closer.interrupted
        return closer

    def _provoke(self, laboratory: Laboratory, finding: Finding) -> Provoked | None:
        """What ``--stress`` brings to light; None when it was not asked for."""
        if not self.options.stress:
            return None
        if self.interrupted:
            return Provoked(note="interrupted")
        if finding.verdict not in ("reproducible", "causes-found"):
            return Provoked(note="the runs must repeat before anything can be provoked")
        pinned = {guilt.factor: guilt.arm for guilt in finding.guilty}
        search = StressSearch(pinned, finding.verified, self.askable.provocable(self.search))
        try:
            return self._drive(laboratory, search.run())
        except KeyboardInterrupt:
            self.interrupted = True
            return dataclasses.replace(search.finding, note="interrupted")
        except ExecutorError as error:
            # What was found stands; the other machines are gone.
            return dataclasses.replace(search.finding, note=error.message)
        except BrokenSubject as broken:
            note = f"what was provoked can't be compared ({broken.message})"
            return dataclasses.replace(search.finding, note=note)

    def _drive(self, laboratory: Laboratory, asking: Generator[Question, Answer, Told]) -> Told:
        """Hand a search its answers until it has none to ask for."""
        try:
            question = next(asking)
            while True:
                try:
                    answer = laboratory.ask(question)
                except BudgetSpent:
                    self._note(laboratory, question, None)
                    question = asking.throw(BudgetSpent())
                    continue
                self._note(laboratory, question, answer)
                self._check(laboratory, question, answer)
                question = asking.send(answer)
        except StopIteration as stop:
            told: Told = stop.value
            return told

    def _check(self, laboratory: Laboratory, question: Question, answer: Answer) -> None:
        """Raises BrokenSubject when the subject can't run, or shows nothing to compare."""
        checking.check_course(laboratory.trials)
        if question.held:
            if answer.verdict is Verdict.BROKEN and not laboratory.completed():
                self._run_free(laboratory)
            return
        sites = Assembly(laboratory, self.search.finding).sites
        checking.check(laboratory.of_plan({}), answer.verdict, sites)

    def _run_free(self, laboratory: Laboratory) -> None:
        """Let trials with nothing held run to their end, where none of any plan has come so far and
        a plan can't run: it may be the script itself that fails, behind the place where runs part.
        Raises BrokenSubject."""
        if self.ran_free:
            return
        self.ran_free = True
        question = Question(GROWTH, {}, 1, to_end=True)
        with contextlib.suppress(BudgetSpent):
            self._note(laboratory, question, laboratory.ask(question))
        free = laboratory.of_plan({})
        ended = [trial for trial in free if trial.outcome in checking.FAILED]
        if ended and not any(trial.whole for trial in free):
            sites = Assembly(laboratory, self.search.finding).sites
            checking.check(free, Verdict.BROKEN, sites)

    # -- telling

    def _note(self, laboratory: Laboratory, question: Question, answer: Answer | None) -> None:
        """Keep the question with its answer, and tell what it did to the factors."""
        if answer is None:
            answer = Answer(Verdict.UNSURE, tuple(t.id for t in laboratory.of_plan(question.held)))
        where = Assembly(laboratory, self.search.finding).parting(answer.trials)
        bound = recording.bound(answer, self.goal.confidence)
        text = wording.conclusion(question, answer, where, bound)
        held = question.held
        free = [n for n in laboratory.factors if n not in held]
        self.questions.append(
            record.QuestionRecord(
                text=question.text,
                # What is let go in part is neither pinned nor free.
                pinned=tuple(
                    name
                    for name, arm in held.items()
                    if arm != "varied" and not (question.released and name == HOLDER)
                ),
                varied=tuple(name for name, arm in held.items() if arm == "varied"),
                free=tuple(free),
                verdict=answer.verdict.value,
                trials=answer.trials,
                conclusion=text,
                comparisons=answer.comparisons,
                divergences=answer.divergences,
                divergence_probability_bound=bound,
            )
        )
        self.telling.answered(question, answer, text, free, self.search.finding.guilty)
        self._look_for_others(laboratory)

    def _look_for_others(self, laboratory: Laboratory) -> None:
        """Tell of machines of another kind, where there were none when the trials began."""
        if self.askable.not_tested.get(MACHINE) != executing.ALIKE:
            return
        if late := executing.late(laboratory.executor):
            self.askable.not_tested[MACHINE] = executing.LATE
            self.telling.warn(late)

    def _conclude(
        self,
        laboratory: Laboratory,
        finding: Finding,
        closer: CloserLook,
        provoked: Provoked | None,
    ) -> record.Diagnosis:
        """The record of that finding, with the patch tried and the operations looked at."""
        conclusion = Conclusion(
            self.subject,
            self.environment,
            self.askable,
            self.search,
            self.goal,
            laboratory,
            finding,
            closer,
            self.telling,
        )
        causes = conclusion.causes()
        verify = self.options.verify and not self.interrupted
        prescription = conclusion.prescription(causes, verify=verify)
        self.interrupted = self.interrupted or closer.interrupted
        if self.options.zoom and not self.interrupted:
            # Last: the patch is worth more, where trials are few.
            closer.at_operations(self.askable.holdable(self.search), self.goal.comparisons)
            self.interrupted = closer.interrupted
        self._look_for_others(laboratory)
        course = Course(
            self.started,
            time.monotonic() - self.clock,
            self.questions,
            self.error,
            self.interrupted,
            self.failures,
        )
        return conclusion.diagnosis(course, causes, prescription, provoked)
