"""Trials on GPUs: which one each gets, and what the GPUs were like while it ran."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from nondet import record
from nondet.host import hardware, placement
from nondet.host.events import Used
from nondet.host.hardware import Device, Hardware, Snapshot

ONE_EACH = (
    "each trial sees one of the {} GPUs, so that several run side by side: what GPUs do together "
    "was not looked at"
)
EVERY_SECONDS = 1.0
"""Between two looks at the GPUs."""


@dataclasses.dataclass
class Stay:
    """A trial that runs, on the GPUs that it may see."""

    spot: str
    devices: tuple[Device, ...]
    before: dict[str, Snapshot]
    """By UUID."""
    alone: dict[str, bool]
    """Whether no other trial of ours was there at any time."""
    seen: dict[str, list[Snapshot]]


class Placing:
    """Of one diagnosis. `apart`: whether trials are to run side by side."""

    def __init__(
        self,
        gpus: Hardware,
        apart: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.gpus = gpus
        self.apart = apart
        self.clock = clock
        self.looked = clock()
        self.staying: dict[str, Stay] = {}
        self.need: int | None = None
        """The most bytes that a trial was seen to take on a GPU."""

    def splits(self, environ: Mapping[str, str]) -> int:
        """How many GPUs there are of which each trial sees one; 0 where it sees them all."""
        shown = placement.visible(environ, self.gpus.rooms()) if self.apart else None
        return len(shown) if shown is not None and len(shown) > 1 else 0

    def spot(self, environ: Mapping[str, str]) -> str | None:
        """Where a trial with this environment can start now (see `placement.choose`)."""
        running = [stay.spot for stay in self.staying.values() if stay.devices]
        rooms = self.gpus.rooms()
        return placement.choose(environ, rooms, running, self.need, self.apart)

    def started(self, trial: str, environ: Mapping[str, str], spot: str) -> None:
        """A trial is about to start there."""
        devices = self._devices(environ)
        others = {d.uuid for stay in self.staying.values() for d in stay.devices}
        for stay in self.staying.values():
            stay.alone |= {d.uuid: False for d in devices if d.uuid in stay.alone}
        self.staying[trial] = Stay(
            spot,
            devices,
            {d.uuid: self.gpus.look(d) for d in devices},
            {d.uuid: d.uuid not in others for d in devices},
            {d.uuid: [] for d in devices},
        )

    def _devices(self, environ: Mapping[str, str]) -> tuple[Device, ...]:
        """Those that the trial may see; all where that can't be told."""
        rooms = [placement.Room(d.uuid, d.name) for d in self.gpus.devices]
        shown = placement.visible(environ, rooms)
        if shown is None:
            return self.gpus.devices
        names = {room.uuid for room in shown}
        return tuple(d for d in self.gpus.devices if d.uuid in names)

    def look(self) -> None:
        """Look at the GPUs on which trials run, now and then; called many times a second."""
        now = self.clock()
        if not self.staying or now - self.looked < EVERY_SECONDS:
            return
        self.looked = now
        self._look(list(self.staying.values()))

    def _look(self, stays: Sequence[Stay]) -> None:
        devices = {d.uuid: d for stay in stays for d in stay.devices}
        found = {uuid: self.gpus.look(device) for uuid, device in devices.items()}
        for stay in stays:
            for device in stay.devices:
                stay.seen[device.uuid].append(found[device.uuid])

    def ended(
        self, trial: str, used: Sequence[Used], computes: bool = True
    ) -> tuple[record.OnGpu, ...]:
        """A trial has ended, having told that it used these: what its GPUs were like meanwhile.
        `computes`: whether it imported a framework, which may have used one untold."""
        stay = self.staying.pop(trial, None)
        if stay is None:
            return ()
        found = tuple(self._told(stay, device, used, computes) for device in stay.devices)
        taken = [each.memory for each in found if each.used is not False]
        peaks = [memory for memory in taken if memory is not None]
        peaks += [each.peak for each in used]
        if peaks:
            self.need = max(self.need or 0, *peaks)
        return found

    def _told(
        self, stay: Stay, device: Device, used: Sequence[Used], computes: bool
    ) -> record.OnGpu:
        before, seen = stay.before[device.uuid], stay.seen[device.uuid]
        after = self.gpus.look(device)
        every, alone = [*seen, after], stay.alone[device.uuid]
        filled = [s.used - (before.used or 0) for s in seen if s.used is not None]
        others = [s.processes for s in (before, after) if s.processes is not None]
        reasons = 0
        for snapshot in seen:
            reasons |= snapshot.reasons or 0
        return record.OnGpu(
            uuid=device.uuid,
            name=device.name,
            mig=device.mig,
            used=_used([d.uuid for d in stay.devices], device.uuid, used, computes),
            memory=max(0, *filled) if filled and alone and before.used is not None else None,
            sm_clock=_range([s.sm_clock for s in seen]),
            memory_clock=_range([s.memory_clock for s in seen]),
            slowed=hardware.slowed(reasons),
            corrected=_more(before.corrected, after.corrected),
            uncorrected=_more(before.uncorrected, after.uncorrected),
            others=max(others) if others and alone else None,
            lost=any(s.lost for s in every),
        )


@contextlib.contextmanager
def placing_trials(jobs: int) -> Iterator[Placing | None]:
    """For as many trials side by side; None where there is no GPU that a driver tells of."""
    gpus = Hardware.opened()
    if gpus is None:
        yield None
        return
    try:
        yield Placing(gpus, apart=jobs > 1)
    finally:
        gpus.close()


def told_of(
    given: Sequence[tuple[str, str]], used: Sequence[Used], computes: bool
) -> tuple[record.OnGpu, ...]:
    """Of a trial that has ended on another machine: the GPUs that it saw there, by UUID and name,
    and which of them it used. `computes`: as in `Placing.ended`."""
    uuids = [uuid for uuid, _ in given]
    return tuple(
        record.OnGpu(uuid=uuid, name=name, used=_used(uuids, uuid, used, computes))
        for uuid, name in given
    )


def _used(seen: Sequence[str], uuid: str, used: Sequence[Used], computes: bool) -> bool | None:
    """Whether a trial took memory on one of the GPUs that it saw; None where it may have used one
    that it did not tell of."""
    if not used:
        return None if computes else False
    known = {each.uuid for each in used if each.uuid}
    numbers = {each.gpu for each in used if not each.uuid}
    return any(uuid.startswith(name) for name in known) or seen.index(uuid) in numbers


def _range(values: Sequence[int | None]) -> tuple[int, int] | None:
    told = [value for value in values if value is not None]
    return (min(told), max(told)) if told else None


def _more(before: int | None, after: int | None) -> int | None:
    """What was counted in between. A driver that was loaded anew counts from 0."""
    if before is None or after is None:
        return None
    return after - before if after >= before else after
