"""The change that the causes ask for: code for the top of the script, and the launch line."""

from __future__ import annotations

from collections.abc import Sequence

from nondet import record
from nondet.guest.factors import by_name
from nondet.search.questions import Finding

SEED_ALL = "import keras\nkeras.utils.set_random_seed(42)"


def edits(cause: record.Cause) -> tuple[record.Edit, ...]:
    """Lines of the user's code to change where they stand."""
    found = []
    for site in cause.sites:
        for start, code in by_name(cause.factor).edits:
            if site.detail.startswith(start):
                found.append(record.Edit(file=site.file, line=site.line, code=code))
                break
    return tuple(found)


def prescribe(
    finding: Finding, causes: Sequence[record.Cause], script: str, has_keras: bool
) -> record.Prescription | None:
    """The change for all causes together; None when there is no cause.

    Verified means: with exactly these pins, the trials named agree.
    """
    if not causes:
        return None
    in_place = {cause.factor: edits(cause) for cause in causes}
    # A cause all of whose sites are changed in place needs nothing at the top.
    factors = [by_name(c.factor) for c in causes if len(in_place[c.factor]) < max(1, len(c.sites))]
    top = [factor.fix for factor in factors if factor.fix and not (factor.reseeds and has_keras)]
    if has_keras and any(factor.reseeds for factor in factors):
        top.insert(0, SEED_ALL)
    launch = [pair for factor in factors if not factor.fix for pair in factor.launch]
    line = " ".join(f"{name}={value}" for name, value in launch)
    spoken = [f for f in factors if not f.fix and not f.launch and not in_place[f.name]]
    return record.Prescription(
        snippet="\n\n".join(top),
        edits=tuple(edit for cause in causes for edit in in_place[cause.factor]),
        advice=tuple(factor.advice for factor in spoken),
        launch=f"{line} python {script}" if line else "",
        pins=tuple(cause.factor for cause in causes),
        verified_trials=finding.verified,
        verified=finding.verdict == "causes-found" and bool(finding.verified),
    )
