"""The self-check: one bit of one tensor is flipped at one moment of a trial, and must be found.

``python -m tests.benchmarks.one_bit [--rounds 1000] [--seed N]``. A round is a small training of
NumPy arrays, recorded by the guest's own recorder and followed by the host's own comparison as it
goes on: once undisturbed, once the same again, which must be silent, and once with one bit flipped,
for a moment or for good, which must be found exactly there. Prints a line of the page
docs/reliability.md; exit code 1 when a round fails, with what makes it again.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nondet.guest.keras_recorder import Recorder, Tracked
from nondet.guest.session import Session
from nondet.host import differences
from nondet.host.comparing import Following
from nondet.host.trials import Trial
from nondet.verdict import Witness

DTYPES = ("float32", "float64", "float16", "int8", "int64", "uint16", "complex64")


@dataclasses.dataclass(frozen=True)
class Moment:
    """Something that is recorded: ``init``, ``step``, ``epoch`` or ``user``, of a model."""

    kind: str
    index: int
    step: int


@dataclasses.dataclass(frozen=True)
class Flip:
    """One bit: at which moment, of which tensor, and whether it stays flipped."""

    at: Moment
    tensor: int
    byte: int
    bit: int
    stays: bool


@dataclasses.dataclass
class Variable:
    path: str
    value: NDArray[Any]


@dataclasses.dataclass(frozen=True)
class Training:
    """Models of NumPy arrays that train: the same for the same seed."""

    seed: int
    shapes: tuple[tuple[tuple[str, tuple[int, ...]], ...], ...]
    """By model and tensor, dtype and shape."""
    epochs: int
    steps: int
    """Of an epoch."""
    granularity: str
    digest: str

    @property
    def moments(self) -> list[Moment]:
        found = [Moment("init", index, 0) for index in range(len(self.shapes))]
        for step in range(1, self.epochs * self.steps + 1):
            for index in range(len(self.shapes)):
                if self.granularity == "step":
                    found.append(Moment("step", index, step))
                if step % self.steps == 0:
                    found.append(Moment("epoch", index, step))
        return [*found, Moment("user", -1, 1)]

    def run(self, room: Path, name: str, flip: Flip | None = None) -> Iterator[None]:
        """One trial, which goes on a moment each time."""
        folder = room / "trials" / name
        folder.mkdir(parents=True)
        plan = {
            **{"trial": name, "hash": "h", "arms": {}, "seed": 7, "script": "x", "args": []},
            **{"folders": [], "events": str(folder / "events.jsonl"), "values_limit": 1 << 24},
            **{"values": str(room / "values"), "digest": self.digest, "zoom": None},
            **{"granularity": self.granularity},
        }
        session: Any = Session(plan)  # type: ignore[no-untyped-call]
        recorder: Any = Recorder(session)  # type: ignore[no-untyped-call]
        session.events.emit("started", trial=name, plan="h", pid=1, python="3")
        numbers = np.random.default_rng(self.seed)
        models = [self._model(index, numbers) for index in range(len(self.shapes))]
        tracked: list[Any] = [
            Tracked(index, f"m{index}", lambda index=index: models[index])  # type: ignore[no-untyped-call]
            for index in range(len(models))
        ]
        for moment in self.moments:
            variables = models[max(0, moment.index)]
            if moment.kind == "step":
                for variable in variables:
                    update(variable.value, numbers)
            flipped = flip is not None and flip.at == moment
            if flip is not None and flipped:
                turn(variables[flip.tensor].value, flip)
            one = tracked[max(0, moment.index)]
            one.steps = moment.step
            if moment.kind == "step":
                recorder.log(one, None)
            elif moment.kind == "user":
                recorder.record_user("result", 1, {v.path: v.value for v in variables})
            else:
                recorder.checkpoint(moment.kind, one, moment.step // self.steps, moment.step)
            if flip is not None and flipped and not flip.stays:
                turn(variables[flip.tensor].value, flip)
            yield
        session.finish()

    def _model(self, index: int, numbers: np.random.Generator) -> list[Variable]:
        return [
            Variable(f"layer_{n}/kernel", initial(dtype, shape, numbers))
            for n, (dtype, shape) in enumerate(self.shapes[index])
        ]


def initial(dtype: str, shape: tuple[int, ...], numbers: np.random.Generator) -> NDArray[Any]:
    """Any bits: NaN, infinities and negative zeros among them."""
    size = np.dtype(dtype).itemsize * int(np.prod(shape))
    return np.frombuffer(numbers.bytes(size), dtype).reshape(shape).copy()


def update(value: NDArray[Any], numbers: np.random.Generator) -> None:
    raw = value.reshape(-1).view(np.uint8)
    raw ^= np.frombuffer(numbers.bytes(raw.size), np.uint8)


def turn(value: NDArray[Any], flip: Flip) -> None:
    raw = value.reshape(-1).view(np.uint8)
    raw[flip.byte % raw.size] ^= 1 << flip.bit


def drawn(generator: random.Random) -> tuple[Training, Flip]:
    def tensor() -> tuple[str, tuple[int, ...]]:
        shape = tuple(generator.randint(1, 5) for _ in range(generator.randint(0, 3)))
        return generator.choice(DTYPES), shape

    models = generator.randint(1, 3)
    training = Training(
        generator.randrange(2**32),
        tuple(tuple(tensor() for _ in range(generator.randint(1, 6))) for _ in range(models)),
        generator.randint(1, 4),
        generator.randint(1, 12),
        generator.choice(("step", "step", "epoch")),
        generator.choice(("sha256", "xxh3_128")),
    )
    at = generator.choice(training.moments)
    place = generator.randrange(len(training.shapes[max(0, at.index)]))
    flip = Flip(at, place, generator.randrange(4096), generator.randrange(8), bool(at.step % 2))
    return training, flip


def followed(
    training: Training, room: Path, reference: Trial, name: str, flip: Flip | None, look: float
) -> tuple[Witness | None, Trial]:
    """Run a trial and compare as it goes on; `look`: how often, from 0 to 1."""
    generator = random.Random(f"{training.seed}/{name}")
    run = training.run(room, name, flip)
    trial, following = known(room, name), None
    for _ in run:
        if generator.random() < look:
            trial.listen()
            following = following or Following(reference, trial)
            if (found := following.parting(ended=False)) is not None:
                for _ in run:
                    pass
                trial.listen()
                return found, trial
    trial.listen()
    trial.outcome = "completed"
    following = following or Following(reference, trial)
    return following.parting(ended=True), trial


def known(room: Path, name: str) -> Trial:
    return Trial(name, {}, "h", "?", room / "trials" / name)


def try_one(number: int, seed: int, room: Path) -> list[str]:
    """What is wrong in a round; empty when nothing is."""
    generator = random.Random(f"{seed}/{number}")
    training, flip = drawn(generator)
    (room / "values").mkdir()
    for _ in training.run(room, "t01"):
        pass
    reference = known(room, "t01")
    reference.listen()
    reference.outcome = "completed"
    silent, same = followed(training, room, reference, "t02", None, generator.random())
    faults = [f"{trial.id}: {trial.fault}" for trial in (reference, same) if trial.fault]
    if silent is not None:
        faults.append(f"identical runs differ at {silent.checkpoint.label}, {silent.tensor}")
    witness, trial = followed(training, room, reference, "t03", flip, generator.random())
    return [*faults, *wrong(witness, trial, reference, training, flip, room)]


def wrong(
    witness: Witness | None,
    trial: Trial,
    reference: Trial,
    training: Training,
    flip: Flip,
    room: Path,
) -> list[str]:
    """How the witness is not the bit that was flipped."""
    if trial.fault or witness is None:
        return [f"{flip} was not found {trial.fault}"]
    path = f"layer_{flip.tensor}/kernel"
    model = "result" if flip.at.kind == "user" else f"m{flip.at.index}"
    seen = (witness.checkpoint.kind, witness.checkpoint.model, witness.checkpoint.step)
    faults = []
    if seen != (flip.at.kind, model, flip.at.step) or witness.tensor != path:
        faults.append(f"{flip} was found at {seen}, {witness.tensor}")
    if witness.differing != 1:
        faults.append(f"{flip}: {witness.differing} tensors differ")
    if not faults and flip.at.kind != "step":  # steps have no values
        dtype, shape = training.shapes[max(0, flip.at.index)][flip.tensor]
        pair = [dict(c.tensors)[path] for c in (witness.checkpoint, witness.other) if c]
        apart = differences.distance(room / "values", pair[0], pair[1], dtype)
        if apart.share != 1 / int(np.prod(shape)):
            faults.append(f"{flip}: a share of {apart.share} of the elements differs")
        one, other = ((room / "values" / digest).read_bytes() for digest in pair)
        bits = [(n, a ^ b) for n, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
        if bits != [(flip.byte % len(one), 1 << flip.bit)]:
            faults.append(f"{flip}: what differs are {bits}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first round")
    chosen = parser.parse_args()
    failed = 0
    for number in range(chosen.first, chosen.first + chosen.rounds):
        with tempfile.TemporaryDirectory(prefix="one-bit-") as folder:
            faults = try_one(number, chosen.seed, Path(folder))
        failed += bool(faults)
        for fault in faults:
            print(f"--first {number} --rounds 1 --seed {chosen.seed}: {fault}", file=sys.stderr)
    outcome = f"{failed} rounds fail" if failed else "found where it is; identical runs silent"
    print(f"| one bit flipped in one tensor at one moment | {chosen.rounds:,} | {outcome} |")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
