"""The sentences of a repetition: what its runs have shown, and no more than that."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from nondet import stats
from nondet.host.recording import GIVEN
from nondet.host.repeats.measuring import Measured
from nondet.host.repeats.patterns import Pattern
from nondet.host.trials import Trial
from nondet.naming import enumerated
from nondet.record import Compared
from nondet.repetition import Bootstrap, Series
from nondet.spread import FEWEST_VALUES

WHAT = {
    "weights": "final weights",
    "values": "values given to `nondet.checkpoint`",
    "metrics": "final metrics",
}
MOST_SIZES = 5


def summary(free: Series, bootstrap: Bootstrap, agreed: Compared | None = None) -> str:
    """How many distinct results there are, and what that may mean. `agreed`: what they are of."""
    count, found = len(free.whole), len(free.results)
    what = WHAT.get(free.compared, "")
    sure = f"{100 * bootstrap.level:g} % sure"
    if free.kind == "one":
        bound = _percent(stats.divergence_bound(0, count - 1, bootstrap.level))
        return (
            f"All {count} runs ended with the same {what}{_of(agreed)}, bit for bit. Fewer than "
            f"{bound} of runs "
            f"would end otherwise ({sure})."
        )
    if free.kind == "all-different":
        fewest = stats.fewest_outcomes(count, bootstrap.level)
        return (
            f"{count} runs ended with {count} different {what}: accumulated noise, or draws from "
            f"many values. If all results are equally likely, there are at least {fewest} of them "
            f"({sure})."
        )
    if free.kind == "few":
        return (
            f"{count} runs ended with {found} different {what} ({_sizes(free.results)} runs): an "
            "order or a choice, rather than noise that accumulates. Rarer results may be missing."
        )
    if free.kind == "many":
        return (
            f"{count} runs ended with {found} different {what}, some of them more than once "
            f"({_sizes(free.results)} runs): a choice among a limited number of results. More runs "
            "would show more of them."
        )
    if free.kind == "too-few" and count == 1:
        return "One run came to its end: it says nothing of how others would differ."
    if free.kind == "too-few":
        return (
            f"{count} runs ended with {count} different {what}: too few runs to tell noise that "
            "accumulates from a choice among a few results."
        )
    return "No run came to its end with anything to compare."


def _of(agreed: Compared | None) -> str:
    names = agreed.names if agreed is not None else ""
    return names and f" of {names}"


def control(holds: bool | None) -> str:
    """What is to be said of the pins when they don't hold; empty when they do."""
    if holds is False:
        return (
            "with all sources pinned, runs still part: something else varies as well, so that "
            "every share holds a part that is not its source's"
        )
    return ""


def guesses(series: Sequence[Series]) -> str:
    """That shares come without intervals; empty when all can have one."""
    told = [one for one in series if one.role != "control"]
    if len(told) > 1 and min(len(one.whole) for one in told) < FEWEST_VALUES:
        return f"shares from fewer than {FEWEST_VALUES} runs are guesses: give a larger -n"
    return ""


def failures(series: Series) -> str:
    """How many runs of a series failed, and how; empty when none did."""
    if not series.failed:
        return ""
    notes = list(dict.fromkeys(run.note or run.outcome for run in series.failed))
    more = f" and {len(notes) - 2} other ways" if len(notes) > 2 else ""
    where = f" ({series.text})" if series.role != "as-it-is" else ""
    return (
        f"{len(series.failed)} of {len(series.runs)} runs{where} failed and "
        f"{'is' if len(series.failed) == 1 else 'are'} in no figure: "
        f"{'; '.join(notes[:2])}{more}"
    )


def unmatched(measured: Measured, wanted: Sequence[Pattern]) -> Iterator[str]:
    """Patterns that found nothing, or no number."""
    if not measured.found:
        return
    where = f"see stdout.log in trials/{next(iter(measured.found))}"
    for pattern in wanted:
        if not any(pattern.text in found.matched for found in measured.found.values()):
            yield f"the pattern `{pattern.text}` matched no line of any run's output: {where}"
        for name, _ in pattern.groups:
            texts = [f.no_numbers[name] for f in measured.found.values() if name in f.no_numbers]
            if texts:
                yield (
                    f"the pattern `{pattern.text}` found `{texts[0]}` for {name} in "
                    f"{_runs(len(texts))}, which is no number"
                )


def faults(trials: Sequence[Trial]) -> Iterator[str]:
    """What the guest could not take, and what the script left behind."""
    seen: dict[tuple[str, str], int] = {}
    for trial in trials:
        for where, error in {(error.where, error.error) for error in trial.errors}:
            seen[where, error] = seen.get((where, error), 0) + 1
    for (where, text), count in seen.items():
        whose = "" if where.startswith(GIVEN) else "an error of nondet's own, "
        yield f"{whose}{where} in {_runs(count)}: {text}"
    if any(trial.left_running for trial in trials):
        yield "the script left processes running when it ended; they were ended"
    if killed := [trial.id for trial in trials if trial.alone_again]:
        yield (
            f"{enumerated(killed)} was killed while others ran beside it, and is not counted"
            if len(killed) == 1
            else f"{enumerated(killed)} were killed while others ran beside them, and are not "
            "counted"
        )


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _sizes(results: Sequence[int]) -> str:
    shown = [str(size) for size in results[:MOST_SIZES]]
    if len(results) > MOST_SIZES + 1:
        return f"{', '.join(shown)} and so on"
    return enumerated([str(size) for size in results])


def _percent(probability: float) -> str:
    """An upper bound as a percentage, rounded up: rounded down, it would claim too much."""
    return f"{math.ceil(1000 * probability - 1e-9) / 10:g} %"
