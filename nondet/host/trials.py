"""One trial as the host sees it: its events so far, and how it ended."""

from __future__ import annotations

import dataclasses
import math
import re
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from nondet.host import events, files, output
from nondet.host.errors import DISK, SHORTAGES
from nondet.host.executors.interface import Ended, Running
from nondet.host.horizon import Course, Horizon
from nondet.host.planning import plan_key
from nondet.host.steps import StepTrace
from nondet.record import Arm, OnGpu, Outcome
from nondet.verdict import Checkpoint, Tensors, Witness

CANT_RECORD = 74
"""Exit code with which the guest says so (guest/events.py)."""
FULL = tuple(f"[Errno {number}]" for number in DISK)
"""How Python's errors begin that tell of a full disk."""
TAIL = 4096
"""Bytes of each log that go into the record."""
TOLD = re.compile(r"events\.jsonl|(steps|rows)-\d+\.bin")
"""Files that a guest writes."""


class Saved(msgspec.Struct, frozen=True):
    """`trial.json`: what a resumed diagnosis needs beside the events."""

    id: str
    held: dict[str, Arm]
    plan: str
    question: str
    outcome: Outcome
    seconds: float
    exit_code: int | None
    peak_memory: int | None
    wrote: tuple[str, ...]
    note: str
    roots: tuple[tuple[str, str], ...] = ()
    chained: bool = False
    parent: str = ""
    gpus: tuple[OnGpu, ...] = ()
    host: str = ""
    bytes: dict[str, int] = {}
    """Of each file that it told something in."""
    code: dict[str, str] = {}
    """Digests of the files of the user's own that it has imported."""
    alone_again: bool = False


