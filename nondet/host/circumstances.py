"""What trials met on their GPUs that may be behind a difference between them, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from nondet.record import OnGpu, Trial

NORMAL = ("its limit of power",)
"""What slows a GPU that simply works hard."""


def of(trials: Sequence[Trial], pairs: Iterable[tuple[str, ...]]) -> list[str]:
    """`pairs`: names of trials that part and are shown as proof."""
    by_id = {trial.id: trial for trial in trials}
    found = [text for pair in dict.fromkeys(pairs) for text in _apart(pair, by_id)]
    return [*found, *_errors(trials), *_lost(trials), *_slowed(trials), *_shared(trials)]


def _apart(pair: tuple[str, ...], by_id: dict[str, Trial]) -> Iterator[str]:
    """Two trials that part and ran on different GPUs."""
    both = [by_id[name] for name in pair if name in by_id]
    if len(both) != 2:
        return
    one, other = (tuple(gpu for gpu in trial.gpus if gpu.used is not False) for trial in both)
    if one and other and {gpu.uuid for gpu in one} != {gpu.uuid for gpu in other}:
        yield (
            f"{pair[0]} and {pair[1]} part, and ran on different GPUs: {_names(one)}, and "
            f"{_names(other)}; GPUs of one model should agree, those of two need not"
        )


def _names(gpus: Sequence[OnGpu]) -> str:
    return " and ".join(f"{gpu.name} ({short(gpu.uuid)})" for gpu in gpus)


def short(uuid: str) -> str:
    """Enough of an identity to tell GPUs of one machine apart."""
    kind, _, rest = uuid.partition("-")
    return f"{kind}-{rest[:8]}" if rest else uuid[:12]


def _errors(trials: Sequence[Trial]) -> Iterator[str]:
    counted = [(t, gpu) for t in trials for gpu in t.gpus if gpu.uncorrected]
    if counted:
        where = ", ".join(f"{t.id} on {short(gpu.uuid)}" for t, gpu in counted)
        yield (
            f"errors of a GPU's memory that were not corrected came up during {where}: what these "
            "trials show may come from that"
        )


def _lost(trials: Sequence[Trial]) -> Iterator[str]:
    gone = [t.id for t in trials if any(gpu.lost for gpu in t.gpus)]
    if gone:
        yield f"the driver lost a GPU during {', '.join(gone)}: see the system's log for its reason"


def _slowed(trials: Sequence[Trial]) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for trial in trials:
        reasons = {reason for gpu in trial.gpus for reason in gpu.slowed} - set(NORMAL)
        for reason in sorted(reasons):
            found.setdefault(reason, []).append(trial.id)
    for reason, names in found.items():
        yield (
            f"{reason} slowed a GPU down during {', '.join(names)}: it may change the order in "
            "which work ends, and nothing else"
        )


def _shared(trials: Sequence[Trial]) -> Iterator[str]:
    beside = [t.id for t in trials if any(gpu.others for gpu in t.gpus)]
    if beside:
        yield (
            f"other processes computed on a GPU of {', '.join(beside)}: memory and timing, by "
            "which libraries choose their kernels, may have been others than alone"
        )
