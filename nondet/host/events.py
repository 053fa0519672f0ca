"""The host's side of the event file: typed events, read as they come."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from nondet.host import files


class Event(msgspec.Struct, frozen=True, tag_field="event"):
    """One line of an event file."""


class Started(Event, frozen=True, tag="started"):
    trial: str
    plan: str
    pid: int
    python: str


class Framework(Event, frozen=True, tag="framework"):
    name: str
    version: str
    environ: dict[str, str | None] = {}
    """What the script had changed in its environment before: settings of frameworks alone."""
    backend: str = ""
    """Of Keras: what it computes with."""


class Place(msgspec.Struct, frozen=True):
    """A line of the user's code; the file's path is absolute."""

    file: str
    line: int
    function: str


class Exercised(Event, frozen=True, tag="exercised"):
    factor: str
    detail: str
    unseeded: bool | None
    """Whether it varies from run to run; None when that can't be seen."""
    consumer: str | None
    site: Place | None
    what: str = ""
    """What draws, when it is a layer: ``Dropout `dropout_1```."""


class Before(msgspec.Struct, frozen=True):
    """A draw that came before a seed."""

    detail: str
    consumer: str | None
    site: Place | None


class SeedGiven(msgspec.Struct, frozen=True):
    """A seed that the script gave, at one line; all of this line's seeds together."""

    factor: str
    call: str
    """What stands in the line: ``np.random.seed``."""
    site: Place
    count: int
    digest: str
    """Of the values given so far."""
    before: tuple[Before, ...] = ()
    """What had been drawn unseeded from the same generator before the first of them."""


class Seeded(Event, frozen=True, tag="seeded"):
    """The first seed of a line."""

    factor: str
    call: str
    site: Place
    count: int
    digest: str
    before: tuple[Before, ...] = ()


class Sighting(msgspec.Struct, frozen=True):
    factor: str
    detail: str
    unseeded: bool | None
    consumer: str | None
    site: Place | None
    count: int
    what: str = ""


class Pin(Event, frozen=True, tag="pin"):
    factor: str
    expected: Any
    seen: Any
    ok: bool


class Due(Event, frozen=True, tag="due"):
    """A pin acts from now on, so that it must have been read back by the next checkpoint."""

    factor: str


class Layout(Event, frozen=True, tag="layout", dict=True):
    id: int
    model: str
    index: int
    tensors: list[tuple[str, str, tuple[int, ...]]]
    """(path, dtype name, shape) in the order of the model's layers."""
    by_product: bool = False
    """Whether it only prepares data for what is trained, as a scaler does."""

    @functools.cached_property
    def paths(self) -> tuple[str, ...]:
        return tuple(path for path, _, _ in self.tensors)


class Recorded(Event, frozen=True, tag="checkpoint"):
    kind: Literal["init", "epoch", "step", "fit", "end", "user"]
    """``fit``: what an estimator or a booster has learnt; `step` is the number of the fit.
    ``end``: what was changed after training; `step` is the model's last."""
    model: str
    index: int
    layout: int
    fit: int
    epoch: int
    step: int
    digests: list[str]
    late: bool = False
    """Whether a last step was recorded only when the script went on, or ended."""


class Fit(Event, frozen=True, tag="fit"):
    """A fit of a model begins or is over."""

    model: str
    index: int
    fit: int
    """Its number, from 1."""
    step: int
    """The model's steps by then."""
    over: bool


class Pace(Event, frozen=True, tag="pace"):
    """How often the steps of a model were logged, and what part of the time that took."""

    model: str
    index: int
    interval: int
    share: float


class InsideLayout(Event, frozen=True, tag="inside-layout"):
    """What is recorded inside a step, in the order of execution."""

    id: int
    mode: str
    moments: list[tuple[str, str, str, str, str, str, tuple[int, ...]]]
    """(phase, layer, kind, op, tensor, dtype, shape)"""


class Inside(Event, frozen=True, tag="inside"):
    """One step that was looked into."""

    model: str
    index: int
    step: int
    layout: int
    digests: list[str]


class Metric(Event, frozen=True, tag="metric"):
    model: str
    fit: int
    epoch: int
    values: dict[str, float | str]


class Knobs(Event, frozen=True, tag="knobs"):
    """Settings that bear on a GPU's results, at the first checkpoint."""

    values: dict[str, str]


