"""``nondet diagnose``: checks the subject, drives the search, writes record and report."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from nondet import __version__, record
from nondet.guest.factors import CLUSTER, CONSUMERS, REGISTRY, SOURCES, by_name
from nondet.guest.factors.base import Factor
from nondet.host import (
    apart,
    checking,
    circumstances,
    conflicts,
    executing,
    kernels,
    machine,
    recording,
    wording,
    zooming,
)
from nondet.host import output as outputs
from nondet.host.assembling import Assembly
from nondet.host.availability import unavailable, user_environment
from nondet.host.closer import CloserLook
from nondet.host.errors import BrokenSubject, failure
from nondet.host.executors.cluster.executor import ClusterExecutor
from nondet.host.executors.interface import ExecutorError
from nondet.host.executors.parents import possible
from nondet.host.horizon import Horizon
from nondet.host.laboratory import Laboratory
from nondet.host.mending import mend
from nondet.host.placing import ONE_EACH, placing_trials
from nondet.host.planning import Settings
from nondet.host.plugins import Plugin
from nondet.host.prescribing import prescribe
from nondet.host.releasing import HOLDER
from nondet.host.sites import Sites
from nondet.host.subject import Subject
from nondet.host.telling import Telling
from nondet.host.watching import Watcher
from nondet.search.diagnosing import Goal, Search
from nondet.search.questions import Answer, BudgetSpent, Candidate, Finding, Question
from nondet.search.stressing import Provoked, StressSearch
from nondet.verdict import Verdict

Told = TypeVar("Told")

MACHINE = "machine"
"""The factor that only a cluster has."""

ONE_GPU = "gpu-count"
BY_NAME = "it leaves a run one GPU, which many scripts for several can't do; --factors names it"

TOGETHER = ("nccl", ONE_GPU)
"""Factors of what several GPUs do together."""

CLASH = (
    "with its names pinned, a run finds the folder or files that the former one made, and fails; "
    "so the runs started from fresh folders"
)

CUT_SHORT = "with a shortened horizon, trials end before they have left what a whole run leaves"

GROWTH = "How does the difference grow?"

SEED = 20_150_801
"""Every pinned stream of every trial derives from it; recorded with the diagnosis."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What the user asked for, checked."""

    output: Path
    jobs: int | None = None
    budget: float | None = None
    max_trials: int = 100
    confidence: float = 0.95
    rate: float = 0.5
    factors: tuple[str, ...] | None = None
    skip: tuple[str, ...] = ()
    granularity: str = "auto"
    timeout: float | None = None
    resume: bool = False
    digest: str | None = None
    stress: bool = False
    plugins: tuple[Plugin, ...] = ()
    alternatives: bool = False
    forking: bool = True
    """Whether trials may be forked from a process that has imported the frameworks."""
    horizon: Horizon | None = None
    zoom: bool = True
    """Whether further trials look into the steps where runs part."""
    verify: bool = True
    """Whether further trials run the patched script itself."""
    executor: str = executing.LOCAL
    """Where trials run: see `dask_engine.FORMS`."""


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
        self.factors: tuple[Factor, ...] = REGISTRY
        """Those that can be asked about where trials run."""
        if MACHINE in (options.factors or ()):
            self.factors = REGISTRY + CLUSTER
        self.provoked_only: tuple[str, ...] = ()
        """Of these, the ones that only ``--stress`` asks about."""
        self.mixture = ""
        self.not_tested = self._unavailable()
        self.goal = Goal(
            confidence=options.confidence, rate=options.rate, alternatives=options.alternatives
        )
        self.search = self._new_search()
        self.questions: list[record.QuestionRecord] = []
        self.telling = Telling(watcher)
        self.kernels: tuple[record.Kernel, ...] = ()
        self.ran_free = False
        self.error: record.Failure | None = None
        self.interrupted = False
        self.failures: list[OSError | ExecutorError] = []
        """What the machine has run out of, or refused; the diagnosis ended there."""

    # -- what can be asked here

    def _unavailable(self, fixed_addresses: bool | None = None) -> dict[str, str]:
        """Factors that can't be tested, with the reason."""
        reasons = unavailable(self.subject.description, self.environment, fixed_addresses)
        if self.options.horizon is not None:
            reasons["leftovers"] = CUT_SHORT
        if self.options.executor == executing.LOCAL:
            reasons[MACHINE] = executing.ONE_MACHINE
        if ONE_GPU not in (self.options.factors or ()):
            reasons.setdefault(ONE_GPU, BY_NAME)
        elif self.options.executor != executing.LOCAL:
            reasons[ONE_GPU] = "a cluster decides which GPUs a trial gets"
        for factor in self.factors:
            if self.options.factors is not None and factor.name not in self.options.factors:
                reasons[factor.name] = "left out by --factors"
            if factor.name in self.options.skip:
                reasons[factor.name] = "left out by --skip"
        known = {factor.name for factor in self.factors}
        return {name: why for name, why in reasons.items() if name in known}

    def _asked(self) -> tuple[Factor, ...]:
        """Factors that the search is about."""
        left_out = {*self.not_tested, *self.provoked_only}
        return tuple(factor for factor in self.factors if factor.name not in left_out)

    def _new_search(self) -> Search:
        return Search(self._candidates(SOURCES + CLUSTER), self._candidates(CONSUMERS), self.goal)

    def _candidates(self, factors: tuple[object, ...]) -> list[Candidate]:
        names = [f.name for f in self._asked() if f in factors]
        # What a trial leaves behind acts on a later one of its plan, and on no other.
        return [
            Candidate(n, by_name(n).pin, by_name(n).instead, chained=n == "leftovers")
            for n in names
        ]

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
            self.telling.factors_first(self.not_tested, self.factors)
            self._doubt()
            for warning in filter(None, (executor.warning, self.mixture)):
                self.telling.warn(warning)
            if placing is not None and (gpus := placing.splits(settings.environ)):
                self.telling.warn(ONE_EACH.format(gpus))
                for name in TOGETHER:
                    self._leave_out(name, "each trial sees one GPU; --jobs 1 lets it see all")
            if executor.isolation == "in-place" and "leftovers" not in self.not_tested:
                reason = "trials run in the folder itself, so each sees what the former one left"
                self._leave_out("leftovers", reason)
            laboratory = Laboratory(
                settings,
                executor,
                self.watcher,
                jobs=jobs,
                factors=tuple(f.name for f in self._asked()),
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
                self.search, self.questions = self._new_search(), []
                finding = self._search(laboratory)
                self._follow(laboratory, finding)
            closer = self._look_closer(laboratory, finding)
            provoked = self._provoke(laboratory, finding)
            causes = self._causes(laboratory, finding)
            prescription = self._prescribe(laboratory, finding, causes, closer)
            if self.options.zoom and not self.interrupted:
                # Last: the patch is worth more, where trials are few.
                closer.at_operations(self._holdable())
                self.interrupted = closer.interrupted
            causes = self._told_closer(laboratory, finding, causes, closer)
            return self._record(laboratory, finding, closer, provoked, causes, prescription)

    def _leave_out(self, factor: str, reason: str) -> None:
        """Not to test a factor after all."""
        self.not_tested[factor] = reason
        self.telling.factor(factor, "not-tested", reason)
        self.search = self._new_search()

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
        self.factors = REGISTRY + CLUSTER
        self.not_tested = self._unavailable(found.fixed_addresses)
        self.not_tested.setdefault("leftovers", executing.FRESH)
        if not found.mixture:
            self.not_tested[MACHINE] = executing.ALIKE
        elif MACHINE not in (self.options.factors or ()):
            if not self.options.stress or MACHINE in self.not_tested:
                self.not_tested.setdefault(MACHINE, executing.KEPT)
            else:
                self.provoked_only = (MACHINE,)
            self.mixture = f"{found.mixture}: trials are kept on these"
        self.search = self._new_search()
        elsewhere = MACHINE not in self.not_tested
        digest = self.options.digest or executing.digest(executor, elsewhere)
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
            self.watcher.message(f"resumed: {count} finished trials are used again")
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
        able = [f for f in self.factors if f.stress and f.name not in self.not_tested]
        able = [f for f in able if f.name not in self.search.broken_pins]
        # What the script was never seen to use can't lie dormant in it.
        used = {*self.search.exercised, *self.provoked_only}
        able = [f for f in able if f.name in used]
        together = [f.name for f in able if f.stress == "dormant"]
        alone = [[f.name] for f in able if f.stress == "sensitivity"]
        pinned = {guilt.factor: guilt.arm for guilt in finding.guilty}
        search = StressSearch(pinned, finding.verified, [together, *alone])
        try:
            return self._drive(laboratory, search.run())
        except KeyboardInterrupt:
            self.interrupted = True
            return dataclasses.replace(search.finding, note="interrupted")
        except ExecutorError as error:
            # What was found stands; the other machines are gone.
            return dataclasses.replace(search.finding, note=error.message)

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
        if self.not_tested.get(MACHINE) != executing.ALIKE:
            return
        if late := executing.late(laboratory.executor):
            self.not_tested[MACHINE] = executing.LATE
            self.telling.warn(late)

    def _causes(self, laboratory: Laboratory, finding: Finding) -> tuple[record.Cause, ...]:
        if finding.verdict == "broken":
            return ()
        causes = Assembly(laboratory, finding).causes()
        for cause in causes:
            self.telling.guilty(cause.factor, cause.trials)
        return causes

    def _told_closer(
        self,
        laboratory: Laboratory,
        finding: Finding,
        causes: tuple[record.Cause, ...],
        closer: CloserLook,
    ) -> tuple[record.Cause, ...]:
        """The causes with what a closer look has shown of them."""
        if finding.verdict == "broken":
            return ()
        refusals = apart.refusals(Assembly(laboratory, finding))
        trials = [t for lab in (laboratory, *closer.laboratories) for t in lab.trials]
        warned = kernels.warned(trials, Sites(self.subject))
        self.kernels = kernels.of(
            causes, closer.zooms, warned, refusals, closer.gpus, closer.needed
        )
        return tuple(self._sharpened(cause, closer.zooms) for cause in causes)

    def _holdable(self) -> dict[str, record.Arm]:
        """What can be held beside the causes without holding what kernels do, or doing something
        else than the script does."""
        broken = self.search.broken_pins
        able = [f for f in self._asked() if f.pin == "faithful" and f.name not in broken]
        able = [f for f in able if f in SOURCES and not kernels.computes(f.name)]
        return {f.name: "pinned" for f in able}

    def _prescribe(
        self,
        laboratory: Laboratory,
        finding: Finding,
        causes: Sequence[record.Cause],
        closer: CloserLook,
    ) -> record.Prescription | None:
        """The change that the causes ask for, and what the patched script does by itself."""
        if not causes:
            return None
        assembly = Assembly(laboratory, finding)
        frameworks = assembly.frameworks
        if self.environment.gpus:  # of a cluster's, trials tell nothing
            frameworks |= {f"{name} on a GPU": v for name, v in frameworks.items()}
        prescription, written = prescribe(
            finding,
            causes,
            {cause.factor: assembly.places(cause.factor) for cause in causes},
            self.subject.started,
            frameworks,
            laboratory.settings.plugins,
            assembly.backend,
        )
        try:
            mending = mend(prescription, causes, written, self.subject, self._trains(laboratory))
        except Exception as error:
            # What was found stands without a patch.
            self.telling.warn(f"no patch could be made: {type(error).__name__}: {error}")
            return prescription
        if not mending.runnable or self.interrupted or not self.options.verify:
            return mending.prescription
        prescription = closer.at_patch(mending, self.goal.comparisons)
        self.interrupted = closer.interrupted
        return prescription

    def _trains(self, laboratory: Laboratory) -> str:
        """The script that was recorded, where the subject starts it; empty elsewhere."""
        launched = (trial.launched for trial in laboratory.trials if trial.launched)
        script = next(launched, "")
        return Sites(self.subject).shown(script) if script else ""

    def _record(
        self,
        laboratory: Laboratory,
        finding: Finding,
        closer: CloserLook,
        provoked: Provoked | None,
        causes: tuple[record.Cause, ...],
        prescription: record.Prescription | None,
    ) -> record.Diagnosis:
        if laboratory.clashing and not any(g.factor == "leftovers" for g in finding.guilty):
            self.not_tested["leftovers"] = CLASH
        self._look_for_others(laboratory)
        assembly = Assembly(laboratory, finding)
        horizon = recording.horizon(self.options.horizon, laboratory)
        first = assembly.parting([t.id for t in laboratory.of_plan({})])
        first = zooming.sharpened(first, closer.zooms)
        trials = (
            *assembly.trial_records(),
            *(t for other in closer.laboratories for t in Assembly(other, finding).trial_records()),
        )
        pairs = [d.trials for d in (first, *(c.first_divergence for c in causes)) if d is not None]
        for fault in (
            *recording.faults((laboratory, *closer.laboratories)),
            *(conflicts.of_trials(laboratory.of_plan({})) if self.environment.gpus else ()),
            *circumstances.of(trials, pairs),
        ):
            self.telling.warn(fault)
        for error in self.failures:
            self.telling.warn(f"the trials ended early: {failure(error).message}")
        return record.Diagnosis(
            nondet=__version__,
            subject=msgspec.structs.replace(
                self.subject.to_record(), trains=self._trains(laboratory)
            ),
            environment=self.environment,
            verdict=finding.verdict,  # type: ignore[arg-type]
            summary=wording.summary(finding, causes, first, self.error, self.interrupted, horizon),
            causes=causes,
            alternatives=finding.alternatives,
            sensitivities=(
                *assembly.sensitivities(),
                *(apart.shifted(assembly, provoked) if provoked is not None else ()),
            ),
            cleared=recording.cleared(finding, causes, self.search.exercised, self.not_tested),
            not_tested=recording.not_tested(finding, self.not_tested),
            first_divergence=first,
            prescription=prescription,
            confidence=recording.confidence(finding, self.goal.confidence, self.goal.rate),
            trials=trials,
            questions=tuple(self.questions),
            differences=assembly.matrices([t.id for t in laboratory.of_plan({})]),
            cost=recording.cost(laboratory, closer.laboratories, time.monotonic() - self.clock),
            error=self.error,
            interrupted=self.interrupted,
            warnings=tuple(self.telling.warnings),
            started=self.started,
            seed=laboratory.settings.seed,
            digest=laboratory.settings.digest,
            stress=apart.stress(assembly, provoked) if provoked is not None else None,
            suspects=apart.suspects(assembly),
            refusals=apart.refusals(assembly),
            kernels=self.kernels,
            horizon=horizon,
            zooms=tuple(closer.zooms),
            step_maps=assembly.step_maps([t.id for t in laboratory.of_plan({})]),
            recording=recording.pace(laboratory),
            executor=self.options.executor,
            machines=executing.machines(laboratory.executor),
            titles={factor.name: factor.title for factor in self.factors},
        )

    def _sharpened(self, cause: record.Cause, zooms: Sequence[record.Zoom]) -> record.Cause:
        """The cause with the tensor that is first to differ inside a step."""
        own = [zoom for zoom in zooms if cause.factor in zoom.factors]
        where = zooming.sharpened(cause.first_divergence, own)
        behind = kernels.behind(cause.factor, self.kernels)
        cause = msgspec.structs.replace(cause, first_divergence=where, operation=behind)
        return msgspec.structs.replace(cause, because=wording.because(cause))


def broken_before_trials(subject: record.Subject, broken: BrokenSubject) -> record.Diagnosis:
    """The record of a script that is broken before any trial, such as by a syntax error."""
    return record.Diagnosis(
        nondet=__version__,
        subject=subject,
        environment=machine.environment("", {}),
        verdict="broken",
        summary=f"The script could not be diagnosed: {broken.message}.",
        cost=record.Cost(trials=0, subject_seconds=0.0, wall_seconds=0.0, single_run_seconds=0.0),
        error=record.Failure(slug=broken.slug, message=broken.message, traceback=broken.traceback),
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
