"""The change that the causes ask for: code for the top of the script, and the launch line."""

from __future__ import annotations

from collections.abc import Sequence

from nondet import record
from nondet.guest.factors import by_name
from nondet.search.questions import Finding

SEED_ALL = "import keras\nkeras.utils.set_random_seed(42)"


def prescribe(
    finding: Finding, causes: Sequence[record.Cause], script: str, has_keras: bool
) -> record.Prescription | None:
    """One snippet for all causes; None when there is no cause.

    Verified means: with exactly these pins, the trials named agree.
    """
    if not causes:
        return None
    factors = [by_name(cause.factor) for cause in causes]
    blocks: list[str] = []
    if has_keras and any(factor.reseeds for factor in factors):
        blocks.append(SEED_ALL)
    for factor, cause in zip(factors, causes, strict=True):
        if factor.reseeds and has_keras:
            continue
        if factor.launch and not factor.fix:
            continue
        where = f"  # {cause.sites[0].file}:{cause.sites[0].line}" if cause.sites else ""
        block = factor.fix or f"# {factor.advice}"
        blocks.append(f"# {factor.title}{where}\n{block}" if not factor.reseeds else block)
    launch = [pair for factor in factors if not factor.fix for pair in factor.launch]
    line = " ".join(f"{name}={value}" for name, value in launch)
    return record.Prescription(
        snippet="\n\n".join(blocks),
        launch=f"{line} python {script}" if line else "",
        pins=tuple(cause.factor for cause in causes),
        verified_trials=finding.verified,
        verified=finding.verdict == "causes-found" and bool(finding.verified),
    )
