"""Parts of the record that follow from the finding: what is cleared, how sure, what it took."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from nondet import record, stats
from nondet.host.horizon import Horizon
from nondet.host.laboratory import Laboratory
from nondet.host.trials import Trial
from nondet.search.questions import Answer, Finding
from nondet.verdict import Verdict

GIVEN = "nondet.metric("
"""How errors begin that are not ours: of a metric that the script gives, and that is no number."""


def cleared(
    finding: Finding,
    causes: Sequence[record.Cause],
    exercised: Collection[str],
    reasons: Mapping[str, str],
) -> tuple[record.Cleared, ...]:
    """Factors that were free in agreeing trials; `reasons` names those that were not tested."""
    guilty = {g.factor for g in finding.guilty}
    # Another pin that holds it as well, and what carries the difference, are not cleared.
    also = {name for names in finding.alternatives for name in names}
    also |= {name for cause in causes for name in cause.consumers}
    also |= reasons.keys() | finding.not_tested.keys()
    return tuple(
        record.Cleared(
            factor=name,
            why="released-without-effect" if name in exercised else "not-exercised",
            trials=trials,
        )
        for name, trials in finding.cleared.items()
        if name not in guilty | also
    )


def not_tested(finding: Finding, reasons: Mapping[str, str]) -> tuple[record.NotTested, ...]:
    """Factors that could not be tested, from the start or because their pin broke the script."""
    every = dict(reasons) | dict(finding.not_tested)
    return tuple(record.NotTested(factor=name, why=why) for name, why in every.items())


def horizon(asked: Horizon | None, laboratory: Laboratory) -> record.Horizon | None:
    """Where trials were ended, and the checkpoint at which the first of them came there."""
    if asked is None:
        return None
    trials = [trial for trial in laboratory.trials if trial.course.reached]
    reached = ""
    if trials:
        last = trials[0].checkpoints[-1]
        models = {c.model for c in trials[0].checkpoints if c.kind != "user"}
        reached = last.label if len(models) < 2 else f"{last.label} of `{last.model}`"
    return record.Horizon(unit=asked.unit, count=asked.count, reached=reached)


def confidence(
    finding: Finding, level: float, rate: float, agreed: record.Compared | None = None
) -> record.Confidence | None:
    """What the agreeing trials allow to say, and in what they agree; None when the verdict rests on
    none."""
    if finding.verdict not in ("reproducible", "causes-found"):
        return None
    return record.Confidence(
        agreeing_trials=len(finding.verified),
        divergence_probability_bound=stats.divergence_bound(0, finding.comparisons, level),
        level=level,
        rate=rate,
        compared=agreed,
    )


def bound(answer: Answer, level: float) -> float | None:
    """What agreeing trials allow a further one to differ with; None when they don't agree."""
    if answer.verdict is not Verdict.AGREES:
        return None
    return stats.divergence_bound(0, answer.comparisons, level)


def cost(laboratory: Laboratory, looking: Sequence[Laboratory], wall_seconds: float) -> record.Cost:
    """`looking`: the laboratories of trials beside those of the search."""
    trials = [trial for one in (laboratory, *looking) for trial in one.trials]
    return record.Cost(
        trials=len(trials),
        subject_seconds=sum(trial.seconds for trial in trials) + laboratory.warming.seconds,
        wall_seconds=wall_seconds,
        single_run_seconds=laboratory.single_run_seconds(),
        importing_seconds=laboratory.warming.seconds,
        forked_trials=sum(bool(trial.parent) for trial in trials),
        not_forked=laboratory.warming.why_not,
    )


def pace(laboratory: Laboratory) -> tuple[record.Recording, ...]:
    """How finely steps were recorded, by model, where some whole trial tells."""
    told: dict[int, list[Trial]] = {}
    for trial in laboratory.completed():
        for index in trial.paces:
            told.setdefault(index, []).append(trial)
    return tuple(
        record.Recording(
            model=trials[0].models.get(index, trials[0].paces[index].model),
            interval=max(trial.paces[index].interval for trial in trials),
            share=max(trial.paces[index].share for trial in trials),
            bytes=max(trial.traces[index].size for trial in trials if index in trial.traces),
        )
        for index, trials in sorted(told.items())
        if any(index in trial.traces for trial in trials)
    )


def faults(laboratories: Sequence[Laboratory]) -> Iterator[str]:
    """Errors of the guest are ours: said openly, since they may have cost evidence. So is what
    the trials left behind or could not keep."""
    trials = [trial for laboratory in laboratories for trial in laboratory.trials]
    seen: dict[str, int] = {}
    for trial in trials:
        for error in trial.errors:
            text = f"{error.where}: {error.error}"
            seen[text] = seen.get(text, 0) + 1
    for text, count in seen.items():
        many = f"{count} trial{'' if count == 1 else 's'}"
        if text.startswith(GIVEN):
            yield f"{text} (in {many})"
        else:
            yield f"an error of nondet's own in {many}, {text}"
    if any(trial.left_running for trial in trials):
        yield "the script left processes running when it ended; they were ended"
    if what := sorted({what for trial in trials for what in trial.elsewhere}):
        more = f" and {len(what) - 1} more" if len(what) > 1 else ""
        yield f"not recorded, since a child process of the script does it: {what[0]}{more}"
    if any(trial.values_omitted for trial in trials):
        yield "some tensor values were not kept (too large), so their distances are unknown"
