"""Kill and resume: a diagnosis killed at random moments ends as the undisturbed one does.

``python -m tests.benchmarks.killing [--kills 20] [--seed N] [--small | SCRIPT]`` diagnoses a script
once in peace. Then it kills diagnoses of it with SIGKILL, each at a moment drawn from the seed, and
goes on with ``--resume``: half of the kills hit a diagnosis of their own, the others come in
chains, one diagnosis killed again and again. In the end each must say what the undisturbed one says
(see `holding.told`); no finished trial may have been run again; nothing may stay alive or lie
about; and all that lies in the output folder must be whole, after each kill and at the end. Exit
code 1 when something is not so.

With ``--beneath``, what is killed is one of the processes that the diagnosis has started, and the
kills are shared out evenly among their roles. The diagnosis goes on by itself, once for each kill,
and the same must hold.

Of a script whose trials are forked, a part of the kills comes while there are such trials. With
``--small`` there are two scripts: one that takes a fraction of a second, and one whose trials are
forked.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import random
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from nondet import record
from nondet.host import trials
from tests.benchmarks.killing import roles
from tests.benchmarks.killing.holding import faults
from tests.benchmarks.killing.rooms import Ended, Failed, Room, disturbed, quietly
from tests.benchmarks.probes import PROBES
from tests.command.running import QUICK

SCRIPT = PROBES / "noise_own_layer.py"
CHAIN = 5
"""Kills of one diagnosis that is killed more than once."""
TRIES = 4
"""How many times the kills asked for are tried: a moment may come after the end."""

DRAWS = """
import random
import time
import nondet
nondet.checkpoint("start", 1)
time.sleep(0.2)
nondet.checkpoint("value", random.random())
"""
FORKS = DRAWS.replace("import nondet", "import jax\nimport nondet")
"""The same with a framework that is imported long enough for trials to be forked."""
SHORT = QUICK[:2]
"""Few trials that agree, and yet trials of the patched script."""

HOST = "SIGKILL of a diagnosis at a random moment, then `--resume`"
BENEATH = "a trial, its supervisor or the process that trials are forked from, killed at random"
OUTCOME = "the same diagnosis; no process left, no file torn"
AGAIN = "no trial run again"


@dataclasses.dataclass(frozen=True)
class Case:
    """A script with its undisturbed diagnosis."""

    name: str
    script: Path
    options: tuple[str, ...]
    quiet: record.Diagnosis
    seconds: float

    @property
    def forks(self) -> bool:
        return self.quiet.cost.forked_trials > 0

    @property
    def roles(self) -> tuple[str, ...]:
        """Of the processes that its diagnosis starts."""
        return roles.ALL if self.forks else roles.ALONE


@dataclasses.dataclass
class Soak:
    """What was hit so far, and how many diagnoses were not as they should be."""

    base: Path
    jobs: int
    generator: random.Random
    hit: int = 0
    diagnoses: int = 0
    failed: int = 0
    counts: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """Kills by the role of what was hit, or of what ran meanwhile."""

    def room(self, case: Case) -> Room:
        self.diagnoses += 1
        folder = self.base / str(self.diagnoses)
        return Room(folder, case.script, self.jobs, case.options)

    def judge(self, case: Case, room: Room, ended: Ended, cells: Sequence[object]) -> None:
        """Print a line of the table; of one that is wrong, the end of what it said too."""
        wrong = faults(case.quiet, ended, self.jobs)
        self.failed += bool(wrong)
        told = (self.diagnoses, case.name, *cells, used(ended.output), "; ".join(wrong) or "none")
        print(row(told), flush=True)
        if wrong:
            print(room.log.read_text(errors="replace")[-2000:], file=sys.stderr)

    def kill_hosts(self, case: Case, wanted: int, beside: str = "") -> None:
        """Raises Failed when too few kills hit a running diagnosis."""
        hit, tried = 0, 0
        while hit < wanted and tried < TRIES * wanted:
            for length in lengths(wanted - hit):
                tried += length
                room = self.room(case)
                ended = disturbed(room, length, case.seconds, self.generator, beside)
                hit += len(ended.kills)
                for kill in ended.kills:
                    self.counts.update(set(kill.beside))
                moments = ", ".join(f"{kill.moment:.1f}" for kill in ended.kills)
                finished = ", ".join(str(len(kill.saved)) for kill in ended.kills)
                self.judge(case, room, ended, (len(ended.kills), moments, finished))
        self.hit += hit
        enough(hit, wanted, f"{case.name}: kills of the host {beside and f'beside a {beside}'}")

    def kill_beneath(self, case: Case, role: str, wanted: int) -> None:
        """Raises Failed when too few kills hit a process of this role."""
        hit, span = 0, case.seconds
        for _ in range(TRIES * wanted):
            if hit == wanted:
                break
            room = self.room(case)
            hurt = room.hurt(self.generator.uniform(0, span), role, self.generator)
            if hurt is None:
                # The machine may be faster now than when the undisturbed one was timed.
                span /= 2
                continue
            ended, moment = hurt
            hit += 1
            self.judge(case, room, ended, (role, f"{moment:.1f}"))
        self.hit += hit
        self.counts[role] += hit
        enough(hit, wanted, f"{case.name}: kills of a {role}")

    def outcome(self, good: str, counts: str) -> str:
        bad = f"FAILED: {self.failed} of {self.diagnoses} diagnoses with faults"
        return f"{bad if self.failed else good}; {counts}"


def enough(hit: int, wanted: int, what: str) -> None:
    if hit < wanted:
        raise Failed(f"{what}: only {hit} of {wanted}")


def lengths(kills: int) -> list[int]:
    """Kills of each diagnosis: half of them alone, the others in chains."""
    chains, rest = divmod(kills // 2, CHAIN)
    return [1] * (kills - kills // 2) + [CHAIN] * chains + [rest] * bool(rest)


def shares(kills: int, count: int) -> list[int]:
    """The kills, shared out as evenly as they can be."""
    each, more = divmod(kills, count)
    return [each + (n < more) for n in range(count)]


def row(cells: Iterable[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def used(output: Path) -> str:
    """Trials that the record lists, of those that were started."""
    started = [path for path in output.glob("trials/t*") if trials.number(path.name)]
    with contextlib.suppress(OSError, record.RecordError):
        listed = record.decode((output / "diagnosis.json").read_bytes()).trials
        return f"{len(listed)} of {len(started)}"
    return f"? of {len(started)}"


def hosts(soak: Soak, cases: Sequence[Case], kills: int) -> str:
    """Kill diagnoses; a line of docs/reliability.md."""
    print(row(("diagnosis", "script", "kills", "at (s)", "finished trials", "used", "faults")))
    print(row(["---"] * 7), flush=True)
    parts = [(case, "") for case in cases]
    parts += [(case, roles.FORKED_TRIAL) for case in cases if case.forks]
    for (case, beside), share in zip(parts, shares(kills, len(parts)), strict=True):
        soak.kill_hosts(case, share, beside)
    counts = soak.counts
    beside = (
        f"while trials ran {counts[roles.TRIAL]}, forked ones {counts[roles.FORKED_TRIAL]}, "
        f"what they are forked from {counts[roles.PARENT]}"
    )
    return row((HOST, soak.hit, soak.outcome(f"{OUTCOME}; {AGAIN}", beside)))


def beneath(soak: Soak, cases: Sequence[Case], kills: int) -> str:
    """Kill what diagnoses have started; a line of docs/reliability.md."""
    print(row(("diagnosis", "script", "killed", "at (s)", "used", "faults")))
    print(row(["---"] * 6), flush=True)
    parts = [(case, role) for case in cases for role in case.roles]
    for (case, role), share in zip(parts, shares(kills, len(parts)), strict=True):
        soak.kill_beneath(case, role, share)
    counts = ", ".join(f"{what} {number}" for what, number in soak.counts.items())
    return row((BENEATH, soak.hit, soak.outcome(OUTCOME, counts)))


def cases(base: Path, chosen: argparse.Namespace) -> list[Case]:
    """Each script, diagnosed in peace. Raises Failed."""
    scripts: list[tuple[Path, tuple[str, ...]]] = [(chosen.script, ())]
    if chosen.small:
        scripts = [(base / "draws.py", SHORT), (base / "forks.py", QUICK)]
        for (path, _), text in zip(scripts, (DRAWS, FORKS), strict=True):
            path.write_text(text)
    found = []
    for script, options in scripts:
        quiet, seconds = quietly(base / f"quiet-{script.stem}", script, chosen.jobs, options)
        found.append(Case(script.stem, script, options, quiet, seconds))
        causes = ", ".join(cause.factor for cause in quiet.causes) or "none"
        print(
            f"{script.name}, undisturbed: {quiet.verdict}, causes {causes}, "
            f"{len(quiet.trials)} trials, {quiet.cost.forked_trials} forked, {seconds:.0f} s"
        )
    if chosen.small and not found[1].forks:
        raise Failed("no trial of forks.py was forked")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("script", nargs="?", type=Path, default=SCRIPT)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="scripts of a second")
    parser.add_argument("--beneath", action="store_true", help="kill what the diagnosis started")
    parser.add_argument("--jobs", type=int, default=2, help="trials side by side")
    chosen = parser.parse_args()
    if not chosen.script.is_file():
        parser.error(f"no such script: {chosen.script}")
    with tempfile.TemporaryDirectory(prefix="killing-") as folder:
        soak = Soak(Path(folder), chosen.jobs, random.Random(chosen.seed))
        try:
            found = cases(soak.base, chosen)
            print(f"seed {chosen.seed}, {chosen.jobs} jobs\n")
            line = (beneath if chosen.beneath else hosts)(soak, found, chosen.kills)
        except Failed as error:
            print(f"FAILED: {error}")
            return 1
    print(f"\n{line}")
    return 1 if soak.failed else 0


if __name__ == "__main__":
    sys.exit(main())
