"""Whether the subject as it is can be diagnosed at all: it runs, and shows something to compare."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from nondet.host import compared, evidence, interpreters
from nondet.host.errors import BrokenSubject
from nondet.host.sites import Sites
from nondet.host.trials import Trial
from nondet.verdict import Verdict

FAILED = ("crashed", "killed", "timed-out")
SEVERAL = "SeveralCourses"
"""Kind of the failure of a trial in which several processes train (guest/launching.py)."""
CHILD = "a child process"
"""How the detail of a sighting begins when the script starts one (guest/suspicions.py)."""


def check(trials: Sequence[Trial], verdict: Verdict, sites: Sites) -> None:
    """Raises BrokenSubject. `trials`: those with nothing held, which gave this verdict."""
    check_course(trials)
    if verdict is Verdict.BROKEN:
        raise _failure(trials, sites.subject.python)
    # Trials that part at the first step of all have its log, and no checkpoint yet.
    if not any(trial.checkpoints or trial.models for trial in trials):
        raise BrokenSubject(
            "nothing-recorded",
            "nothing was trained that nondet knows of, and nothing was given to "
            f"nondet.checkpoint(), so there is nothing to compare{_elsewhere(trials, sites)}",
        )
    # A difference proves something, whatever it is in; agreement of these alone does not.
    if verdict is Verdict.AGREES and not any(trial.shows for trial in trials):
        raise BrokenSubject(
            "nothing-recorded",
            "nothing was trained that nondet knows of, and what was given to nondet.checkpoint() "
            f"is empty, so there is nothing to compare{_elsewhere(trials, sites)}",
        )
    found = compared.of(trials) if verdict is Verdict.AGREES else None
    if found is not None and (unseen := compared.unseen(found)):
        raise BrokenSubject("nothing-recorded", f"{unseen}{_elsewhere(trials, sites)}")


def check_course(trials: Sequence[Trial]) -> None:
    """Raises BrokenSubject when several processes train in one run."""
    for trial in trials:
        if trial.crash is not None and trial.crash.kind == SEVERAL:
            raise BrokenSubject("several-courses", trial.crash.message, "")


def _failure(trials: Sequence[Trial], python: str) -> BrokenSubject:
    failed = [t for t in trials if t.outcome in FAILED][-1]
    trace = failed.crash.traceback if failed.crash else failed.tail("stderr.log")
    if (refused := evidence.refusal_of(failed)) is not None:
        return BrokenSubject(
            "deterministic-mode",
            f"deterministic mode, which it asks for, refuses {refused.op}",
            trace,
        )
    slug = {"timed-out": "timeout", "killed": "killed"}.get(failed.outcome or "", "crash")
    again = failed.chained and any(t.whole and not t.chained for t in trials)
    after = " where it starts from what a former run left in its folder" if again else ""
    told = f"it does not run to its end{after}: {failed.note}{_misplaced(failed, python)}"
    return BrokenSubject(slug, told, trace)


def _misplaced(failed: Trial, python: str) -> str:
    """What to do where a package is missing and nondet's own environment ran the script."""
    missing = failed.crash is not None and failed.crash.kind == "ModuleNotFoundError"
    if not missing or python != sys.executable or not interpreters.tool():
        return ""
    return "; nondet's own environment ran it: activate the script's, or name its --python"


def _elsewhere(trials: Sequence[Trial], sites: Sites) -> str:
    """Where the script starts the process in which it may train."""
    started = (s for trial in trials for s in trial.sightings.values())
    found = sites.of(s for s in started if s.detail.startswith(CHILD))
    if not found:
        return ""
    return f"; {found[0].place} starts a child process, in which nothing is seen"
