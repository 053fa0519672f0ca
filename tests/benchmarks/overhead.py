"""What the pins cost: one script under the guest, each factor pinned alone, against the plain run.

``python -m tests.benchmarks.overhead`` writes docs/overhead.md; names as arguments measure those
factors alone and write nothing. Runs alternate (plain, pinned, plain, pinned ...), so that a
machine that grows slower or faster meanwhile does so for both.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from nondet.guest.factors import REGISTRY, by_name
from nondet.host import gpus, machine
from nondet.host import subject as subjects
from nondet.host.executors.supervisor import fix_addresses
from nondet.host.subject import GUEST
from tests.benchmarks.probes import PROBES
from tests.guest.running import write_plan

TABLE = PROBES.parent / "docs" / "overhead.md"
SCRIPT = PROBES / "classic_set_random_seed.py"
NOTHING = "nothing pinned"
NUMBER = 20261
"""What stands for the number that a diagnosis hands to `Factor.environment`."""


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds of one run, those of its children among them."""

    wall: float
    cpu: float


@dataclasses.dataclass(frozen=True)
class Measured:
    """Ratios over the plain run beside each; none when the factor can't act here."""

    name: str
    wall: tuple[float, ...] = ()
    cpu: tuple[float, ...] = ()
    reason: str = ""


class Failed(Exception):
    """A run that was to be measured did not end as it should."""


def timed(command: list[str], folder: Path, environ: Mapping[str, str], addresses: bool) -> Cost:
    """Run a command to its end. Raises Failed when that is not a good one."""
    output = folder.parent / "output.log"
    with output.open("wb") as file:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            preexec_fn=fix_addresses if addresses else None,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        told = output.read_text(encoding="utf-8", errors="replace")
        raise Failed(f"{' '.join(command)}: exit code {process.returncode}\n{told}")
    return Cost(wall, used.ru_utime + used.ru_stime)


class Bench:
    """Runs one script, plain or under the guest, in a folder that is fresh each time."""

    def __init__(self, script: Path, room: Path) -> None:
        self.script = script
        self.folder = room / "subject"
        self.environ = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}

    def plain(self) -> Cost:
        return self._run([sys.executable, self.script.name], {})

    def guided(self, arms: Mapping[str, str]) -> Cost:
        """Under the guest, as a diagnosis runs it."""
        return self._run([sys.executable, str(GUEST), "PLAN"], arms)

    def _run(self, command: list[str], arms: Mapping[str, str]) -> Cost:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        shutil.copy(self.script, self.folder)
        environ, addresses = dict(self.environ), False
        for name, arm in arms.items():
            factor = by_name(name)
            addresses = addresses or factor.fixed_addresses
            for variable, value in factor.environment(arm, NUMBER).items():
                if value is None:
                    environ.pop(variable, None)
                else:
                    environ[variable] = value
        if command[-1] == "PLAN":
            command[-1] = str(write_plan(self.folder, self.script.name, (), arms))
        return timed(command, self.folder, environ, addresses)


def measure(bench: Bench, names: Iterable[str], rounds: int) -> list[Measured]:
    """Each factor's pin against the plain script, run in turns."""
    here = about_this_machine()
    pinned: dict[str, dict[str, str]] = {NOTHING: {}}
    reasons: dict[str, str] = {}
    for name in names:
        if reason := by_name(name).unavailable(here):
            reasons[name] = reason
        else:
            pinned[name] = {name: "pinned"}
    pairs: dict[str, list[tuple[Cost, Cost]]] = {name: [] for name in pinned}
    bench.plain()  # Reads all files once, so that no pair has to wait for the disk.
    for number in range(1, rounds + 1):
        for name, arms in pinned.items():
            pairs[name].append((bench.plain(), bench.guided(arms)))
            print(f"round {number} of {rounds}: {name} {pairs[name][-1]}", file=sys.stderr)
    measured = [
        Measured(
            name,
            wall=tuple(held.wall / plain.wall for plain, held in found),
            cpu=tuple(held.cpu / plain.cpu for plain, held in found),
        )
        for name, found in pairs.items()
    ]
    return measured + [Measured(name, reason=reason) for name, reason in reasons.items()]


def about_this_machine() -> dict[str, object]:
    """What `Factor.unavailable` asks for, as a diagnosis tells it."""
    described = subjects.check(str(SCRIPT), (), sys.executable).description
    packages = {name.lower(): version for name, version in described.packages.items()}
    facts: dict[str, object] = {
        "gpus": gpus.found().devices,
        "cores": machine.cores(),
        "environ": dict(os.environ),
        "fixed_addresses": machine.can_fix_addresses(),
    }
    for name in ("tensorflow", "keras", "torch", "jax"):
        facts[name] = packages.get(name, "?") if described.found.get(name) else None
    return facts


def row(measured: Measured) -> str:
    if measured.reason:
        return f"| {measured.name} | not run: {measured.reason} | | |"
    wall, cpu = sorted(measured.wall), sorted(measured.cpu)
    return (
        f"| {measured.name} | {statistics.median(wall):.2f} | {wall[0]:.2f} to {wall[-1]:.2f} "
        f"| {statistics.median(cpu):.2f} |"
    )


def page(every: Iterable[Measured], rounds: int) -> str:
    """The whole of docs/overhead.md."""
    return (
        "<!-- Written by `python -m tests.benchmarks.overhead`. -->\n\n"
        "# What the pins cost\n\n"
        f"`{SCRIPT.name}` (a network of ten units, 100 epochs, imports included) is run plain and\n"
        "under the guest with one factor pinned, in turns. The figures are the time under the guest"
        "\n"
        f"over that of the plain run right before it: the median of {rounds} such pairs, and the\n"
        f"range of the wall times. `{NOTHING}` is the cost of watching and recording alone, which\n"
        f"every other row holds as well. {machine.cores()} cores, Python "
        f"{'.'.join(map(str, sys.version_info[:3]))}.\n\n"
        "| pinned | wall time | range | CPU time |\n"
        "| --- | --- | --- | --- |\n" + "\n".join(row(measured) for measured in every) + "\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="factors to measure; all when none is named")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of runs for each factor")
    chosen = parser.parse_args()
    known = [factor.name for factor in REGISTRY]
    if unknown := set(chosen.names) - set(known):
        parser.error(f"no such factor: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="overhead-") as room:
        bench = Bench(SCRIPT, Path(room))
        every = measure(bench, chosen.names or known, chosen.rounds)
    for measured in every:
        print(row(measured))
    if not chosen.names:
        TABLE.write_text(page(every, chosen.rounds), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
