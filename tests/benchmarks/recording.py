"""What recording costs a training: the time of a step, in turns with the plain script.

``python -m tests.benchmarks.recording`` writes docs/recording.md; with ``--quick``, or cases as
arguments, it only prints the tables. All ways to record one training run side by side and take
turns: an epoch of the first, an epoch of the second, and so on, while the others wait. So a machine
that grows slower or faster meanwhile does so for all of them, and none is measured while another
one imports, compiles or trains.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import packages_distributions, version
from pathlib import Path
from types import TracebackType
from typing import Any

from nondet.host import machine
from nondet.host.planning import VALUES_LIMIT
from nondet.host.steps import StepTrace
from nondet.host.subject import GUEST
from tests.benchmarks.overhead import Failed
from tests.benchmarks.probes import PROBES
from tests.guest.running import write_plan

PAGE = PROBES.parent / "docs" / "recording.md"
SCRIPT = Path(__file__).with_name("training.py")
EPOCHS, QUICK = 11, 3
"""Epochs that are measured, of each way."""
UNMEASURED = 2
"""Turns of a training before these, which take FIRST steps."""
FIRST = 65


@dataclasses.dataclass(frozen=True)
class Case:
    """A training, and the steps of its epochs: so many that one takes about half a second."""

    model: str
    backend: str
    steps: int

    @property
    def name(self) -> str:
        return f"{self.model}-{self.backend}"

    @property
    def title(self) -> str:
        return f"{TITLES[self.model]}, {BACKENDS[self.backend]}"


CASES = (
    Case("mlp", "tensorflow", 200),
    Case("mlp", "jax", 200),
    Case("mlp", "torch", 100),
    Case("cnn", "tensorflow", 6),
    Case("cnn", "jax", 6),
    Case("cnn", "torch", 6),
    Case("lstm", "tensorflow", 30),
    Case("transformer", "tensorflow", 30),
)
DEEP = Case("deep", "tensorflow", 5)
"""Measured only when it is named: TensorFlow takes minutes to compile 500 layers, in each way."""
TITLES = {
    "mlp": "MLP",
    "cnn": "CNN",
    "lstm": "LSTM",
    "transformer": "transformer",
    "deep": "500 layers",
}
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


@dataclasses.dataclass(frozen=True)
class Way:
    """A way to run the training: plain, or recorded with a granularity and a window."""

    name: str
    granularity: str | None = None
    window: tuple[int, int] | None = None


ENDLESS = 10**9
PLAIN, AGAIN = Way("plain"), Way("plain again")
EPOCH, AUTO, STEP = Way("epoch", "epoch"), Way("auto", "auto"), Way("step", "step")
OPEN = Way("window open", "step", (1, ENDLESS))
WAYS = (
    PLAIN,
    AGAIN,
    EPOCH,
    AUTO,
    STEP,
    Way("window closed", "step", (ENDLESS, ENDLESS)),
    OPEN,
)


@dataclasses.dataclass(frozen=True)
class Turn:
    """An epoch: seconds of its steps, and of what comes at its end."""

    began: float
    trained: float
    ended: float

    @property
    def steps(self) -> float:
        return self.trained - self.began

    @property
    def end(self) -> float:
        return self.ended - self.trained


class Running:
    """A process that trains, an epoch each time that it is given its turn."""

    def __init__(self, case: Case, way: Way, epochs: int, room: Path) -> None:
        self.name = f"{case.name}, {way.name}"
        self.turns: list[Turn] = []
        folder = room / "subject"
        folder.mkdir(parents=True)
        args = [case.model, str(case.steps), str(epochs)]
        command = [sys.executable, str(SCRIPT), *args]
        if way.granularity is not None:
            command = [sys.executable, str(GUEST), str(plan(folder, args, way))]
        self.log = (room / "stderr.log").open("w+b")
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "KERAS_BACKEND": case.backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        with self.process:
            self.process.kill()
        self.log.close()

    def read(self) -> Any:
        """The next line. Raises Failed when there is none."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise Failed(f"{self.name}: {self.log.read().decode(errors='replace')}")
        return json.loads(line)

    def ready(self) -> None:
        """Wait until everything is imported and the model is there."""
        self.read()

    def turn(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.turns.append(Turn(*self.read()))

    def finish(self) -> tuple[int, str]:
        """The number of parameters and the digest of the final weights. Raises Failed."""
        parameters, digest = self.read()
        if self.process.wait() != 0:
            raise Failed(f"{self.name}: exit code {self.process.returncode}")
        return parameters, digest


def plan(folder: Path, args: Sequence[str], way: Way) -> Path:
    """The plan file: nothing pinned, everything else as in a diagnosis."""
    path = write_plan(folder, str(SCRIPT), args, {}, granularity=way.granularity or "auto")
    made = json.loads(path.read_text(encoding="utf-8"))
    made["digest"] = "xxh3_128"
    made["values_limit"] = VALUES_LIMIT
    if way.window is not None:
        made["zoom"] = dict(zip(("first", "last"), way.window, strict=True))
    path.write_text(json.dumps(made), encoding="utf-8")
    return path


@dataclasses.dataclass(frozen=True)
class Told:
    """What one way took, and what it left in its trial's folder."""

    turns: tuple[Turn, ...]
    """Those that are measured."""
    parameters: int
    digest: str
    """Of the final weights."""
    interval: int = 0
    share: float = 0.0
    """What recording took of the time of training, as the guest measured it: 0 to 1."""
    recorded: int = 0
    """Steps in the log."""
    log: int = 0
    """Bytes of the events and of the log of steps."""
    values: int = 0
    """Bytes of the tensors' values."""


def told(running: Running, way: Way, room: Path) -> Told:
    """Take a training's last words, and read its trial. Raises Failed when the guest did fail."""
    parameters, digest = running.finish()
    measured = tuple(running.turns[UNMEASURED:])
    if way.granularity is None:
        return Told(measured, parameters, digest)
    folder = room / "subject-room"
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    if errors := [event for event in events if event["event"] == "guest-error"]:
        raise Failed(f"{running.name}: {errors[0]['traceback']}")
    pace: dict[str, Any] = next((event for event in events if event["event"] == "pace"), {})
    trace = StepTrace(folder, 0)
    return Told(
        measured,
        parameters,
        digest,
        interval=pace.get("interval", 0),
        share=pace.get("share", 0.0) * waiting(running.turns),
        recorded=len(trace),
        log=(folder / "events.jsonl").stat().st_size + trace.size,
        values=sum(path.stat().st_size for path in (folder / "values").iterdir()),
    )


def waiting(turns: Sequence[Turn]) -> float:
    """All time since the first step over the time of the turns: a guest can't tell that we wait."""
    return (turns[-1].ended - turns[0].trained) / sum(turn.ended - turn.began for turn in turns[1:])


@dataclasses.dataclass(frozen=True)
class Measured:
    """All ways of one case, by their names."""

    case: Case
    told: Mapping[str, Told]

    def ratios(self, way: Way) -> list[float]:
        """The time of a step over that of the plain training in the same round."""
        pairs = zip(self.told[way.name].turns, self.told[PLAIN.name].turns, strict=True)
        return [turn.steps / plain.steps for turn, plain in pairs]

    @property
    def others(self) -> list[str]:
        """The ways whose final weights are not those of the plain training."""
        digest = self.told[PLAIN.name].digest
        return [name for name, told in self.told.items() if told.digest != digest]


def measure(case: Case, epochs: int, room: Path) -> Measured:
    """Train in all ways, in turns. Raises Failed when a training did not end as it should."""
    with contextlib.ExitStack() as stack:
        every = [stack.enter_context(Running(case, way, epochs, room / way.name)) for way in WAYS]
        for running in every:
            running.ready()
        for number in range(UNMEASURED + epochs):
            # There and back: else each would always come after the same one.
            for running in every if number % 2 else reversed(every):
                running.turn()
        found = zip(WAYS, every, strict=True)
        return Measured(case, {way.name: told(run, way, room / way.name) for way, run in found})


# -- the page


def spread(numbers: Sequence[float], digits: int = 2) -> str:
    """The median and the middle half."""
    low, middle, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def times_row(measured: Measured) -> str:
    case = measured.case
    plain = [turn.steps / case.steps * 1e3 for turn in measured.told[PLAIN.name].turns]
    cells = [case.title, spread(plain, 1), *(spread(measured.ratios(way)) for way in WAYS[1:])]
    cells.append("in all" if not measured.others else "not in " + ", ".join(measured.others))
    return "| " + " | ".join(cells) + " |"


def trials_row(measured: Measured) -> str:
    case, told = measured.case, measured.told
    auto = told[AUTO.name]
    end = statistics.median(turn.end for turn in auto.turns) * 1e3
    cells = [
        case.title,
        f"{auto.parameters / 1e6:.2f}",
        str(auto.interval),
        f"{auto.share:.1%}",
        f"{end:.1f}",
        f"{auto.recorded} of {told[STEP.name].recorded}",
        *(f"{told[way.name].log / 1e3:.0f}" for way in (EPOCH, AUTO, STEP, OPEN)),
        f"{auto.values / 1e6:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def table(head: Sequence[str], rows: Iterable[str]) -> str:
    return "\n".join(["| " + " | ".join(head) + " |", "| --- " * len(head) + "|", *rows]) + "\n"


def times_table(every: Iterable[Measured]) -> str:
    names = [f"`{way.name}`" if way.granularity else way.name for way in WAYS[1:]]
    return table(["training", "plain, ms", *names, "same bits"], map(times_row, every))


def trials_table(every: Iterable[Measured]) -> str:
    head = ["training", "parameters, M", "interval", "share", "an epoch's end, ms", "steps"]
    head += [f"`{way.name}`, kB" for way in (EPOCH, AUTO, STEP, OPEN)] + ["values, MB"]
    return table(head, map(trials_row, every))


def page(every: Sequence[Measured], epochs: int) -> str:
    """The whole of docs/recording.md."""
    modules = packages_distributions()
    versions = [f"{name} {version(modules[module][0])}" for module, name in BACKENDS.items()]
    return f"""<!-- Written by `python -m tests.benchmarks.recording`. -->

# What recording costs

Small trainings of usual kinds run plain and recorded in several ways, side by side, and take turns:
an epoch of the first, an epoch of the second, and so on, while the others wait. The figures are the
time of a step over that of the plain training in the same round: the median of {epochs} rounds, and
the middle half of them. Imports and compilation are no part of it, nor are the first {FIRST} steps,
of which more are recorded than later, nor what is recorded at the ends of epochs.

- *plain again*: a second plain training. What it differs from 1 by is the measurement's own error.
- `epoch`: the weights at the ends of epochs (`--granularity epoch`).
- `auto`: those of steps, too, as often as takes 5 % of the time. This is the default.
- `step`: those of every step (`--granularity step`).
- `window closed`: the same, by a guest that could look inside the steps, and does not yet.
- `window open`: the same, and looking inside every step. A diagnosis does so for some 33 steps of a
  few trials.

*Same bits*: in which of these the final weights are those of the plain training, bit for bit.

{machine.cores()} cores ({machine.cpu_name()}), no GPU, {", ".join(versions)}, Keras
{version("keras")}; {os.getloadavg()[2]:.1f} processes wanted to run, on average.

{times_table(every)}
What the trials themselves tell, of {UNMEASURED + epochs} epochs. *Interval*: after the first steps,
`auto` recorded every so many. *Share*: what it took of the time of all steps, as it measured that
itself. *An epoch's end*: to record the weights there, and to write the new ones to disk. *Steps*:
how many `auto` recorded, of how many. Then the sizes of the events and the log of steps, for each
granularity and with an open window, and of the values that are kept until the distances are known.

{trials_table(every)}"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    known = {case.name: case for case in (*CASES, DEEP)}
    parser.add_argument("names", nargs="*", help=f"of {', '.join(known)}; all but the last without")
    parser.add_argument("--quick", action="store_true", help=f"measure {QUICK} epochs alone")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - known.keys():
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    epochs = QUICK if chosen.quick else EPOCHS
    every = []
    for name in chosen.names or [case.name for case in CASES]:
        with tempfile.TemporaryDirectory(prefix="recording-") as room:
            every.append(measure(known[name], epochs, Path(room)))
        print(times_row(every[-1]), file=sys.stderr)
    print(times_table(every), trials_table(every), sep="\n")
    if not chosen.names and not chosen.quick:
        PAGE.write_text(page(every, epochs), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
