"""Damaged files for every reader: valid ones with bits flipped, pieces cut out, doubled or spliced,
numbers and strings replaced. What may come of it is a reader's documented error alone."""

from __future__ import annotations

import dataclasses
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.console import Console

from nondet import record
from nondet.cli.reading import INCONSISTENT
from nondet.guest.running import read_plan
from nondet.guest.steps import log_files
from nondet.host import comparing, differences, trials
from nondet.host.steps import Comparison, StepTrace
from nondet.report import console, html, junit, markdown, sarif
from tests.host.written import Written
from tests.report import samples

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
STRING = re.compile(rb'"[^"\\\n]*"')
KINDS = ("flip", "cut", "drop", "double", "insert", "overwrite", "number", "string", "splice")
PAYLOADS = (
    *(b"", b"\0", b"\n", b"\xff\xfe", b"null", b"true", b"[]", b"{}", b'""', b'"x"', b'"NaN"'),
    *(b"0", b"-1", b"1.5", b"1e999", b"-0.0", b"9" * 400, b"18446744073709551615", b"4294967295"),
    *(b"[" * 20_000, b'{"a":' * 20_000, b"x" * 70_000, b'"../../../dev/zero"', b'"\\ud800"'),
    *(b"\xff" * 8, b"\0" * 48, b"\0\0\0\0\0\0\0\x80", b'"<script>"', b'"float64"', b"NaN", b"{"),
)


@dataclasses.dataclass(frozen=True)
class Change:
    """One change of a file's bytes."""

    kind: str
    where: float
    """In the file, or among its numbers or strings: from 0 to below 1."""
    length: int
    """Bytes; for a flip the bit."""
    payload: bytes

    def __call__(self, data: bytes, other: bytes) -> bytes:
        """`other` is a further valid file, of which a piece is taken."""
        start = int(self.where * len(data))
        end = start + self.length
        match self.kind:
            case "flip" if data:
                changed = bytes([data[start] ^ 1 << self.length % 8])
                return data[:start] + changed + data[start + 1 :]
            case "cut":
                return data[:start]
            case "drop":
                return data[:start] + data[end:]
            case "double":
                return data[:end] + data[start:]
            case "insert":
                return data[:start] + self.payload + data[start:]
            case "overwrite":
                return data[:start] + self.payload + data[start + len(self.payload) :]
            case "number" | "string":
                tokens = list((NUMBER if self.kind == "number" else STRING).finditer(data))
                if not tokens:
                    return data
                token = tokens[int(self.where * len(tokens))]
                return data[: token.start()] + self.payload + data[token.end() :]
            case "splice":
                place = int(self.where * len(other))
                return data[:start] + other[place : place + self.length] + data[end:]
        return data


def drawn(generator: random.Random) -> list[Change]:
    return [
        Change(
            generator.choice(KINDS),
            generator.random(),
            generator.choice((1, 2, 3, 4, 8, 16, 48, 100, 1000)),
            generator.choice(PAYLOADS),
        )
        for _ in range(generator.choice((1, 1, 1, 2, 3, 5)))
    ]


class Target:
    """A reader, with valid files for it."""

    files: Mapping[str, bytes]
    """By name; one of them is damaged at a time."""
    allowed: tuple[type[Exception], ...] = ()
    """What it may raise."""

    def __init__(self, folder: Path) -> None:
        """`folder` is its own."""
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def read(self, name: str, data: bytes) -> None:
        """Read the files, one of which holds this instead. May raise what is allowed."""
        raise NotImplementedError

    def try_one(self, place: int, changes: Sequence[Change]) -> bool:
        """Whether the damaged file was refused. Raises what is not allowed."""
        names = list(self.files)
        name = names[place % len(names)]
        data, other = self.files[name], self.files[names[(place + 1) % len(names)]]
        for change in changes:
            data = change(data, other)
        try:
            self.read(name, data)
        except self.allowed:
            return True
        return False


@cache
def encoded() -> dict[str, bytes]:
    made = {name: record.encode(make()) for name, make in samples.ALL.items() if name != "large"}
    return {name: data for name, data in made.items() if len(data) < 200_000}


class Record(Target):
    allowed: tuple[type[Exception], ...] = (record.RecordError,)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.files = encoded()

    def read(self, name: str, data: bytes) -> None:
        record.decode(data)


class Report(Record):
    """What is readable can be shown, unless its parts don't go together."""

    allowed = (record.RecordError, *INCONSISTENT)

    def try_one(self, place: int, changes: Sequence[Change]) -> bool:
        names = list(self.files)
        tree = json.loads(self.files[names[place % len(names)]])
        for change in changes:
            twist(tree, change)
        try:
            self.read("", json.dumps(tree).encode())
        except self.allowed:
            return True
        return False

    def read(self, name: str, data: bytes) -> None:
        diagnosis = record.decode(data)
        shown = Console(file=(self.folder / "shown").open("w"), width=100)
        console.print_summary(shown, diagnosis, "report.html")
        console.print_fix(shown, shown, diagnosis)
        shown.file.close()
        for render in (html.render, sarif.render, junit.render, markdown.render):
            render(diagnosis)


