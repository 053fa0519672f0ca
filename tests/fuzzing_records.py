"""The readers that meet damaged files of strangers besides those of a diagnosis: repetitions, what
probes showed, and recorded runs (`.nd`)."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import msgspec
from rich.console import Console

from nondet import machines, record, repetition, runs
from nondet.host import across, portable, trials
from nondet.host.errors import UsageError
from nondet.report.contrast import console as contrast_console
from nondet.report.contrast import page as contrast_page
from nondet.report.machine import console as machine_console
from nondet.report.machine import page as machine_page
from nondet.report.repeat import console as repeat_console
from nondet.report.repeat import page as repeat_page
from tests.damage import Shown, Target
from tests.host.written import Written, digest
from tests.report import comparison_samples, probing_samples, repeat_samples


class Repetition(Target):
    allowed: tuple[type[Exception], ...] = (record.RecordError,)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        made = {name: repetition.encode(make()) for name, make in repeat_samples.ALL.items()}
        self.files = {name: data for name, data in made.items() if len(data) < 200_000}

    def read(self, name: str, data: bytes) -> None:
        repetition.decode(data)


class RepetitionShown(Shown, Repetition):
    def show(self, data: bytes, console: Console) -> None:
        found = repetition.decode(data)
        repeat_page.render(found).encode()
        repeat_console.print_summary(console, found, "repeat.html")


class Probing(Target):
    allowed: tuple[type[Exception], ...] = (record.RecordError,)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.files = {"probing.json": machines.encode(probing_samples.MIXED)}

    def read(self, name: str, data: bytes) -> None:
        machines.decode_probing(data)


class ProbingShown(Shown, Probing):
    def show(self, data: bytes, console: Console) -> None:
        found = machines.decode_probing(data)
        machine_page.render(found).encode()
        machine_console.print_probing(console, found, "probing.html")


ARCHIVE = "a.nd"


class Recorded(Target):
    """An archive that is damaged itself, or one of whose members is; compared with a whole one."""

    allowed = (UsageError,)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        written = Written(folder, "t01").model().train(range(1, 12))
        written.emit("metric", model="m", fit=1, epoch=1, values={"loss": 0.5, "odd": "NaN"})
        other = Written(folder, "t02").model().train(range(1, 12), apart=6)
        run = comparison_samples.recorded()
        values = folder / "values"
        values.mkdir()
        for number in (*range(12), *range(1006, 1012)):
            (values / digest(number)).write_bytes(number.to_bytes(4, "little"))
        saved = trials.Saved("t01", {}, "h", "?", "completed", 1.0, 0, 9, (), "")
        (folder / "t01" / "trial.json").write_bytes(msgspec.json.encode(saved))
        self.members = {portable.HEAD: runs.encode(run)}
        self.members |= {f"trial/{p.name}": p.read_bytes() for p in (folder / "t01").iterdir()}
        self.members |= {f"values/{p.name}": p.read_bytes() for p in values.iterdir()}
        self.files = {ARCHIVE: self.archive({})} | self.members
        self.other = portable.Opened(folder / "b.nd", run, other.heard("completed"), values)

    def archive(self, changed: dict[str, bytes]) -> bytes:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            for name, data in {**self.members, **changed}.items():
                archive.writestr(name, data)
        return made.getvalue()

    def read(self, name: str, data: bytes) -> None:
        path = self.folder / ARCHIVE
        path.write_bytes(data if name == ARCHIVE else self.archive({name: data}))
        with portable.opened(path) as one:
            for pair in ((one, self.other), (self.other, one)):
                found = across.compare(*pair)
        self.other.trial.damaged = ""
        contrast_page.render(found).encode()
        screen = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        contrast_console.print_comparison(Console(file=screen, width=100), found)
        runs.encode(found)
