"""nondet: why won't this training run repeat?"""

from __future__ import annotations

import sys

# As `typing` has it, without what its import costs every script that names a checkpoint.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from nondet.library import check, diagnose, diff
    from nondet.recorder import Recorder as Recorder

__version__ = "0.1.0"

__all__ = ["__version__", "check", "checkpoint", "diagnose", "diff", "metric"]


# There in a trial, and nowhere else. Kept, since scripts take modules out of `sys.modules`.
_GUEST = sys.modules.get("_nondet_guest")


def checkpoint(name: str, value: object) -> None:
    """Have `value` compared under `name` at this point of the script.

    Takes arrays, numbers, strings, bytes, and lists, tuples or dicts of them. For code that trains
    nothing that nondet knows of, or whose result is something else than weights. Does nothing
    outside a trial.
    """
    _tell("checkpoint", name, value)


def metric(name: str, value: object) -> None:
    """Tell a result of this run under `name`, for `nondet repeat` to average; the last one counts.

    Takes a number, or an array or tensor that holds one. Does nothing outside a trial.
    """
    _tell("metric", name, value)


def _tell(what: str, name: str, value: object) -> None:
    values = _trial()
    if values is not None:
        getattr(values, what)(name, value)


def _trial() -> object:
    """What the guest receives values by (guest/user_values.py), which is there within a trial only;
    else None."""
    return getattr(_GUEST or sys.modules.get("_nondet_guest"), "values", None)


def __getattr__(name: str) -> object:
    """`diagnose`, `check` and `diff` of `nondet.library` and the Keras callback `Recorder`, loaded
    when they are asked for: a script that only calls `checkpoint` need not wait for them."""
    if name == "Recorder":
        from nondet.recorder import Recorder

        return Recorder
    if name in ("check", "diagnose", "diff"):
        from nondet import library

        return getattr(library, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
