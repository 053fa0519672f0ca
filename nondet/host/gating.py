"""``nondet check``: whether a script repeats, and no more; as a gate of other tools."""

from __future__ import annotations

import dataclasses
import datetime
import time
from collections.abc import Callable
from pathlib import Path

from nondet import __version__, record, stats
from nondet.guest.factors import REGISTRY
from nondet.host import across, checking, compared, machine, portable, printed, wording
from nondet.host.assembling import Assembly
from nondet.host.availability import unavailable, user_environment
from nondet.host.errors import BrokenSubject
from nondet.host.executors.local import LocalExecutor
from nondet.host.laboratory import Laboratory
from nondet.host.placing import ONE_EACH, placing_trials
from nondet.host.planning import SEED, Settings
from nondet.host.portable import Opened
from nondet.host.sites import Sites
from nondet.host.subject import Subject
from nondet.host.watching import Watcher
from nondet.runs import Check, Comparison
from nondet.search.questions import Answer, BudgetSpent, Finding, Question
from nondet.verdict import Verdict

TEXT = "Does it repeat as it is?"


@dataclasses.dataclass(frozen=True)
class Gate:
    """What is asked of a script."""

    comparisons: int
    """Agreeing comparisons that are enough, at least one."""
    exact: bool = False
    """Whether the user named the number of runs, so that there are no more."""
    level: float = 0.95
    jobs: int | None = None
    budget: float | None = None
    timeout: float | None = None


def check(
    subject: Subject,
    gate: Gate,
    output: Path,
    watcher: Watcher,
    baseline: Opened | None = None,
    look: Callable[[], None] = lambda: None,
) -> Check:
    """Run the script as it is until it is known whether it repeats. Raises UsageError.

    `output`: a folder for what trials leave. `look` may raise KeyboardInterrupt.
    """
    began = time.monotonic()
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    environment = machine.environment(subject.description.python, subject.description.packages)
    reasons = unavailable(subject.description, environment)
    jobs = gate.jobs or machine.default_jobs(len(environment.gpus))
    # The last starts when another has ended: from what that has left, if it has left anything.
    jobs = min(jobs, gate.comparisons) if gate.exact else jobs
    watcher.opened(subject.script, "a temporary folder", jobs)
    for folder in (output / "trials", output / "values"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A baseline that has every step is compared at every step.
    steps = baseline is not None and baseline.run.granularity == "step"
    granularity = "step" if steps else "auto"
    settings = Settings(subject, output.resolve(), user_environment(), SEED, "sha256", granularity)
    with LocalExecutor(output, subject.folders) as executor, placing_trials(jobs) as placing:
        if executor.warning:
            watcher.message(executor.warning)
        if placing is not None and (gpus := placing.splits(settings.environ)):
            watcher.message(ONE_EACH.format(gpus))
        laboratory = Laboratory(
            settings,
            executor,
            watcher,
            jobs=jobs,
            factors=tuple(f.name for f in REGISTRY if f.name not in reasons),
            timeout=gate.timeout,
            deadline=began + gate.budget if gate.budget else None,
            max_trials=gate.comparisons + 1 + jobs,
            check=look,
            placing=placing,
        )
        try:
            answer = laboratory.ask(Question(TEXT, {}, gate.comparisons, exact=gate.exact))
        except BudgetSpent:
            answer = Answer(Verdict.UNSURE, ())
        whole = [trial for trial in laboratory.trials if trial.whole]
        left = None
        if baseline is not None and whole and answer.verdict is not Verdict.DIVERGES:
            run = portable.described(whole[0], settings, started)
            mine = Opened(Path(subject.script), run, whole[0], output / "values")
            left = across.compare(baseline, mine, repeats=answer.verdict is Verdict.AGREES)
        return _told(subject, gate, laboratory, answer, left, time.monotonic() - began)


def _told(
    subject: Subject,
    gate: Gate,
    laboratory: Laboratory,
    answer: Answer,
    baseline: Comparison | None,
    seconds: float,
) -> Check:
    assembly = Assembly(laboratory, Finding())
    first = assembly.parting([trial.id for trial in laboratory.of_plan({})])
    bound = agreed = None
    error = _error(laboratory, answer.verdict)
    ended = len([trial for trial in laboratory.trials if trial.counts and trial.outcome])
    if error is not None:
        verdict, summary = "broken", wording.failed("checked", error.message)
    elif answer.verdict is Verdict.DIVERGES:
        verdict = "parts"
        summary = f"It does not repeat. {wording.place(first)}."
    elif baseline is not None and not baseline.agree:
        verdict, summary = "left-the-baseline", f"It left the baseline. {baseline.summary}"
    elif answer.verdict is Verdict.AGREES:
        verdict = "agrees"
        agreed = compared.of([laboratory.named(name) for name in answer.trials])
        where = f" in {agreed.words}" if agreed is not None else ""
        summary = f"It repeats: {len(answer.trials)} runs agree bit for bit{where}."
        bound = stats.divergence_bound(0, answer.comparisons, gate.level)
    else:
        verdict, summary = "unsure", "The budget was spent before it was known."
    return Check(
        nondet=__version__,
        subject=subject.to_record(),
        verdict=verdict,  # type: ignore[arg-type]
        summary=summary,
        runs=ended,
        divergence_probability_bound=bound,
        level=gate.level,
        first=first,
        compared=agreed,
        warnings=tuple(filter(None, [printed.differing(laboratory.of_plan({}))])),
        baseline=baseline,
        seconds=seconds,
        error=error,
    )


def broken_before_runs(subject: record.Subject, level: float, broken: BrokenSubject) -> Check:
    """What is said of a script that is broken before any run, such as by a syntax error."""
    return Check(
        nondet=__version__,
        subject=subject,
        verdict="broken",
        summary=wording.failed("checked", broken.message),
        runs=0,
        level=level,
        seconds=0.0,
        error=record.Failure(slug=broken.slug, message=broken.message, traceback=broken.traceback),
    )


def _error(laboratory: Laboratory, verdict: Verdict) -> record.Failure | None:
    """Why the script can't be checked, as a diagnosis would say it; None when it can, and when no
    run has come to its end yet."""
    trials = laboratory.of_plan({})
    if verdict is not Verdict.BROKEN and not any(trial.whole for trial in trials):
        return None
    try:
        checking.check(trials, verdict, Sites(laboratory.settings.subject))
    except BrokenSubject as broken:
        return record.Failure(slug=broken.slug, message=broken.message, traceback=broken.traceback)
    return None
