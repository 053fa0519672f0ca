"""Damaged files for every reader: valid ones with bits flipped, pieces cut out, doubled or spliced,
numbers and strings replaced. What may come of it is a reader's documented error alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console

from nondet import record
from nondet.guest.running import read_plan
from nondet.guest.steps import log_files
from nondet.host import comparing, differences, trials
from nondet.host.steps import Comparison, StepTrace
from nondet.report import console as terminal
from nondet.report import html, junit, markdown, sarif
from tests.damage import Shown, Target
from tests.fuzzing_records import Probing, ProbingShown, Recorded, Repetition, RepetitionShown
from tests.host.written import Written
from tests.report import samples


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


class Report(Shown, Record):
    def show(self, data: bytes, console: Console) -> None:
        diagnosis = record.decode(data)
        terminal.print_summary(console, diagnosis, "report.html")
        terminal.print_fix(console, console, diagnosis)
        for render in (html.render, sarif.render, junit.render, markdown.render):
            render(diagnosis).encode()


class Trial(Target):
    """All that is read of a trial's folder, by itself and beside another one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        whole = Written(folder, "t01").model().train(range(1, 30)).inside(3, {"batch /x": 1})
        whole.emit("fit", model="m", index=0, fit=1, step=0, over=False)
        whole.emit("metric", model="m", fit=1, epoch=1, values={"loss": 0.5, "odd": "NaN"})
        whole.emit("pace", model="m", index=0, interval=1, share=0.01)
        whole.emit("pin", factor="clock", expected=[1, 2], seen=[1, 2], ok=True)
        whole.emit("due", factor="clock")
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
    "repetition": Repetition,
    "repetition-shown": RepetitionShown,
    "probing": Probing,
    "probing-shown": ProbingShown,
    "recorded": Recorded,
}