class Used(msgspec.Struct, frozen=True):
    """A GPU that a framework has taken memory on."""

    framework: str
    gpu: int
    """Its number as the process counts those it may see."""
    uuid: str
    """Empty where the framework does not tell it."""
    peak: int
    """The most bytes in use so far."""


class GpuUse(Event, frozen=True, tag="gpu-use"):
    used: tuple[Used, ...]


class Modules(Event, frozen=True, tag="modules"):
    """Files of the user's own that were executed, as the trial sees them, with the SHA-256 of what
    they held then; empty where they can't be read."""

    files: dict[str, str]


class Crashed(Event, frozen=True, tag="crashed"):
    kind: str
    message: str
    traceback: str


class Finished(Event, frozen=True, tag="finished"):
    sightings: list[Sighting]
    seedings: tuple[SeedGiven, ...] = ()


class Launched(Event, frozen=True, tag="launched"):
    """The script starts another one in a process of its own, which is the trial from then on;
    with an empty `script`, what it had started recorded nothing, and it is the trial itself."""

    script: str


class ValuesOmitted(Event, frozen=True, tag="values-omitted"):
    tensors: int


class Elsewhere(Event, frozen=True, tag="elsewhere"):
    """A forked child does what would be recorded in the trial's own process."""

    what: str


class GuestError(Event, frozen=True, tag="guest-error"):
    where: str
    error: str
    traceback: str
    lost: bool = False
    """Something that was to be compared is missing."""


AnyEvent = (
    Started
    | Launched
    | Framework
    | Exercised
    | Seeded
    | Pin
    | Due
    | Layout
    | Recorded
    | Fit
    | Pace
    | InsideLayout
    | Inside
    | Metric
    | Knobs
    | GpuUse
    | Modules
    | Crashed
    | Finished
    | ValuesOmitted
    | Elsewhere
    | GuestError
)

_DECODER = msgspec.json.Decoder(AnyEvent)


CHUNK = 1 << 20
LONGEST = 1 << 26
"""Bytes of a line from which on it is no event of ours, whatever comes."""


LAYOUT = b'"event": "layout"}'
"""How the guest ends these lines."""


@functools.lru_cache(maxsize=32)
def _layout(line: bytes) -> AnyEvent:
    """All trials of a script have the same layouts, with the names of all tensors, and all their
    checkpoints refer to these: they are kept once."""
    event: AnyEvent = _DECODER.decode(line)
    return event


class EventReader:
    """Reads whole lines from a file that is still being written.

    A truncated last line is normal: it is kept until its end arrives. `damaged` counts lines that
    are no event, and what has been taken away: others than the guest may lay hands on the file.
    They may write without end, so what is kept of a line is bounded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.rest = b""
        self.damaged = 0
        self.endless = False
        """A line was too long to be an event's: nothing of the file is read any more."""

    def read(self) -> list[AnyEvent]:
        """Events that have come since the last call."""
        found: list[AnyEvent] = []
        try:
            file = files.opened(self.path)
        except FileNotFoundError:
            self.damaged += self.offset > 0
            return found
        except files.NotData:
            self.damaged += 1
            return found
        with file:
            end = os.fstat(file.fileno()).st_size  # what comes meanwhile is for the next call
            self.damaged += end < self.offset
            file.seek(self.offset)
            while self.offset < end and not self.endless:
                if not (data := file.read(min(CHUNK, end - self.offset))):
                    break
                self.offset += len(data)
                found += self._whole_lines(data)
        return found

    def _whole_lines(self, data: bytes) -> Iterator[AnyEvent]:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            try:
                yield decode(line)
            except (ValueError, RecursionError):
                self.damaged += 1
        if len(self.rest) > LONGEST:
            self.damaged += 1
            self.rest, self.endless = b"", True


def decode(line: bytes) -> AnyEvent:
    """One event. Raises ValueError. Text that is no valid Unicode (a lone surrogate) gets a `?`."""
    try:
        event: AnyEvent = (_layout if line.endswith(LAYOUT) else _DECODER.decode)(line)
    except msgspec.DecodeError:
        text = json.dumps(json.loads(line), ensure_ascii=False)
        event = _DECODER.decode(text.encode("utf-8", "replace"))
    return event
