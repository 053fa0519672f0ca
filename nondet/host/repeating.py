"""``nondet repeat``: runs a script many times as it is, and tells how its results spread."""

from __future__ import annotations

import dataclasses
import datetime
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from nondet import __version__, record, spread
from nondet.guest.factors import by_name
from nondet.host import compared, machine
from nondet.host.availability import user_environment
from nondet.host.errors import BrokenSubject
from nondet.host.executors.local import LocalExecutor
from nondet.host.placing import ONE_EACH, placing_trials
from nondet.host.planning import SEED, Settings
from nondet.host.repeats import measuring, wording
from nondet.host.repeats.measuring import Measured, Plan
from nondet.host.repeats.patterns import Pattern
from nondet.host.repeats.running import Repeater
from nondet.host.repeats.sources import Sources
from nondet.host.subject import Subject
from nondet.host.trials import Trial
from nondet.host.watching import Watcher
from nondet.host.wording import failed
from nondet.repetition import Repetition, RepetitionCost, Series, Share

AS_IT_IS = "the script as it is"
CONTROL = "all sources pinned"
CONTROL_RUNS = 2
"""Runs that must end alike with all sources pinned: one that differs is a proof."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What the user asked for, checked."""

    output: Path
    runs: int = 30
    jobs: int | None = None
    timeout: float | None = None
    budget: float | None = None
    resume: bool = False
    patterns: tuple[Pattern, ...] = ()
    sources: Sources | None = None
    """None when shares are not asked for."""
    given: tuple[str, ...] = ()
    """These as words of a command line, for one that goes on."""


