"""What a finding comes to: causes with their lines, the change that they ask for, the record."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence

import msgspec

from nondet import __version__, record
from nondet.host import (
    apart,
    circumstances,
    compared,
    conflicts,
    executing,
    kernels,
    machine,
    printed,
    recording,
    wording,
    zooming,
)
from nondet.host.askable import Askable
from nondet.host.assembling import Assembly
from nondet.host.closer import CloserLook
from nondet.host.errors import BrokenSubject, failure
from nondet.host.executors.interface import ExecutorError
from nondet.host.laboratory import Laboratory
from nondet.host.mending import mend
from nondet.host.prescribing import prescribe
from nondet.host.sites import Sites
from nondet.host.subject import Subject
from nondet.host.telling import Telling
from nondet.search.diagnosing import Goal, Search
from nondet.search.questions import Finding
from nondet.search.stressing import Provoked

CLASH = (
    "with its names pinned, a run finds the folder or files that the former one made, and fails; "
    "so the runs started from fresh folders"
)


@dataclasses.dataclass(frozen=True)
class Course:
    """How a diagnosis went, whatever it found."""

    started: str
    seconds: float
    questions: Sequence[record.QuestionRecord]
    error: record.Failure | None
    interrupted: bool
    failures: Sequence[OSError | ExecutorError]
    """What the machine had run out of, or refused."""


class Conclusion:
    """All that is said of one finding."""

    def __init__(
        self,
        subject: Subject,
        environment: record.Environment,
        askable: Askable,
        search: Search,
        goal: Goal,
        laboratory: Laboratory,
        finding: Finding,
        closer: CloserLook,
        telling: Telling,
    ) -> None:
        """`environment`: of the machine where trials run. `laboratory`: that of the search, which
        runs no further trial; what looks closer has its own."""
        self.subject = subject
        self.environment = environment
        self.askable = askable
        self.search = search
        self.goal = goal
        self.laboratory = laboratory
        self.finding = finding
        self.closer = closer
        self.telling = telling
        self.assembly = Assembly(laboratory, finding)

    def causes(self) -> tuple[record.Cause, ...]:
        if self.finding.verdict == "broken":
            return ()
        causes = self.assembly.causes()
        for cause in causes:
            self.telling.guilty(cause.factor, cause.trials)
        return causes

    # -- the change

    def prescription(
        self, causes: Sequence[record.Cause], *, verify: bool
    ) -> record.Prescription | None:
        """The change that the causes ask for, and with `verify` what the patched script does by
        itself."""
        if not causes:
            return None
        frameworks = self.assembly.frameworks
        if self.environment.gpus:  # of a cluster's, trials tell nothing
            frameworks |= {f"{name} on a GPU": v for name, v in frameworks.items()}
        prescription, written = prescribe(
            self.finding,
            causes,
            {guilt.factor: self.assembly.all_places(guilt) for guilt in self.finding.guilty},
            self.subject.started,
            frameworks,
            self.laboratory.settings.plugins,
            self.assembly.backend,
            {cause.factor: self.assembly.programs(cause.factor) for cause in causes},
        )
        try:
            mending = mend(prescription, causes, written, self.subject, self._trains())
        except Exception as error:
            # What was found stands without a patch.
            self.telling.warn(f"no patch could be made: {type(error).__name__}: {error}")
            return prescription
        if not mending.runnable or not verify:
            return mending.prescription
        return self.closer.at_patch(mending, self.goal.comparisons)

    def _trains(self) -> str:
        """The script that was recorded, where the subject starts it; empty elsewhere."""
        script = self.assembly.launched
        return Sites(self.subject).shown(script) if script else ""

    # -- the record

    def diagnosis(
        self,
        course: Course,
        causes: Sequence[record.Cause],
        prescription: record.Prescription | None,
        provoked: Provoked | None,
    ) -> record.Diagnosis:
        """The record; of `causes`, with what a closer look has shown."""
        laboratory, finding, closer = self.laboratory, self.finding, self.closer
        options, not_tested = self.askable.options, self.askable.not_tested
        if laboratory.clashing and not any(g.factor == "leftovers" for g in finding.guilty):
            not_tested["leftovers"] = CLASH
        assembly = self.assembly
        shown = self._kernels(causes)
        causes = tuple(self._sharpened(cause, shown) for cause in causes)
        free = [trial.id for trial in laboratory.of_plan({})]
        horizon = recording.horizon(options.horizon, laboratory)
        first = zooming.sharpened(assembly.parting(free), closer.zooms)
        agreed = compared.of([assembly.by_id[i] for i in finding.verified])
        trials = (
            *assembly.trial_records(),
            *(t for other in closer.laboratories for t in Assembly(other, finding).trial_records()),
        )
        pairs = [d.trials for d in (first, *(c.first_divergence for c in causes)) if d is not None]
        for fault in (
            *recording.faults((laboratory, *closer.laboratories)),
            *(conflicts.of_trials(laboratory.of_plan({})) if self.environment.gpus else ()),
            *circumstances.of(trials, pairs),
            compared.unseen(agreed) if agreed is not None else "",
            printed.differing(laboratory.of_plan({})),
        ):
            if fault:
                self.telling.warn(fault)
        for error in course.failures:
            self.telling.warn(f"the trials ended early: {failure(error).message}")
        return record.Diagnosis(
            nondet=__version__,
            subject=msgspec.structs.replace(self.subject.to_record(), trains=self._trains()),
            environment=self.environment,
            verdict=finding.verdict,  # type: ignore[arg-type]
            summary=wording.summary(
                finding,
                causes,
                first,
                course.error,
                course.interrupted,
                horizon,
                agreed,
            ),
            causes=causes,
            alternatives=finding.alternatives,
            sensitivities=(
                *assembly.sensitivities(),
                *(apart.shifted(assembly, provoked) if provoked is not None else ()),
            ),
            cleared=recording.cleared(finding, causes, self.search.exercised, not_tested),
            not_tested=recording.not_tested(finding, not_tested),
            first_divergence=first,
            prescription=prescription,
            confidence=recording.confidence(finding, self.goal.confidence, self.goal.rate, agreed),
            trials=trials,
            questions=tuple(course.questions),
            differences=assembly.matrices(free),
            cost=recording.cost(laboratory, closer.laboratories, course.seconds),
            error=course.error,
            interrupted=course.interrupted,
            warnings=tuple(self.telling.warnings),
            started=course.started,
            seed=laboratory.settings.seed,
            digest=laboratory.settings.digest,
            stress=apart.stress(assembly, provoked) if provoked is not None else None,
            suspects=apart.suspects(assembly),
            refusals=apart.refusals(assembly),
            kernels=shown,
            horizon=horizon,
            zooms=tuple(closer.zooms),
            step_maps=assembly.step_maps(free),
            recording=recording.pace(laboratory),
            executor=options.executor,
            options=options.given,
            machines=executing.machines(laboratory.executor),
            titles={factor.name: factor.title for factor in self.askable.factors},
        )

    def _kernels(self, causes: Sequence[record.Cause]) -> tuple[record.Kernel, ...]:
        """Operations behind the causes, as a closer look and the frameworks tell of them."""
        if self.finding.verdict == "broken":
            return ()
        closer = self.closer
        trials = [t for lab in (self.laboratory, *closer.laboratories) for t in lab.trials]
        return kernels.of(
            causes,
            closer.zooms,
            kernels.warned(trials, Sites(self.subject)),
            apart.refusals(self.assembly),
            closer.gpus,
            closer.needed,
        )

    def _sharpened(self, cause: record.Cause, shown: Sequence[record.Kernel]) -> record.Cause:
        """The cause with the tensor that is first to differ inside a step, and the operation."""
        own = [zoom for zoom in self.closer.zooms if cause.factor in zoom.factors]
        where = zooming.sharpened(cause.first_divergence, own)
        behind = kernels.behind(cause.factor, shown)
        cause = msgspec.structs.replace(cause, first_divergence=where, operation=behind)
        return msgspec.structs.replace(cause, because=wording.because(cause))


def broken_before_trials(subject: record.Subject, broken: BrokenSubject) -> record.Diagnosis:
    """The record of a script that is broken before any trial, such as by a syntax error."""
    return record.Diagnosis(
        nondet=__version__,
        subject=subject,
        environment=machine.environment("", {}),
        verdict="broken",
        summary=wording.failed("diagnosed", broken.message),
        cost=record.Cost(trials=0, subject_seconds=0.0, wall_seconds=0.0, single_run_seconds=0.0),
        error=record.Failure(slug=broken.slug, message=broken.message, traceback=broken.traceback),
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
