"""nondet: why won't this training run repeat?"""

from __future__ import annotations

import sys

__version__ = "0.1.0"

__all__ = ["__version__", "checkpoint"]


def checkpoint(name: str, value: object) -> None:
    """Have `value` compared under `name` at this point of the script.

    Takes arrays, numbers, strings, bytes, and lists, tuples or dicts of them. For code that trains
    no Keras model, or whose result is something else than weights. Does nothing outside a trial.
    """
    guest = sys.modules.get("_nondet_guest")
    values = getattr(guest, "values", None)
    if values is not None:
        values.checkpoint(name, value)
