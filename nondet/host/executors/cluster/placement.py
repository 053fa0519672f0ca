"""Which worker runs which trial. Names and facts in, a seat out: no network, no clock."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from nondet.host.executors.interface import Machine

HIDDEN = ("", "-1", "none", "nodevfiles")
"""Values of the variables that allot devices, with which there is none."""
DEVICES = "CUDA_VISIBLE_DEVICES"
SHUNNED = 2
"""Trials that could not even be started, after which a worker gets no more."""


@dataclasses.dataclass
class Seat:
    """A worker that can run one trial at a time."""

    worker: str
    """Its name for the engine."""
    told: Mapping[str, Any]
    """What its attendant says (see attendant.py)."""
    trial: str = ""
    """The one that it runs; empty when it is free."""
    gpu: str = ""
    """Identifier of the device that its trial was given, where nobody else has allotted one."""
    refusals: int = 0
    named: str | None = None
    """The devices that the user's environment gives to every trial; None where it names none."""

    @property
    def host(self) -> str:
        return str(self.told["facts"]["host"])

    @property
    def gpus(self) -> tuple[str, ...]:
        """Models of the devices that a trial may use: those that the user's environment names, or
        those allotted to the worker, else one."""
        facts = self.told["facts"]
        if self.named is None:
            return visible(facts["gpus"], facts["allotted"].get(DEVICES))
        return visible(facts["gpus"], self.named) if facts["gpus"] else ()

    @property
    def shares_gpus(self) -> bool:
        """Whether it has devices that others on its machine may use as well."""
        facts = self.told["facts"]
        return bool(self.gpus) and (self.named is not None or DEVICES not in facts["allotted"])

    @property
    def machine(self) -> Machine:
        facts, described = self.told["facts"], self.told["described"]
        packages = tuple(sorted(described["packages"].items(), key=lambda item: item[0].lower()))
        same = {
            "cpu": facts["cpu"],
            "features": facts["features"],
            "cores": facts["cores"],
            "libc": facts["libc"],
            "gpus": self.gpus,
            "driver": facts["driver"] if self.gpus else None,
            "python": described["python"],
            "packages": packages,
            "conda": described["conda"],
        }
        text = json.dumps(same, sort_keys=True)
        return Machine(
            host=facts["host"],
            kind=hashlib.sha256(text.encode()).hexdigest()[:12],
            cpu=facts["cpu"],
            features=tuple(facts["features"]),
            cores=facts["cores"],
            platform=facts["platform"],
            libc=facts["libc"],
            gpus=self.gpus,
            driver=facts["driver"] if self.gpus else None,
            python=described["python"],
            packages=packages,
            isolation=self.told["isolation"],
        )

    def has(self, module: str) -> bool:
        """Whether the subject's interpreter has a module there, of those that it was asked for."""
        return bool(self.told["described"]["found"].get(module))

    def variables(self, environ: Mapping[str, str]) -> dict[str, str]:
        """What the trial's environment gets of the allotment; nothing where it says itself which
        devices it wants."""
        facts = self.told["facts"]
        given: dict[str, str] = {**facts["allotted"], **({DEVICES: self.gpu} if self.gpu else {})}
        return {name: value for name, value in given.items() if name not in environ}


def visible(gpus: list[list[str]], allotted: str | None) -> tuple[str, ...]:
    """Models of the GPUs that a variable names, by number or identifier; one where it is not set.
    Each GPU is (number, identifier, model)."""
    if allotted is None:
        return tuple(sorted(name for _, _, name in gpus)[:1])
    if allotted.strip().lower() in HIDDEN:
        return ()
    found = []
    for wanted in allotted.split(","):
        wanted = wanted.strip()
        names = [n for i, u, n in gpus if wanted == i or (wanted and u.startswith(wanted))]
        found.append(names[0] if len(names) == 1 else wanted)
    return tuple(sorted(found))


class Roster:
    """The workers that can run trials, and what each of them does."""

    def __init__(self, named: str | None = None) -> None:
        """`named`: see `Seat`."""
        self.named = named
        self.seats: dict[str, Seat] = {}
        self.machines: list[Machine] = []
        """Those that ever were, in the order in which they came."""
        self.kind = ""
        """The kind of machine that trials are kept on; empty until it is chosen."""
        self.turn = 0
        self.needs = ""
        """A module that the subject's interpreter must have where trials run; empty for none."""

    def add(self, worker: str, told: Mapping[str, Any]) -> Seat:
        seat = self.seats[worker] = Seat(worker, told, named=self.named)
        if seat.machine not in self.machines:
            self.machines.append(seat.machine)
        return seat

    def remove(self, worker: str) -> Seat | None:
        return self.seats.pop(worker, None)

    def kinds(self) -> list[str]:
        """Kinds of machine, those with most workers first; of two alike the one that came first."""
        count = collections.Counter(seat.machine.kind for seat in self.able())
        return [kind for kind, _ in count.most_common()]

    def choose(self, kind: str = "") -> None:
        """Settle on a kind: that one, or the largest."""
        self.kind = kind or next(iter(self.kinds()), "")

    def able(self) -> Iterator[Seat]:
        found = (seat for seat in self.seats.values() if seat.refusals < SHUNNED)
        return (seat for seat in found if not self.needs or seat.has(self.needs))

    def fitting(self, elsewhere: bool | None) -> list[Seat]:
        """Seats, free or not, for a trial. `elsewhere`: on the largest other kind of machine; None
        for each kind in turn."""
        kinds = [self.kind, *(kind for kind in self.kinds() if kind != self.kind)]
        if elsewhere is None:
            kind = kinds[self.turn % len(kinds)]
        else:
            kind = (kinds[1:] or [""])[0] if elsewhere else kinds[0]
        return [seat for seat in self.able() if seat.machine.kind == kind]

    def free(self, elsewhere: bool | None) -> Seat | None:
        """A seat where a trial can start now. Machines with the fewest trials come first."""
        free = [s for s in self.fitting(elsewhere) if not s.trial and self._device(s) is not None]
        busy = collections.Counter(seat.host for seat in self.seats.values() if seat.trial)
        return min(free, key=lambda seat: busy[seat.host], default=None)

    def take(self, trial: str, elsewhere: bool | None) -> Seat:
        """Raises LookupError when no seat is free."""
        seat = self.free(elsewhere)
        if seat is None:
            raise LookupError(trial)
        seat.trial, seat.gpu = trial, self._device(seat) or ""
        self.turn += elsewhere is None
        return seat

    def release(self, trial: str, refused: bool = False) -> Seat | None:
        """The seat that it had, unless that is gone; `refused`: it could not even be started."""
        for seat in self.seats.values():
            if seat.trial == trial:
                seat.trial, seat.gpu = "", ""
                seat.refusals += refused
                return seat
        return None

    def _device(self, seat: Seat) -> str | None:
        """The device for its next trial; empty where none need be named, None when all are in
        use. Not by number, which means another device to CUDA than to the driver."""
        if not seat.shares_gpus:
            return ""
        others = [s for s in self.seats.values() if s.host == seat.host and s.trial]
        if seat.named is not None:
            return None if others else ""
        model = seat.gpus[0]
        own = [uuid for _, uuid, name in seat.told["facts"]["gpus"] if name == model]
        left = [uuid for uuid in own if uuid not in {other.gpu for other in others}]
        return left[0] if left else None
