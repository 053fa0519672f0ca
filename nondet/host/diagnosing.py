"""``nondet diagnose``: checks the subject, drives the search, writes record and report."""

from __future__ import annotations

import dataclasses
import datetime
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from nondet import __version__, record, stats
from nondet.guest.factors import CONSUMERS, REGISTRY, SOURCES, by_name
from nondet.host import machine, wording
from nondet.host.assembling import Assembly
from nondet.host.errors import BrokenSubject
from nondet.host.executors.local import LocalExecutor
from nondet.host.laboratory import Laboratory, user_environment
from nondet.host.planning import Settings
from nondet.host.prescribing import prescribe
from nondet.host.subject import Subject
from nondet.host.watching import Watcher
from nondet.search.diagnosing import Goal, Search
from nondet.search.questions import Answer, BudgetSpent, Candidate, Finding, Question
from nondet.verdict import Verdict

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
    factors: tuple[str, ...] | None = None
    skip: tuple[str, ...] = ()
    granularity: str = "auto"
    timeout: float | None = None
    resume: bool = False
    digest: str | None = None


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
        self.not_tested = self._unavailable()
        self.goal = Goal(confidence=options.confidence)
        self.search = self._new_search()
        self.questions: list[record.QuestionRecord] = []
        self.warnings: list[str] = []
        self.error: record.Failure | None = None
        self.interrupted = False
        self.states: dict[str, str] = {}

    # -- what can be asked here

    def _unavailable(self) -> dict[str, str]:
        """Factors that can't be tested, with the reason."""
        packages = {name.lower(): v for name, v in self.subject.description.packages.items()}
        found = self.subject.description.found
        facts: dict[str, object] = {
            "gpus": self.environment.gpus,
            "cores": self.environment.cores,
            "environ": user_environment(),
            "tensorflow": packages.get("tensorflow", "?") if found.get("tensorflow") else None,
            "keras": packages.get("keras", "?") if found.get("keras") else None,
        }
        reasons = {}
        for factor in REGISTRY:
            reason = factor.unavailable(facts)
            if self.options.factors is not None and factor.name not in self.options.factors:
                reason = "left out by --factors"
            if factor.name in self.options.skip:
                reason = "left out by --skip"
            if reason:
                reasons[factor.name] = reason
        return reasons

    def _new_search(self) -> Search:
        return Search(self._candidates(SOURCES), self._candidates(CONSUMERS), self.goal)

    def _candidates(self, factors: tuple[object, ...]) -> list[Candidate]:
        names = [f.name for f in REGISTRY if f in factors and f.name not in self.not_tested]
        return [Candidate(n, by_name(n).pin, by_name(n).instead) for n in names]

    # -- running

    def run(self) -> record.Diagnosis:
        """Diagnose; every way out but a usage error gives a record."""
        settings = self._settings()
        jobs = self.options.jobs or machine.default_jobs(len(self.environment.gpus))
        self.watcher.opened(self.subject.script, str(self.options.output), jobs)
        self._tell_factors_first()
        with LocalExecutor(settings.output, self.subject.folders) as executor:
            if executor.warning:
                self._warn(executor.warning)
            if executor.isolation == "in-place" and "leftovers" not in self.not_tested:
                reason = "trials run in the folder itself, so each sees what the former one left"
                self.not_tested["leftovers"] = reason
                self._tell("leftovers", "not-tested", reason)
                self.search = self._new_search()
            laboratory = Laboratory(
                settings,
                executor,
                self.watcher,
                jobs=jobs,
                factors=tuple(f.name for f in REGISTRY if f.name not in self.not_tested),
                timeout=self.options.timeout,
                deadline=self.clock + self.options.budget if self.options.budget else None,
                max_trials=self.options.max_trials,
                check=self.check,
            )
            if self.options.resume:
                self._resume(laboratory)
            finding = self._drive(laboratory)
            return self._record(laboratory, finding)

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
        found = self.subject.description.found
        digest = self.options.digest or ("xxh3_128" if found.get("xxhash") else "sha256")
        return Settings(
            self.subject,
            output.resolve(),
            user_environment(),
            SEED,
            digest,
            self.options.granularity,
        )

    def _drive(self, laboratory: Laboratory) -> Finding:
        """Hand the search its answers until it has none to ask for."""
        asking = self.search.run()
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
            finding: Finding = stop.value
            return finding
        except BrokenSubject as broken:
            self.error = record.Failure(
                slug=broken.slug, message=broken.message, traceback=broken.traceback
            )
            return dataclasses.replace(self.search.finding, verdict="broken")
        except KeyboardInterrupt:
            self.interrupted = True
            return dataclasses.replace(self.search.finding, verdict="unsure")

    def _check(self, laboratory: Laboratory, question: Question, answer: Answer) -> None:
        """Raises BrokenSubject when the subject can't run, or shows nothing to compare."""
        if question.held:
            return
        trials = laboratory.of_plan({})
        if answer.verdict is Verdict.BROKEN:
            failed = [t for t in trials if t.outcome in ("crashed", "killed", "timed-out")][-1]
            slug = {"timed-out": "timeout", "killed": "killed"}.get(failed.outcome or "", "crash")
            trace = failed.crash.traceback if failed.crash else failed.tail("stderr.log")
            raise BrokenSubject(slug, f"it does not run to its end: {failed.note}", trace)
        if not any(t.checkpoints for t in trials):
            raise BrokenSubject(
                "nothing-recorded",
                "no Keras model was trained and nothing was given to nondet.checkpoint(), "
                "so there is nothing to compare",
            )

    # -- telling

    def _tell_factors_first(self) -> None:
        for factor in REGISTRY:
            reason = self.not_tested.get(factor.name, "")
            self._tell(factor.name, "not-tested" if reason else "waiting", reason)

    def _tell(self, name: str, state: str, why: str) -> None:
        if self.states.get(name) != state:
            self.states[name] = state
            self.watcher.factor(name, by_name(name).title, state, why)  # type: ignore[arg-type]

    def _warn(self, text: str) -> None:
        self.warnings.append(text)
        self.watcher.message(text)

    def _note(self, laboratory: Laboratory, question: Question, answer: Answer | None) -> None:
        """Keep the question with its answer, and tell what it did to the factors."""
        if answer is None:
            answer = Answer(Verdict.UNSURE, tuple(t.id for t in laboratory.of_plan(question.held)))
        where = Assembly(laboratory, self.search.finding).parting(answer.trials)
        text = wording.conclusion(question, answer, where)
        held = question.held
        free = [n for n in laboratory.factors if n not in held]
        self.questions.append(
            record.QuestionRecord(
                text=question.text,
                pinned=tuple(held),
                free=tuple(free),
                verdict=answer.verdict.value,
                trials=answer.trials,
                conclusion=text,
            )
        )
        self.watcher.answered(question.text, answer.verdict.value, text)
        self._tell_factors(question, answer, free)

    def _tell_factors(self, question: Question, answer: Answer, free: list[str]) -> None:
        if not question.held:
            for name in free:
                if answer.verdict is Verdict.AGREES:
                    self._tell(name, "cleared", f"free in {len(answer.trials)} agreeing trials")
                elif name in answer.suspected:
                    self._tell(name, "suspected", "seen to vary in a free trial")
                elif name not in answer.exercised:
                    self._tell(name, "not-exercised", "the script was not seen to use it")
        elif answer.verdict is Verdict.AGREES:
            for name in free:
                if name in answer.exercised and self.states.get(name) != "guilty":
                    self._tell(name, "cleared", f"free in {len(answer.trials)} agreeing trials")
        for guilt in self.search.finding.guilty:
            self._tell(guilt.factor, "guilty", f"alone free in {' and '.join(guilt.parting[:2])}")

    # -- the record

    def _record(self, laboratory: Laboratory, finding: Finding) -> record.Diagnosis:
        assembly = Assembly(laboratory, finding)
        causes = assembly.causes() if finding.verdict != "broken" else ()
        for cause in causes:
            self._tell(cause.factor, "guilty", f"alone free in {' and '.join(cause.trials[:2])}")
        first = assembly.parting([t.id for t in laboratory.of_plan({})])
        self._warn_of_our_errors(laboratory)
        return record.Diagnosis(
            nondet=__version__,
            subject=self.subject.to_record(),
            environment=self.environment,
            verdict=finding.verdict,  # type: ignore[arg-type]
            summary=wording.summary(finding, causes, first, self.error, self.interrupted),
            causes=causes,
            alternatives=finding.alternatives,
            sensitivities=assembly.sensitivities(),
            cleared=self._cleared(finding, causes),
            not_tested=self._not_tested(finding),
            first_divergence=first,
            prescription=prescribe(
                finding,
                causes,
                {cause.factor: assembly.places(cause.factor) for cause in causes},
                self.subject.script,
                any("keras" in trial.frameworks for trial in laboratory.trials),
            ),
            confidence=self._confidence(finding),
            trials=assembly.trial_records(),
            questions=tuple(self.questions),
            differences=assembly.matrices([t.id for t in laboratory.of_plan({})]),
            cost=self._cost(laboratory),
            error=self.error,
            interrupted=self.interrupted,
            warnings=tuple(self.warnings),
            started=self.started,
            seed=laboratory.settings.seed,
            digest=laboratory.settings.digest,
            titles={factor.name: factor.title for factor in REGISTRY},
        )

    def _cleared(
        self, finding: Finding, causes: Sequence[record.Cause]
    ) -> tuple[record.Cleared, ...]:
        guilty = {g.factor for g in finding.guilty}
        # Another pin that holds it as well, and what carries the difference, are not cleared.
        also = {name for names in finding.alternatives for name in names}
        also |= {name for cause in causes for name in cause.consumers}
        return tuple(
            record.Cleared(
                factor=name,
                why="released-without-effect" if name in self.search.exercised else "not-exercised",
                trials=trials,
            )
            for name, trials in finding.cleared.items()
            if name not in guilty | also and name not in finding.not_tested
        )

    def _not_tested(self, finding: Finding) -> tuple[record.NotTested, ...]:
        reasons = self.not_tested | dict(finding.not_tested)
        return tuple(record.NotTested(factor=name, why=why) for name, why in reasons.items())

    def _confidence(self, finding: Finding) -> record.Confidence | None:
        if finding.verdict not in ("reproducible", "causes-found"):
            return None
        level = self.goal.confidence
        return record.Confidence(
            agreeing_trials=len(finding.verified),
            divergence_probability_bound=stats.divergence_bound(0, finding.comparisons, level),
            level=level,
        )

    def _cost(self, laboratory: Laboratory) -> record.Cost:
        return record.Cost(
            trials=len(laboratory.trials),
            subject_seconds=sum(trial.seconds for trial in laboratory.trials),
            wall_seconds=time.monotonic() - self.clock,
            single_run_seconds=laboratory.single_run_seconds(),
        )

    def _warn_of_our_errors(self, laboratory: Laboratory) -> None:
        """Errors of the guest are ours: said openly, since they may have cost evidence."""
        seen: dict[str, int] = {}
        for trial in laboratory.trials:
            for error in trial.errors:
                text = f"{error.where}: {error.error}"
                seen[text] = seen.get(text, 0) + 1
        for text, count in seen.items():
            self._warn(f"an error of nondet's own in {count} trials, {text}")
        if any(trial.left_running for trial in laboratory.trials):
            self._warn("the script left processes running when it ended; they were ended")
        if any(trial.values_omitted for trial in laboratory.trials):
            self._warn(
                "some tensor values were not kept (too large), so their distances are unknown"
            )


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
