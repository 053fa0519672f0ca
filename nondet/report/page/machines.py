"""The machines of a cluster, as the report tells of them."""

from __future__ import annotations

import collections
import dataclasses

from nondet.naming import enumerated
from nondet.record import Diagnosis, Machine
from nondet.report.page import words

MOST_HOSTS = 4
"""Names in a sentence."""


@dataclasses.dataclass(frozen=True)
class Row:
    """A machine in the table."""

    host: str
    kind: str
    """A letter: A for the kind that came first."""
    described: str
    isolation: str
    trials: int


def summary(diagnosis: Diagnosis) -> str:
    """``3 machines of 2 kinds: node1, node2 and node3.``"""
    hosts = list(dict.fromkeys(machine.host for machine in used(diagnosis)))
    kinds = len({machine.kind for machine in used(diagnosis)})
    if not hosts:
        return "No trial was started on any machine."
    of = "" if len(hosts) == kinds == 1 else f" of {words.plural(kinds, 'kind')}"
    return f"{words.plural(len(hosts), 'machine')}{of}: {enumerated(hosts, MOST_HOSTS)}."


def used(diagnosis: Diagnosis) -> list[Machine]:
    """Those that trials ran on."""
    numbers = {trial.machine for trial in diagnosis.trials}
    return [machine for number, machine in enumerate(diagnosis.machines) if number in numbers]


def rows(diagnosis: Diagnosis) -> list[Row]:
    """All that there were, in the order in which they came."""
    count = collections.Counter(trial.machine for trial in diagnosis.trials)
    kinds = list(dict.fromkeys(machine.kind for machine in diagnosis.machines))
    return [
        Row(
            machine.host,
            letter(kinds.index(machine.kind)),
            described(machine),
            machine.isolation,
            count[number],
        )
        for number, machine in enumerate(diagnosis.machines)
    ]


def letter(number: int) -> str:
    """A to Z, then AA."""
    head, last = divmod(number, 26)
    return (letter(head - 1) if head else "") + chr(ord("A") + last)


def described(machine: Machine) -> str:
    """Processor, cores, GPUs, driver, C library and interpreter; how many packages."""
    gpus = ", ".join(machine.gpus) or "no GPU"
    driver = f" (driver {machine.driver})" if machine.driver else ""
    return (
        f"{machine.cpu}, {words.plural(machine.cores, 'core')}; {gpus}{driver}; {machine.libc}; "
        f"Python {machine.python}, {words.plural(len(machine.packages), 'package')}"
    )