@dataclasses.dataclass(eq=False)
class Trial:
    """A trial's state. `checkpoints` grows while it runs; `outcome` is set when it has ended."""

    id: str
    held: Mapping[str, Arm]
    plan: str
    question: str
    folder: Path
    started: float = 0.0
    roots: tuple[tuple[str, str], ...] = ()
    """Folders as the trial saw them, with the user's own they stand for, where these differ."""
    horizon: Horizon | None = None
    """Where the host ends it; None when it may run to its end."""
    running: Running | None = None
    checkpoints: list[Checkpoint] = dataclasses.field(default_factory=list)
    layouts: dict[int, events.Layout] = dataclasses.field(default_factory=dict)
    models: dict[int, str] = dataclasses.field(default_factory=dict)
    """Names of the models that train, by their place in the order of first training."""
    owners: list[int] = dataclasses.field(default_factory=list)
    """For each checkpoint the place of its model, -1 for the user's own: names need not differ."""
    forms: list[events.Layout] = dataclasses.field(default_factory=list)
    """For each checkpoint what is known of its tensors: dtypes and shapes."""
    late: set[int] = dataclasses.field(default_factory=set)
    """Places of checkpoints that show a last step as it was left later on."""
    traces: dict[int, StepTrace] = dataclasses.field(default_factory=dict)
    """The logs of their steps."""
    fits: dict[tuple[int, int], tuple[int, int | None]] = dataclasses.field(default_factory=dict)
    """By model and number of the fit, the model's steps before it, and at its end."""
    paces: dict[int, events.Pace] = dataclasses.field(default_factory=dict)
    scenes: dict[int, events.InsideLayout] = dataclasses.field(default_factory=dict)
    insides: dict[tuple[int, int], events.Inside] = dataclasses.field(default_factory=dict)
    """What was seen inside steps, by model and step."""
    sightings: dict[tuple[object, ...], events.Sighting] = dataclasses.field(default_factory=dict)
    programs: dict[tuple[object, ...], set[str]] = dataclasses.field(default_factory=dict)
    """For each of these the scripts that did it: those that the subject starts in processes of
    their own, and empty for the subject itself."""
    seedings: dict[tuple[object, ...], events.SeedGiven] = dataclasses.field(default_factory=dict)
    first_seeds: dict[tuple[object, ...], str] = dataclasses.field(default_factory=dict)
    """Digest of the first seed of each line."""
    frameworks: dict[str, str] = dataclasses.field(default_factory=dict)
    backend: str = ""
    """What Keras computes with; empty without Keras."""
    pins: list[events.Pin] = dataclasses.field(default_factory=list)
    read: set[str] = dataclasses.field(default_factory=set)
    """Factors whose pins have been read back in the process that tells now."""
    due: dict[str, None] = dataclasses.field(default_factory=dict)
    """Factors whose pins act, and have not been read back so far."""
    unread: dict[str, None] = dataclasses.field(default_factory=dict)
    """Those of which that was so when something was recorded."""
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    told: dict[tuple[str, str], float] = dataclasses.field(default_factory=dict)
    """The same by model and name; the model of what the script tells itself is empty."""
    errors: list[events.GuestError] = dataclasses.field(default_factory=list)
    crash: events.Crashed | None = None
    began: bool = False
    starts: int = 0
    """How often the script has begun: it may start itself again."""
    launching: str = ""
    launched: str = ""
    """The script that it started in a process of its own, and that is what was recorded."""
    misled: bool = False
    """It said that it ran another plan than this one."""
    knobs: dict[str, str] = dataclasses.field(default_factory=dict)
    """Settings that bear on a GPU's results, at the first checkpoint."""
    gpu_use: tuple[events.Used, ...] = ()
    """The GPUs that it took memory on, as far as it told."""
    modules: dict[str, str] = dataclasses.field(default_factory=dict)
    """Files of the user's own that it has executed, with digests of what it found in them."""
    code: dict[str, str] = dataclasses.field(default_factory=dict)
    """Those of the user's own folder, with their digests there (host/own_code.py)."""
    given: tuple[tuple[str, str], ...] = ()
    """Identifier and model of those that it sees on the machine of a cluster."""
    gpus: tuple[OnGpu, ...] = ()
    """Those that it could see, once it has ended."""
    values_omitted: int = 0
    elsewhere: set[str] = dataclasses.field(default_factory=set)
    """What forked children of it did that was not recorded."""
    outcome: Outcome | None = None
    seconds: float = 0.0
    exit_code: int | None = None
    peak_memory: int | None = None
    left_running: int = 0
    """Processes that it left behind when it ended."""
    wrote: tuple[str, ...] = ()
    leftovers: Path | None = None
    chained: bool = False
    """It started from what an earlier trial had left."""
    depth: int = 0
    """Trials before it of which each had started from what the former one left."""
    parent: str = ""
    """The process that it was forked from; empty when it started by itself."""
    machine: int | None = None
    """Number of the machine that it ran on, in `Executor.machines`; None where there is one, and of
    an earlier session."""
    host: str = ""
    """Name of that machine; empty where there is one."""
    damaged: str = ""
    """What is wrong with the log of its steps."""
    set_aside: bool = False
    """A forked trial that is no evidence any more."""
    settings_at_import: dict[str, dict[str, str | None]] = dataclasses.field(default_factory=dict)
    """By framework, what the script had changed in its environment before the import."""
    importing_seconds: float = 0.0
    """Time to the last framework's import; 0 when not known."""
    note: str = ""
    reference: str = ""
    """The trial that this one is compared with: the first of its plan that counts."""
    witness: Witness | None = None
    matched: bool = False
    """Found equal to the reference, both whole."""
    extends: bool = False
    """Equal to a reference that was stopped, as far as that one went: it takes its place."""
    alone_again: bool = False
    """Killed while another ran beside it, or with its supervisor: asked again before it counts as a
    failure."""

    def __post_init__(self) -> None:
        self.reader = events.EventReader(self.folder / "events.jsonl")
        self.course = Course(self.horizon)
        self.key = plan_key(self.held)

    @property
    def fault(self) -> str:
        """Why nothing that this trial shows counts; empty when there is no reason."""
        if self.misled:
            return "it ran another plan than it was given"
        if self.damaged:
            return self.damaged
        if self.reader.damaged:
            return "its event file was changed by something else than nondet"
        for error in self.errors:
            if error.lost:
                return f"nondet could not record it ({error.where}: {error.error})"
        for factor, why in self.unheld.items():
            return f"the pin of {factor} did not take: {why}"
        return ""

    @property
    def unheld(self) -> dict[str, str]:
        """Factors whose pins did not take, with the reason."""
        found: dict[str, str] = {}
        for pin in self.pins:
            if not pin.ok:
                found.setdefault(pin.factor, f"expected {pin.expected}, found {pin.seen}")
        for factor in self.unread:
            found.setdefault(factor, "it was not read back")
        return found

    @property
    def shows(self) -> bool:
        """Whether there is anything to compare: a model, or a value that is not empty."""
        return bool(self.models) or any(checkpoint.tensors for checkpoint in self.checkpoints)

    @property
    def whole(self) -> bool:
        """Whether it has ended and shows all that is asked for: its end, or the horizon."""
        return self.outcome == "completed" or (
            self.outcome == "stopped-early" and self.course.reached
        )

    @property
    def remark(self) -> str:
        """The note, or else that the horizon ended it."""
        if self.note or self.outcome != "stopped-early" or not self.course.reached:
            return self.note
        return f"ended at the horizon, {self.checkpoints[-1].label}"

    @property
    def counts(self) -> bool:
        """Whether it can be evidence: it runs or ran as planned, and did not fail."""
        able = self.outcome in (None, "completed", "stopped-early") and not self.fault
        return able and not self.set_aside

    def refer_to(self, reference: str) -> None:
        """Be compared with that trial, from the start if it was another before."""
        if self.reference != reference:
            self.note = "" if self.witness is not None else self.note
            self.reference = reference
            self.witness, self.matched, self.extends = None, False, False

    def listen(self) -> None:
        """Take in the events that have come."""
        # The logs first: what lies behind the horizon comes after the event that tells of it.
        for index in self.models:
            self.look(index)
        for event in self.reader.read():
            if self.course.admits(event):
                try:
                    self._take(event)
                except (ValueError, KeyError):
                    self.reader.damaged += 1

    def look(self, index: int) -> None:
        """See how far the log of a model's steps has come."""
        try:
            if index in self.traces:
                self.traces[index].refresh()
            else:
                self.traces[index] = StepTrace(self.folder, index)
        except (ValueError, OSError) as error:
            if isinstance(error, OSError) and error.errno in SHORTAGES:
                raise  # that is no fault of the log's
            self.damaged = str(error)

    def _take(self, event: events.AnyEvent) -> None:
        """Raises ValueError or KeyError for what does not go with what came before."""
        match event:
            case events.Started():
                if self.began:
                    # The script started itself again: what came before is another process's.
                    self.checkpoints.clear()
                    self.owners.clear()
                    self.forms.clear()
                    self.late.clear()
                    self.models, self.traces, self.fits = {}, {}, {}
                    self.paces, self.scenes, self.insides = {}, {}, {}
                    self.metrics, self.told = {}, {}
                    self.launched, self.launching = self.launching or self.launched, ""
                self._forget_pins()
                self.starts += 1
                self.began = event.plan == self.plan
                self.misled = not self.began
            case events.Launched():
                # Of a script in a copy of the user's folder, the user's own.
                place = events.Place(event.script, 0, "")
                self.launching = self.own_place(place).file if event.script else ""
                # Without a name, the script itself is the trial again.
                self.launched = self.launched if event.script else ""
                if not event.script:
                    self._forget_pins()
            case events.Framework():
                self.frameworks[event.name] = event.version
                self.backend = event.backend or self.backend
                self.settings_at_import[event.name] = event.environ
                self.importing_seconds = time.monotonic() - self.started if self.started else 0.0
            case events.Exercised():
                self._sight(
                    events.Sighting(
                        event.factor,
                        event.detail,
                        event.unseeded,
                        event.consumer,
                        event.site,
                        1,
                        event.what,
                    )
                )
            case events.Seeded():
                given = events.SeedGiven(
                    event.factor, event.call, event.site, event.count, event.digest, event.before
                )
                self._seed(given)
            case events.Finished():
                for sighting in event.sightings:
                    self._sight(sighting)
                for seeding in event.seedings:
                    self._seed(seeding)
                self.unread |= self.due
            case events.Layout():
                self.layouts[event.id] = event
                if event.index >= 0:
                    self.models[event.index] = event.model
                    self.look(event.index)
            case events.Fit():
                begin, _ = self.fits.get((event.index, event.fit), (event.step, None))
                self.fits[event.index, event.fit] = (begin, event.step if event.over else None)
            case events.Pace():
                self.paces[event.index] = event
            case events.InsideLayout():
                self.scenes[event.id] = event
            case events.Inside():
                if len(event.digests) != len(self.scenes[event.layout].moments):
                    raise ValueError("a digest for each moment is wanted")
                self.insides[event.index, event.step] = event
            case events.Recorded():
                self.unread |= self.due
                self._record(event)
            case events.Metric():
                values = {k: float(v) for k, v in event.values.items()}
                self.metrics |= values
                self.told |= {(event.model, name): value for name, value in values.items()}
            case events.Pin():
                self.pins.append(event)
                self.read.add(event.factor)
                self.due.pop(event.factor, None)
            case events.Due():
                if event.factor not in self.read:
                    self.due[event.factor] = None
            case events.Crashed():
                self.crash = event
            case events.Knobs():
                self.knobs = event.values
            case events.GpuUse():
                self.gpu_use = event.used
            case events.Modules():
                for name, digest in event.files.items():
                    self.modules[self.own_place(events.Place(name, 0, "")).file] = digest
            case events.ValuesOmitted():
                self.values_omitted = event.tensors
            case events.Elsewhere():
                self.elsewhere.add(event.what)
            case events.GuestError():
                self.errors.append(event)

    def _forget_pins(self) -> None:
        """Another process tells from now on, and what acts in it."""
        self.read.clear()
        self.due.clear()

    def _sight(self, sighting: events.Sighting) -> None:
        s = sighting
        if s.site is not None:
            s = msgspec.structs.replace(s, site=self.own_place(s.site))
        key = (s.factor, s.detail, s.unseeded, s.consumer, s.site, s.what)
        self.sightings[key] = s
        self.programs.setdefault(key, set()).add(self.launched)

    def _seed(self, seeding: events.SeedGiven) -> None:
        before = tuple(
            msgspec.structs.replace(b, site=self.own_place(b.site)) if b.site is not None else b
            for b in seeding.before
        )
        s = msgspec.structs.replace(seeding, site=self.own_place(seeding.site), before=before)
        key = (s.factor, s.call, s.site)
        self.seedings[key] = s
        self.first_seeds.setdefault(key, s.digest)

    def own_place(self, site: events.Place) -> events.Place:
        """The place in the user's own folder, when the trial ran in a copy of it."""
        for seen, real in self.roots:
            if site.file.startswith(seen + "/"):
                return msgspec.structs.replace(site, file=real + site.file[len(seen) :])
        return site

    def _record(self, event: events.Recorded) -> None:
        layout = self.layouts[event.layout]
        tensors = Tensors(layout.paths, event.digests)
        if event.late:
            self.late.add(len(self.checkpoints))
        self.owners.append(event.index)
        self.forms.append(layout)
        self.checkpoints.append(
            Checkpoint(
                kind=event.kind,
                model=event.model,
                fit=event.fit,
                epoch=event.epoch,
                step=event.step,
                tensors=tensors,
            )
        )

    def last_step(self, index: int) -> float:
        """The last step of a model that counts: a shortened horizon ends what is compared."""
        return self.course.steps.get(index, 0) if self.course.reached else math.inf

    def epoch_of(self, index: int, step: int) -> tuple[int, int]:
        """The fit and the epoch that a step of a model belongs to; zeros for a step by hand."""
        for (model, fit), (begin, end) in self.fits.items():
            if model == index and begin < step and (end is None or step <= end):
                own = [c for c in self.checkpoints if c.kind == "epoch" and c.fit == fit]
                own = [c for c in own if c.model == self.models.get(index)]
                later = [c.epoch for c in own if c.step >= step]
                before = [c.epoch for c in own if c.step < step]
                return fit, later[0] if later else before[-1] + 1 if before else 1
        return 0, 0

    def layout_of(self, index: int, tensors: int) -> events.Layout | None:
        """The latest layout of a model with so many tensors."""
        found = [x for x in self.layouts.values() if x.index == index and len(x.tensors) == tensors]
        return found[-1] if found else None

    def dtypes(self, model: str) -> dict[str, str]:
        """Dtype by tensor path, of all layouts seen of a model; other models use the same paths."""
        layouts = [layout for layout in self.layouts.values() if layout.model == model]
        return {path: dtype for layout in layouts for path, dtype, _ in layout.tensors}

    def ended(self, end: Ended, timed_out: bool) -> None:
        """Take in how the process ended."""
        self.listen()
        self.running = None
        self.seconds, self.exit_code, self.peak_memory = end.seconds, end.exit_code, end.peak_memory
        self.wrote, self.leftovers = end.wrote, end.leftovers
        self.left_running = end.left_running
        self.outcome, note = self._outcome(end, timed_out)
        self.note = self.note or note

    def _outcome(self, end: Ended, timed_out: bool) -> tuple[Outcome, str]:
        if self.course.reached and not self.fault:
            # However it ended, that lies behind the horizon.
            by_itself = end.exit_code == 0 and not end.stopped
            return ("completed" if by_itself else "stopped-early"), ""
        if timed_out:
            return "timed-out", f"stopped after {end.seconds:.0f} s: {end.stopped}"
        if end.lost:
            return "killed", end.lost
        if self.fault:
            return "crashed", self.fault
        if end.stopped:
            return "stopped-early", end.stopped
        if end.exit_code is None:
            return "killed", "its supervisor was killed"
        if not self.began:
            return "crashed", "it ended before the script began"
        if end.exit_code == 0:
            return "completed", ""
        if end.exit_code == CANT_RECORD:
            return "crashed", "it could not write its events: is the disk full?"
        if self.crash is not None:
            return "crashed", f"{self.crash.kind}: {self.crash.message}"
        if end.exit_code < 0:
            return "killed", f"ended by signal {-end.exit_code}{self._memory(end)}"
        return "crashed", f"ended with exit code {end.exit_code}"

    @property
    def starved(self) -> bool:
        """Whether it failed as one does whose disk is full: the guest could not write its events,
        or the script was told so."""
        if self.outcome != "crashed" or self.exit_code is None:
            return False
        if self.crash is None:
            return self.exit_code == CANT_RECORD
        return self.crash.message.startswith(FULL)

    def _memory(self, end: Ended) -> str:
        """What to know of memory where the kernel may have killed it for want of that."""
        if end.exit_code != -signal.SIGKILL or end.peak_memory is None:
            return ""
        return f", mostly for want of memory; it had taken {end.peak_memory / 2**20:.0f} MiB"

    def save(self) -> None:
        """Write `trial.json` beside and rename it: there is a whole one or none."""
        if self.outcome is None:
            return
        saved = Saved(
            self.id,
            dict(self.held),
            self.plan,
            self.question,
            self.outcome,
            self.seconds,
            self.exit_code,
            self.peak_memory,
            self.wrote,
            self.note,
            self.roots,
            self.chained,
            self.parent,
            self.gpus,
            self.host,
            self._bytes(),
            self.code,
            self.alone_again,
        )
        output.write_whole(
            self.folder / "trial.json", msgspec.json.encode(saved), survives_power_loss=False
        )

    def _bytes(self) -> dict[str, int]:
        """Sizes of its event file and its logs of steps."""
        told = (path for path in self.folder.iterdir() if TOLD.fullmatch(path.name))
        return {path.name: path.lstat().st_size for path in sorted(told)}

    def tail(self, name: str) -> str:
        """The end of a log, decoded as far as it can be."""
        try:
            with files.opened(self.folder / name) as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - TAIL))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""


