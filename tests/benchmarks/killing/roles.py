"""What the processes of a diagnosis are for, told by who has started whom.

By their command lines alone they can't be told apart: what is forked off the process that has
imported the frameworks keeps that one's.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable
from typing import Self

import psutil

from tests.command.running import marked

TRIAL, SUPERVISOR = "trial", "supervisor"
PARENT = "parent of forked trials"
FORKED_TRIAL, FORKED_SUPERVISOR = "forked trial", "supervisor of a forked trial"
ALONE = (TRIAL, SUPERVISOR)
"""Roles in a diagnosis that forks no trials."""
ALL = (*ALONE, PARENT, FORKED_TRIAL, FORKED_SUPERVISOR)


@dataclasses.dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    command: tuple[str, ...]
    began: float
    """When it was started, in seconds."""

    @classmethod
    def of(cls, process: psutil.Process) -> Self:
        """Raises psutil.Error."""
        command = tuple(process.cmdline())
        return cls(process.pid, process.ppid(), command, process.create_time())


def roles(processes: Iterable[Process], host: int) -> dict[int, str]:
    """By process id, the roles of those below a host that have one. What a trial has started has
    none, nor has what the host starts for other ends, or has not yet become a program."""
    children: dict[int, list[Process]] = {}
    for process in processes:
        children.setdefault(process.parent, []).append(process)
    found: dict[int, str] = {}

    def below(supervisor: Process, own: str, trial: str) -> None:
        found[supervisor.pid] = own
        # Processes that the trial has orphaned are the supervisor's children too, and younger.
        for process in sorted(children.get(supervisor.pid, ()), key=lambda p: p.began)[:1]:
            found[process.pid] = trial

    for child in children.get(host, ()):
        if child.command[2:3] == ("--parent",):
            found[child.pid] = PARENT
            for forked in children.get(child.pid, ()):
                below(forked, FORKED_SUPERVISOR, FORKED_TRIAL)
        elif child.command and child.command[-1].endswith("/executors/supervisor.py"):
            below(child, SUPERVISOR, TRIAL)
    return found


def alive(mark: str, host: int) -> list[tuple[str, psutil.Process]]:
    """The processes with a role, of the host's that bear a mark; in the order of their ids."""
    seen: dict[int, tuple[Process, psutil.Process]] = {}
    for process in marked(mark):
        with contextlib.suppress(psutil.Error):
            seen[process.pid] = Process.of(process), process
    found = roles((told for told, _ in seen.values()), host)
    return [(found[pid], seen[pid][1]) for pid in sorted(found)]
