"""The smallest set of pins that holds a subject: QuickXplain over a monotone question."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

Ask = TypeVar("Ask")
Told = TypeVar("Told")

Holds = Callable[[tuple[str, ...]], Generator[Ask, Told, bool]]
"""Asks whether exactly these pins, on top of the background, make trials agree."""


def minimal_set(
    candidates: Sequence[str], holds: Holds[Ask, Told]
) -> Generator[Ask, Told, list[str]]:
    """A minimal subset of `candidates` whose pins hold, given that all of them together do.

    Earlier candidates are preferred where either of two would do. Needs about
    ``2 k log2(n / k) + 2 k`` questions for k members among n (Junker, QuickXplain, AAAI 2004).
    """

    def narrow(
        kept: tuple[str, ...], added: bool, rest: tuple[str, ...]
    ) -> Generator[Ask, Told, tuple[str, ...]]:
        if added and (yield from holds(kept)):
            return ()
        if len(rest) == 1:
            return rest
        middle = len(rest) // 2
        first, second = rest[:middle], rest[middle:]
        from_second = yield from narrow(kept + first, bool(first), second)
        from_first = yield from narrow(kept + from_second, bool(from_second), first)
        return from_first + from_second

    if not candidates:
        return []
    if (yield from holds(())):
        return []
    found = yield from narrow((), False, tuple(candidates))
    return [name for name in candidates if name in found]
