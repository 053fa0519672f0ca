"""What trials were compared by, in words; and whether that is anything that trains."""

from __future__ import annotations

from collections.abc import Sequence

from nondet import record
from nondet.host.trials import Trial


def of(trials: Sequence[Trial]) -> record.Compared | None:
    """What these trials agree in, as far as the first whole one tells; None where none is whole."""
    trial = next((trial for trial in trials if trial.whole), None)
    if trial is None:
        return None
    own = (c.model for c, owner in zip(trial.checkpoints, trial.owners, strict=True) if owner < 0)
    return record.Compared(
        models=tuple(dict.fromkeys(trial.models[index] for index in sorted(trial.models))),
        values=tuple(dict.fromkeys(own)),
        checkpoints=len(trial.checkpoints),
        by_products=bool(trial.forms) and all(x.by_product for x in trial.layouts.values()),
    )


def unseen(found: record.Compared) -> str:
    """That nothing that trains was among it, as a clause; empty where something was."""
    if not found.by_products:
        return ""
    one = len(found.models) == 1
    prepares = "prepares data and predicts" if one else "prepare data and predict"
    return (
        f"only {found.names} {'was' if one else 'were'} seen, which {prepares} nothing: what the "
        "script trains is not, so give that to nondet.checkpoint()"
    )
