"""Names: in a sentence, for texts and reports alike, and told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator


def enumerated(names: Iterable[str], most: int | None = None) -> str:
    """Names, or about `most` of them, as a sentence has them: ``a``, ``a and b``, ``a, b and c``,
    ``a, b and 3 more``."""
    kept = list(names)
    if most is not None and len(kept) > most + 1:  # "and 1 more" would be no shorter than the name
        kept[most:] = [f"{len(kept) - most} more"]
    return " and ".join(filter(None, (", ".join(kept[:-1]), *kept[-1:])))


def numbered(names: Iterable[str]) -> Iterator[str]:
    """Each name once: two layers of a model may have one, and the keys 1 and "1" of a dict do."""
    taken: set[str] = set()
    times: Counter[str] = Counter()
    for name in names:
        told = name
        while told in taken:
            times[name] += 1
            told = f"{name} ({times[name] + 1})"
        taken.add(told)
        yield told