def restore(folder: Path, horizon: Horizon | None = None) -> Trial | None:
    """A trial of an earlier session, or None when it had not ended properly, or its files have lost
    their end since, as when the power failed before they were on the disk."""
    try:
        data = files.read(folder / "trial.json", files.MOST_RECORD)
        saved = msgspec.json.decode(data, type=Saved)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if any(shorter(folder / name, size) for name, size in saved.bytes.items()):
        return None
    trial = Trial(
        saved.id,
        saved.held,
        saved.plan,
        saved.question,
        folder,
        roots=saved.roots,
        horizon=horizon,
    )
    trial.listen()
    if saved.outcome == "completed" and not trial.began:
        return None
    trial.outcome, trial.seconds = saved.outcome, saved.seconds
    trial.exit_code, trial.peak_memory = saved.exit_code, saved.peak_memory
    trial.wrote, trial.note, trial.chained = saved.wrote, saved.note, saved.chained
    trial.parent, trial.gpus, trial.host = saved.parent, saved.gpus, saved.host
    trial.code = saved.code
    trial.alone_again = saved.alone_again
    return trial


def shorter(path: Path, size: int) -> bool:
    """Whether a file has not so many bytes, or is gone."""
    try:
        return path.lstat().st_size < size
    except (OSError, ValueError):
        return True


def restore_all(folder: Path, horizon: Horizon | None = None) -> list[Trial]:
    """The trials of an earlier session that ended properly, in the order they were started."""
    # A folder that leads elsewhere is no trial's.
    own = (p for p in folder.glob("t*") if number(p.name) and not p.is_symlink())
    paths = sorted(own, key=lambda p: number(p.name))
    found = (restore(path, horizon) for path in paths)
    return [trial for trial in found if trial is not None]


def number(name: str) -> int:
    """The 7 of ``t07``; 0 for what is no trial's name."""
    digits = name.removeprefix("t")
    return int(digits) if name.startswith("t") and digits.isdecimal() else 0
