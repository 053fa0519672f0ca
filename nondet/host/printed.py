"""Whether runs that agree have printed different things, where the script draws without a seed.

Only lines that tell a result are looked at. What varies from run to run anyway is left out: times,
dates, speeds, sizes of memory, addresses, and absolute paths, which may be those of temporary
files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from nondet.guest.factors import REGISTRY
from nondet.host import files
from nondet.host.trials import Trial

MOST = 1 << 20
"""Bytes of output that are looked at; of a run that prints more, nothing is said."""
MOST_RUNS = 20
"""Runs that are looked at: a run that prints much takes half a second."""
GENERATORS = frozenset(factor.name for factor in REGISTRY if factor.group == "generators")
VARYING = re.compile(
    r"""
      \x1b\[[0-9;?]*[ -/]*[@-~] | [\x00-\x1f]          # colours, movements of the cursor
    | 0x[0-9a-f]+ | (?<![\w.])/\S+                     # addresses, absolute paths
    | \d{4}-\d\d-\d\d(?:[ T_/-]\d\d[:.-]?\d\d\S*)?     # dates
    | (?<!\d)20\d{6}[T_-]?\d{4}(?:\d\d)?(?!\d)         # the same in names of runs
    | (?<![a-z])[a-z]{3}\d\d_\d\d-\d\d-\d\d(?!\d)
    | (?<!\d)\d+:\d\d(?::\d\d)?(?:[.,]\d+)?            # times of the day, durations
    | \b(?:[a-z]+/s(?:ec(?:ond)?)?|[nuµμm]?s/[a-z]+)\b[\s:=]*\d+(?:[.,]\d+)*  # behind its unit
    | (?<!\d)\d+(?:,\d{3}){0,4}(?:[.,]\d+)?(?:e[-+]?\d+)?\s?                  # with a unit
      (?: (?:[a-z]+\s?)?/\s?s(?:ec(?:ond)?)?
        | [kmgt]i?b
        | (?:[nuµμm]?s|secs?|seconds?|m|mins?|minutes?|h|hours?|days?)(?:/\w+)?
      )\b
    | \b(?P<seconds>1[5-9]\d{8})(?:\d{3})?(?:\.\d+)?\b  # since 1970
    """,
    re.VERBOSE | re.IGNORECASE,
)
MONTH = 30 * 24 * 3600
"""Seconds around a run in which a number of seconds may be a time that it tells: one number in
nine of 32 bits has such digits, and is a checksum, say."""
TOLD_OF_TIME = re.compile(
    r"(?<![a-z])(?:(?:run)?times?(?!_steps?)|took|takes?|elapsed|durations?|seconds?|speed|throughput|"
    r"latency|eta|pid|port|memory|ram)(?![a-z])",
    re.IGNORECASE,
)
"""Words of lines of which nothing is said, whatever numbers they have; `fit_time` has one."""
RESULT = re.compile(
    r"(?<![a-z\d])(?:loss(?:es)?\d?|acc(?:uracy)?|scores?|errors?|r?mse|mae|auc|f1|r2|rewards?|returns?|"
    r"precision|recall|metrics?|perplexity|ppl|bleu|weights?|coef\w*|predict\w*|digests?|"
    r"checksums?|sha\d*(?:sum)?)(?![a-z\d])",
    re.IGNORECASE,
)
"""Words of lines that tell a result; others may be the name of a run, which is to be new. None
begins or ends beside a digit: `acc` and `f1` are a part of many a random name in hexadecimal."""


def differing(trials: Sequence[Trial]) -> str:
    """A note where two of these have printed different things; empty where none have, and where
    that has another reason than draws of the script's own. `trials`: of one plan."""
    whole = [t for t in trials if t.counts and t.outcome == "completed" and not t.parent]
    if any(t.witness is not None for t in trials) or not any(map(draws, whole)):
        return ""
    shown = lines(whole[0])
    for other in whole[1:MOST_RUNS]:
        told = lines(other)
        if shown is not None and told is not None and (place := first(shown, told)):
            return (
                f"the runs printed different things ({whole[0].id} and {other.id}, first at line "
                f"{place}), though they agree in all that was compared: if that is not to differ, "
                "give what it shows to nondet.checkpoint()"
            )
    return ""


def draws(trial: Trial) -> bool:
    """Whether a line of the user's draws from a generator that has no seed."""
    return any(
        s.unseeded and s.site is not None and s.factor in GENERATORS
        for s in trial.sightings.values()
    )


def lines(trial: Trial) -> list[tuple[int, str]] | None:
    """The lines that it has printed, numbered from 1, without what varies anyway; None where that
    is too much, or not to be read."""
    try:
        log = trial.folder / "stdout.log"
        text, ended = files.read(log, MOST).decode("utf-8", "replace"), log.stat().st_mtime
    except OSError:
        return None
    return list(_telling(text, ended))


def _telling(text: str, ended: float) -> Iterator[tuple[int, str]]:
    def without(varying: re.Match[str]) -> str:
        seconds = varying["seconds"]
        return varying[0] if seconds and abs(int(seconds) - ended) > MONTH else " "

    for number, line in enumerate(text.split("\n"), 1):
        # Of a line that was written over again and again, what stands there in the end.
        shown = line.rstrip("\r").rpartition("\r")[2]
        told = " ".join(VARYING.sub(without, shown).split())
        if RESULT.search(told) and not TOLD_OF_TIME.search(shown):
            yield number, told


def first(one: Sequence[tuple[int, str]], other: Sequence[tuple[int, str]]) -> int:
    """The first line that only one of two outputs has; 0 where both have the same lines, in
    whatever order."""
    both = Counter(told for _, told in one) & Counter(told for _, told in other)
    found = []
    for side in (one, other):
        left = both.copy()
        for number, told in side:
            if not left[told]:
                found.append(number)
                break
            left[told] -= 1
    return min(found, default=0)