class Repeating:
    """One repetition from start to record. Interrupted at any moment, it has a record."""

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
        self.jobs = options.jobs or machine.default_jobs(len(self.environment.gpus))
        self.plans = plans(options)
        self.earlier: set[str] = set()
        """Runs of earlier sessions."""
        self.warnings: list[str] = []
        self.error: record.Failure | None = None
        self.interrupted = False

    def run(self) -> Repetition:
        """Repeat; every way out but a usage error gives a record."""
        settings = self._settings()
        self.watcher.opened(self.subject.script, str(self.options.output), self.jobs)
        with (
            LocalExecutor(settings.output, self.subject.folders) as executor,
            placing_trials(self.jobs) as placing,
        ):
            if executor.warning:
                self._warn(executor.warning)
            if placing is not None and (gpus := placing.splits(settings.environ)):
                self._warn(ONE_EACH.format(gpus))
            repeater = Repeater(
                settings,
                executor,
                self.watcher,
                jobs=self.jobs,
                timeout=self.options.timeout,
                deadline=self.clock + self.options.budget if self.options.budget else None,
                check=self.check,
                placing=placing,
            )
            if self.options.resume:
                self._resume(repeater)
            self._repeat(repeater)
            return self._record(repeater, executor.isolation)

    def _settings(self) -> Settings:
        output = self.options.output
        for folder in (output, output / "trials", output / "values"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self.subject.description.found
        return Settings(
            self.subject,
            output.resolve(),
            user_environment(),
            SEED,
            "xxh3_128" if found.get("xxhash") else "sha256",
            "epoch",
            values_limit=0,
        )

    def _resume(self, repeater: Repeater) -> None:
        folder = repeater.settings.output / "trials"
        count = repeater.restore(folder)
        self.earlier = {trial.id for trial in repeater.trials}
        if count:
            runs = "1 run that had ended is" if count == 1 else f"{count} runs that had ended are"
            self.watcher.message(f"resumed: {runs} used again")
        elif any(folder.iterdir()):
            self.watcher.message(
                "no run there fits: none had ended, or the script, its arguments or its packages "
                "are others now"
            )

    def _repeat(self, repeater: Repeater) -> None:
        names = [plan.factor for plan in self.plans if plan.factor]
        try:
            for number, plan in enumerate(self.plans):
                free = [name for name in names if name not in plan.held]
                rest = self.plans[number + 1 :]
                # With a single source, the runs of it alone are those of the script as it is.
                later = sum(other.count for other in rest if other.held != self.plans[0].held)
                repeater.repeat(plan.text, plan.held, free, plan.count, later, self._useless)
                if plan.role == "as-it-is":
                    self.error = self._broken(repeater.ended(plan.held))
                if self.error is not None:
                    return
        except KeyboardInterrupt:
            self.interrupted = True

    def _useless(self, ended: Sequence[Trial]) -> bool:
        """Whether a run came to its end and shows nothing: all others would be in vain."""
        whole = [trial for trial in ended if trial.whole and not trial.fault]
        if not whole or whole[0].shows or whole[0].told:
            return False
        measured = measuring.measure(self.plans[0], whole[:1], self.options.patterns)
        return not measured.keys

    def _broken(self, ended: Sequence[Trial]) -> record.Failure | None:
        """Why there is nothing to average; None when there is something, or no run has ended."""
        whole = [trial for trial in ended if trial.whole and not trial.fault]
        if whole and self._useless(whole):
            return record.Failure(
                slug="nothing-measured",
                message="it trains nothing that nondet knows of, gives nothing to "
                "nondet.metric() or nondet.checkpoint(), and no --pattern matches its output",
            )
        if whole or not ended:
            return None
        failed = ended[-1]
        return record.Failure(
            slug={"timed-out": "timeout", "killed": "killed"}.get(failed.outcome or "", "crash"),
            message=f"no run came to its end: {failed.note}",
            traceback=failed.crash.traceback if failed.crash else failed.tail("stderr.log"),
        )

    # -- telling

    def _warn(self, text: str) -> None:
        if text and text not in self.warnings:
            self.warnings.append(text)
            self.watcher.message(text)

    def _record(self, repeater: Repeater, isolation: str) -> Repetition:
        patterns = self.options.patterns
        measured = [
            measuring.measure(plan, repeater.ended(plan.held), patterns) for plan in self.plans
        ]
        keys = list(dict.fromkeys(key for one in measured for key in one.keys))
        called = measuring.labels(keys)
        series = tuple(measuring.series(one, called, keys) for one in measured)
        shares = self._shares(measured, called)
        sums = {s.metric: 0.0 for s in shares}
        for found in shares:
            sums[found.metric] += found.share
        controls = [one for one in series if one.role == "control" and len(one.whole) > 1]
        holds = controls[0].kind == "one" if controls else None
        self._warn_of(repeater, measured[0], series, holds)
        ended = {trial.id: trial for one in measured for trial in one.trials}.values()
        agreed = compared.of([t for t in repeater.trials if not t.held])
        if agreed is not None and series[0].compared == "weights":
            self._warn(compared.unseen(agreed))
        return Repetition(
            nondet=__version__,
            subject=self.subject.to_record(),
            environment=self.environment,
            summary=wording.summary(series[0], spread.BOOTSTRAP, agreed)
            if self.error is None
            else failed("repeated", self.error.message),
            series=series,
            shares=shares,
            sums=sums,
            holds=holds,
            bootstrap=spread.BOOTSTRAP,
            cost=RepetitionCost(
                runs=len(ended),
                earlier=sum(trial.id in self.earlier for trial in ended),
                subject_seconds=sum(trial.seconds for trial in ended),
                wall_seconds=time.monotonic() - self.clock,
                single_run_seconds=repeater.single_run_seconds(),
                jobs=self.jobs,
            ),
            started=self.started,
            seed=repeater.settings.seed,
            digest=repeater.settings.digest,
            isolation=isolation,
            patterns=tuple(pattern.text for pattern in patterns),
            options=self.options.given,
            diagnosis=self.options.sources.diagnosis if self.options.sources else "",
            error=self.error,
            interrupted=self.interrupted,
            warnings=tuple(self.warnings),
            titles={plan.factor: by_name(plan.factor).title for plan in self.plans if plan.factor},
        )

    def _shares(
        self, measured: Sequence[Measured], called: dict[measuring.Key, str]
    ) -> tuple[Share, ...]:
        found = [
            share
            for one in measured
            if one.plan.role == "source"
            for share in measuring.shares(measured[0], one, called)
        ]
        order = list(called.values())
        return tuple(sorted(found, key=lambda share: order.index(share.metric)))

    def _warn_of(
        self, repeater: Repeater, free: Measured, series: Sequence[Series], holds: bool | None
    ) -> None:
        for one in series:
            if one is series[0] or one.held != series[0].held:
                self._warn(wording.failures(one))
        for text in wording.unmatched(free, self.options.patterns):
            self._warn(text)
        self._warn(wording.control(holds))
        self._warn(wording.guesses(series))
        for name in self.options.sources.left_out if self.options.sources else ():
            self._warn(f"{name} is a cause as well; its share can't be measured, since each run "
                       "starts from a fresh folder")  # fmt: skip
        for text in wording.faults(repeater.trials):
            self._warn(text)


def plans(options: Options) -> tuple[Plan, ...]:
    """The series that are asked for: as it is; then all sources pinned, and each alone free."""
    found = [Plan("as-it-is", AS_IT_IS, {}, options.runs)]
    if options.sources is not None:
        arms = options.sources.arms
        found.append(Plan("control", CONTROL, dict(arms), CONTROL_RUNS))
        for name in arms:
            held = {other: arm for other, arm in arms.items() if other != name}
            found.append(Plan("source", f"only {name} free", held, options.runs, name))
    return tuple(found)


def broken_before_runs(subject: record.Subject, broken: BrokenSubject) -> Repetition:
    """The record of a script that is broken before any run, such as by a syntax error."""
    return Repetition(
        nondet=__version__,
        subject=subject,
        environment=machine.environment("", {}),
        summary=failed("repeated", broken.message),
        series=(Series(role="as-it-is", text=AS_IT_IS),),
        bootstrap=spread.BOOTSTRAP,
        cost=RepetitionCost(
            runs=0, subject_seconds=0.0, wall_seconds=0.0, single_run_seconds=0.0, jobs=0
        ),
        error=record.Failure(slug=broken.slug, message=broken.message, traceback=broken.traceback),
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        seed=SEED,
    )