def twist(tree: Any, change: Change) -> None:
    """Change one value of a JSON tree into another of its kind, so that it mostly stays valid."""
    places: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        keys = node.keys() if isinstance(node, dict) else range(len(node))
        for key in keys:
            places.append((node, key))
            if isinstance(node[key], dict | list):
                waiting.append(node[key])
    node, key = places[int(change.where * len(places))]
    value = node[key]
    if isinstance(value, bool):
        node[key] = not value
    elif isinstance(value, int):
        node[key] = (0, -1, 1, 10**9, 2**62, -(2**62))[change.length % 6]
    elif isinstance(value, float):
        node[key] = (0.0, -1.0, 1e308, 1e-308, -1e308, 0.5)[change.length % 6]
    elif isinstance(value, str):
        node[key] = ("", "x" * 5000, "\0\n</script>", "t99", "é🧪\u202e", "[bold]")[
            change.length % 6
        ]
    elif isinstance(value, list) and change.kind in ("cut", "drop"):
        del value[int(change.where * 7) % (len(value) + 1) :]
    elif isinstance(value, list) and value:
        value.extend(value[: change.length])
    elif isinstance(value, dict) and value and change.kind == "drop":
        value.pop(next(iter(value)))
    elif value is None:
        node[key] = (0, 0.5, "x", [], {}, True)[change.length % 6]


class Trial(Target):
    """All that is read of a trial's folder, by itself and beside another one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        whole = Written(folder, "t01").model().train(range(1, 30)).inside(3, {"batch /x": 1})
        whole.emit("fit", model="m", index=0, fit=1, step=0, over=False)
        whole.emit("metric", model="m", fit=1, epoch=1, values={"loss": 0.5, "odd": "NaN"})
        whole.emit("pace", model="m", index=0, interval=1, share=0.01)
        whole.emit("pin", factor="clock", expected=[1, 2], seen=[1, 2], ok=True)
        site = {"file": "/a/train.py", "line": 3, "function": "f"}
        seen = {"factor": "clock", "detail": "d", "unseeded": None, "consumer": None, "site": site}
        whole.emit("exercised", **seen, what="")
        whole.emit("finished", sightings=[{**seen, "count": 2}], seedings=[])
        self.other = Written(folder, "t02").model().train(range(1, 30), apart=20).heard("completed")
        self.trial = folder / "t01"
        saved = trials.Saved("t01", {"clock": "pinned"}, "h", "?", "completed", 1.0, 0, 9, (), "")
        (self.trial / "trial.json").write_bytes(msgspec.json.encode(saved))
        self.files = {path.name: path.read_bytes() for path in sorted(self.trial.iterdir())}

    def read(self, name: str, data: bytes) -> None:
        (self.trial / name).write_bytes(data)
        try:
            trial = trials.restore(self.trial)
            if trial is None:
                return
            comparing.parting(self.other, trial, ended=True)
            self.other.damaged = ""
            if not trial.fault:
                for index in trial.models:
                    trial.epoch_of(index, 7)
                    trial.layout_of(index, 3)
                trial.dtypes("m")
        finally:
            (self.trial / name).write_bytes(self.files[name])


class Steps(Target):
    allowed = (ValueError,)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        Written(folder, "t01").model().train(range(1, 100))
        Written(folder, "t02").model().train(range(1, 100), apart=60)
        self.trial = folder / "t01"
        self.other = StepTrace(folder / "t02", 0)
        paths = [Path(path) for path in log_files(str(self.trial), 0)]
        self.files = {path.name: path.read_bytes() for path in paths}

    def read(self, name: str, data: bytes) -> None:
        (self.trial / name).write_bytes(data)
        try:
            trace = StepTrace(self.trial, 0)
            Comparison(trace, self.other).parting()
            for place in range(0, len(trace), 7):
                trace.row(place)
            _ = trace.steps
        finally:
            (self.trial / name).write_bytes(self.files[name])


class Snapshots(Target):
    DTYPES = ("float32", "int64", "bool", "bfloat16", "complex128", "float8_e4m3fn", "object", "")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        numbers = np.random.default_rng(1).normal(size=64)
        self.files = {f"{n:02}aa": (numbers + n).tobytes() for n in range(8)}
        for name, data in self.files.items():
            (folder / name).write_bytes(data)

    def read(self, name: str, data: bytes) -> None:
        (self.folder / "damaged").write_bytes(data)
        dtype = self.DTYPES[int(name[:2])]
        differences.distance(self.folder, "damaged", name, dtype)
        text = data[:40].decode("latin-1")
        if name == "00aa" and "\0" not in text:
            differences.distance(self.folder, text, name, text)


class Plan(Target):
    allowed = (ValueError,)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        plan = {
            **{"trial": "t01", "hash": "h", "arms": {"clock": "pinned"}, "seed": 7, "args": ["x"]},
            **{"script": "train.py", "module": "", "folders": ["/a"], "left": [], "plugins": []},
            **{"events": "/e", "values": "/v", "values_limit": 9, "digest": "sha256"},
            **{"granularity": "auto", "zoom": {"first": 1, "last": 2}},
        }
        self.files = {"plan.json": json.dumps(plan).encode()}

    def read(self, name: str, data: bytes) -> None:
        path = self.folder / name
        path.write_bytes(data)
        plan = read_plan(str(path))  # type: ignore[no-untyped-call]
        assert isinstance(plan["args"], list)


TARGETS: dict[str, Callable[[Path], Target]] = {
    "record": Record,
    "report": Report,
    "trial": Trial,
    "steps": Steps,
    "snapshots": Snapshots,
    "plan": Plan,
}
