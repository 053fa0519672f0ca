"""Names in a sentence, for texts and reports alike."""

from __future__ import annotations

from collections.abc import Iterable


def enumerated(names: Iterable[str], most: int | None = None) -> str:
    """Names, or about `most` of them, as a sentence has them: ``a``, ``a and b``, ``a, b and c``,
    ``a, b and 3 more``."""
    kept = list(names)
    if most is not None and len(kept) > most + 1:  # "and 1 more" would be no shorter than the name
        kept[most:] = [f"{len(kept) - most} more"]
    return " and ".join(filter(None, (", ".join(kept[:-1]), *kept[-1:])))
