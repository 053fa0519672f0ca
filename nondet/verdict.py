"""Verdicts, trajectories, and the comparison of two trajectories down to a witness."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
from collections.abc import Iterator, Sequence
from typing import overload


class Verdict(enum.Enum):
    """What trials of one plan show."""

    AGREES = "AGREES"
    DIVERGES = "DIVERGES"
    BROKEN = "BROKEN"
    UNSURE = "UNSURE"


class Tensors(Sequence[tuple[str, str]]):
    """(path, digest) of the tensors of one moment, in little room.

    The paths are those of all moments of a model, and kept once. Digests are hexadecimal and of one
    length, and kept as bytes; such that aren't are kept as they are.
    """

    __slots__ = ("_digests", "_width", "paths")

    def __init__(self, paths: tuple[str, ...], digests: Sequence[str]) -> None:
        """Raises ValueError where there are not as many digests as paths."""
        if len(paths) != len(digests):
            raise ValueError(f"{len(digests)} digests of {len(paths)} tensors")
        self.paths = paths
        text = "".join(digests)
        self._width = len(digests[0]) // 2 if digests else 0
        self._digests: bytes | tuple[str, ...] = tuple(digests)
        if self._width and {len(digest) for digest in digests} == {2 * self._width}:
            with contextlib.suppress(ValueError):
                packed = bytes.fromhex(text)
                self._digests = packed if packed.hex() == text else self._digests

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, place: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, place: slice) -> list[tuple[str, str]]: ...
    def __getitem__(self, place: int | slice) -> tuple[str, str] | list[tuple[str, str]]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        return self.paths[place], self._digest(place)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return zip(self.paths, map(self._digest, range(len(self))), strict=True)

    def _digest(self, place: int) -> str:
        if isinstance(self._digests, tuple):
            return self._digests[place]
        return self._digests[place * self._width : (place + 1) * self._width].hex()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tensors):
            return NotImplemented
        same = self._width == other._width and self._digests == other._digests
        return same and self.paths == other.paths

    def __hash__(self) -> int:
        return hash((self.paths, self._digests))


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A moment of a trial with the digest of every tensor recorded there.

    `key` orders and names the moment: kind, model, fit call, epoch, step. `tensors` holds
    (path, digest) in the order of the model's layers. An ``end`` holds weights that were changed
    after training.
    """

    kind: str
    model: str
    fit: int
    epoch: int
    step: int
    tensors: Sequence[tuple[str, str]]

    @property
    def key(self) -> tuple[str, str, int, int, int]:
        return (self.kind, self.model, self.fit, self.epoch, self.step)

    @property
    def label(self) -> str:
        """In words: ``init``, ``epoch 3``, ``step 17``, ``fit 2``, ``end``, or the user's own
        name."""
        if self.kind in ("init", "end"):
            return self.kind
        if self.kind == "epoch":
            return f"epoch {self.epoch}" if self.fit <= 1 else f"fit {self.fit}, epoch {self.epoch}"
        return f"{self.kind} {self.step}" if self.kind in ("step", "fit") else self.model


@dataclasses.dataclass(frozen=True)
class Witness:
    """The first checkpoint and tensor at which two trials differ.

    `other` is the second trial's checkpoint: None when that trial had ended. A difference in the
    moments themselves (another model, epoch or step came next) has no tensor.
    """

    index: int
    checkpoint: Checkpoint
    other: Checkpoint | None
    tensor: str
    differing: int


def compare_checkpoints(index: int, a: Checkpoint, b: Checkpoint) -> Witness | None:
    """The witness at this place of two trajectories, or None when all bits agree."""
    if a is b or a == b:
        return None
    if a.key != b.key or [p for p, _ in a.tensors] != [p for p, _ in b.tensors]:
        return Witness(index, a, b, "", len(a.tensors))
    differing = [p for (p, da), (_, db) in zip(a.tensors, b.tensors, strict=True) if da != db]
    return Witness(index, a, b, differing[0], len(differing)) if differing else None


def compare(
    a: Sequence[Checkpoint], b: Sequence[Checkpoint], *, start: int = 0, ended: bool = True
) -> Witness | None:
    """The first difference from place `start` on.

    With `ended`, both trials are over, so that a trajectory which is longer than the other differs
    at its first extra checkpoint; without, only the common part is compared.
    """
    for index, (one, other) in enumerate(
        zip(_from(a, start), _from(b, start), strict=False), start=start
    ):
        if witness := compare_checkpoints(index, one, other):
            return witness
    if ended and len(a) != len(b):
        index = min(len(a), len(b))
        longer = a if len(a) > len(b) else b
        return Witness(index, longer[index], None, "", len(longer[index].tensors))
    return None


def _from(checkpoints: Sequence[Checkpoint], start: int) -> Iterator[Checkpoint]:
    for index in range(start, len(checkpoints)):
        yield checkpoints[index]
