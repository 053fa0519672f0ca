"""Kill and resume: a diagnosis killed at random moments ends as the undisturbed one does.

``python -m tests.benchmarks.killing [--kills 20] [--seed N] [--small | SCRIPT]`` diagnoses a probe
once in peace. Then it kills diagnoses of it with SIGKILL, each at a moment drawn from the seed, and
goes on with ``--resume``: half of the kills hit a diagnosis of their own, the others come in
chains, one diagnosis killed again and again. In the end each must have the verdict, causes, pins
and alternatives of the undisturbed one; no finished trial may have been run again; nothing may stay
alive or lie about; and the record must be whole. Exit code 1 when something is not so.

With ``--beneath``, what is killed is one of the processes that the diagnosis has started: a trial,
its supervisor, or the process that trials are forked from. The diagnosis goes on by itself, once
for each kill, and the same must hold.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from nondet import record
from nondet.host import trials
from nondet.host.diagnosing import GROWTH
from tests.benchmarks.probes import PROBES
from tests.command.running import MARK, NONDET, QUICK, marked

SCRIPT = PROBES / "noise_own_layer.py"
CHAIN = 5
"""Kills of one diagnosis that is killed more than once."""
GONE = 20.0
"""Seconds in which all that a killed diagnosis started must be gone."""
TRIES = 3
"""How many times the kills asked for are tried: a moment may come after the end."""

ROLES = {"plan.json": "trial", "supervisor.py": "supervisor", "--parent": "parent"}
"""What is in the command line of each kind of process that a diagnosis starts for trials."""
BENEATH = "a trial, its supervisor or the process that trials are forked from, killed at random"
OUTCOME_BENEATH = "the same diagnosis; no process left, no file torn"
OUTCOME = "the same diagnosis; no trial run again, no process left, no file torn"
DRAWS = """
import random
import time
import nondet
nondet.checkpoint("start", 1)
time.sleep(0.2)
nondet.checkpoint("value", random.random())
"""

FORKS = DRAWS.replace("import nondet", "import torch\nimport nondet")
"""The same with a framework that is imported long enough for trials to be forked."""

Plan = frozenset[tuple[str, record.Arm]]
Saved = Mapping[str, bytes]
"""`trial.json` of each trial that has ended, by the trial's name."""


@dataclasses.dataclass(frozen=True)
class Killed:
    """A kill that hit a running diagnosis."""

    moment: float
    """Seconds after the command was started."""
    saved: Saved
    """What had ended by then."""
    alive: tuple[str, ...]
    """Processes that outlived it."""


@dataclasses.dataclass(frozen=True)
class Ended:
    """A diagnosis that was killed, gone on with, and has ended."""

    kills: tuple[Killed, ...]
    code: int
    output: Path
    alive: tuple[str, ...]
    scratch: tuple[str, ...]
    """What lies in the folder for temporary files when all is over."""


class Failed(Exception):
    """The benchmark can't be carried out."""


# -- running


class Room:
    """A folder with a copy of the script, and one for temporary files."""

    def __init__(self, base: Path, script: Path, jobs: int, options: Sequence[str] = ()) -> None:
        self.project, self.temporary = base / "project", base / "tmp"
        self.project.mkdir(parents=True)
        self.temporary.mkdir()
        self.script = Path(shutil.copy(script, self.project)).name
        self.output = self.project / "nondet-report"
        self.log = base / "nondet.log"
        self.options = ["--jobs", str(jobs), *options]
        self.mark = uuid.uuid4().hex

    @contextlib.contextmanager
    def started(self, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """``nondet diagnose`` of the script, running; whatever is left of it is killed."""
        shown = {"TMPDIR": str(self.temporary), MARK: self.mark, "TF_CPP_MIN_LOG_LEVEL": "3"}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [NONDET, "diagnose", *self.options, *options, self.script],
                cwd=self.project,
                env=os.environ | shown,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            try:
                yield process
            finally:
                for survivor in marked(self.mark):
                    with contextlib.suppress(psutil.Error):
                        survivor.kill()
                process.wait()

    def saved(self) -> dict[str, bytes]:
        paths = self.output.glob("trials/*/trial.json")
        return {path.parent.name: path.read_bytes() for path in sorted(paths)}

    def alive(self) -> tuple[str, ...]:
        """Processes still there after the time in which they must be gone."""
        deadline = time.monotonic() + GONE
        while (found := marked(self.mark)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return tuple(f"{p.pid} {named(p)}" for p in found)

    def kill(self, moment: float, *options: str) -> Killed | None:
        """Kill a diagnosis at that moment; None when it had ended before."""
        with self.started(*options) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(moment)
                return None
            process.kill()
            process.wait()
            alive = self.alive()
            return Killed(moment, self.saved(), alive)

    def hurt(self, moment: float, generator: random.Random) -> tuple[Ended, str] | None:
        """Kill something that the diagnosis has started, at that moment or soon after, and let it
        go on; and what was killed. None when it had ended before."""
        with self.started() as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(moment)
                return None
            victim = ""
            while not victim and process.poll() is None:
                beneath = [(role(p), p.pid, p) for p in marked(self.mark)]
                roles = sorted({what for what, _, _ in beneath if what})
                if roles:
                    what = generator.choice(roles)
                    chosen = generator.choice(sorted(one for one in beneath if one[0] == what))[2]
                    with contextlib.suppress(psutil.Error):
                        chosen.kill()
                        victim = what
                else:
                    time.sleep(0.01)
            if not victim:
                return None
            code = process.wait()
            alive = self.alive()
        left = tuple(sorted(path.name for path in self.temporary.iterdir()))
        return Ended((), code, self.output, alive, left), victim

    def end(self, kills: Sequence[Killed], *options: str) -> Ended:
        """Let it go on to its end."""
        with self.started(*options) as process:
            code = process.wait()
            alive = self.alive()
        left = tuple(sorted(path.name for path in self.temporary.iterdir()))
        return Ended(tuple(kills), code, self.output, alive, left)


def named(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:120]
    except psutil.Error:
        return "?"


def role(process: psutil.Process) -> str:
    """What a process of a diagnosis is for; empty for what is none of the trials', such as that
    which asks the interpreter about itself before any."""
    with contextlib.suppress(psutil.Error):
        command = " ".join(process.cmdline())
        for part, what in ROLES.items():
            if part in command:
                return what
    return ""


def lengths(kills: int) -> list[int]:
    """Kills of each diagnosis: half of them alone, the others in chains."""
    chains, rest = divmod(kills // 2, CHAIN)
    return [1] * (kills - kills // 2) + [CHAIN] * chains + [rest] * bool(rest)


# -- what must hold


def faults(quiet: record.Diagnosis, ended: Ended, jobs: int) -> list[str]:
    """What is not as it should be; empty when all is right."""
    found = [f"a kill left {', '.join(k.alive)} alive" for k in ended.kills if k.alive]
    found += [f"{', '.join(ended.alive)} alive at the end"] if ended.alive else []
    found += [f"temporary files left: {', '.join(ended.scratch)}"] if ended.scratch else []
    try:
        last = record.decode((ended.output / "diagnosis.json").read_bytes())
    except (OSError, record.RecordError) as error:
        return [*found, f"exit code {ended.code}, and no record: {error}"]
    if ended.code != record.EXIT_CODES[last.verdict]:
        found.append(f"exit code {ended.code} for the verdict {last.verdict}")
    found += unlike(quiet, last)
    found += torn(last, ended.output)
    for kill in ended.kills:
        found += lost(kill.saved, last, ended.output)
    found += repeated(quiet, last, ended, jobs)
    return found


def unlike(quiet: record.Diagnosis, last: record.Diagnosis) -> list[str]:
    """What the diagnosis says otherwise than the undisturbed one."""
    return [
        f"{what}: {two}, undisturbed: {one}"
        for (what, one), (_, two) in zip(told(quiet), told(last), strict=True)
        if one != two
    ]


def told(diagnosis: record.Diagnosis) -> list[tuple[str, Any]]:
    """What a diagnosis says of the script, whatever the order in which it was found."""
    prescription = diagnosis.prescription
    return [
        ("verdict", diagnosis.verdict),
        ("causes", sorted((cause.factor, cause.pin) for cause in diagnosis.causes)),
        ("pins", sorted(prescription.pins) if prescription else None),
        ("verified", prescription.verified if prescription else None),
        ("alternatives", sorted(sorted(names) for names in diagnosis.alternatives)),
        ("interrupted", diagnosis.interrupted),
    ]


def torn(last: record.Diagnosis, output: Path) -> list[str]:
    """What is missing in the record, or beside it."""
    ids = [trial.id for trial in last.trials]
    found = [
        f"trial {name} is listed twice" for name, n in collections.Counter(ids).items() if n > 1
    ]
    if last.cost.trials != len(ids):
        found.append(f"{last.cost.trials} trials are counted and {len(ids)} listed")
    cited = {name for asked in last.questions for name in asked.trials}
    cited |= {name for cause in last.causes for name in (*cause.trials, *cause.agreeing)}
    cited |= set(last.prescription.verified_trials if last.prescription else ())
    found += [f"trial {name} is named and not listed" for name in sorted(cited - set(ids))]
    # One that was killed or stopped before its guest could say a word has no events.
    short = ("killed", "crashed", "stopped-early")
    unheard = {t.id for t in last.trials if t.outcome in short and not t.checkpoints}
    files = ("plan.json", "events.jsonl", "trial.json", "stdout.log", "stderr.log")
    found += [
        f"{name}/{file} is missing"
        for name in ids
        for file in files
        if not (output / "trials" / name / file).exists()
        and not (file == "events.jsonl" and name in unheard)
    ]
    found += ["report.html is missing"] if not (output / "report.html").exists() else []
    found += ["the tensor values are still there"] if (output / "values").exists() else []
    return found


def lost(saved: Saved, last: record.Diagnosis, output: Path) -> list[str]:
    """Trials that had run to their end when it was killed, and were changed or are not used."""
    listed = {trial.id for trial in last.trials}
    found = []
    for name, data in saved.items():
        path = output / "trials" / name / "trial.json"
        if not path.exists() or path.read_bytes() != data:
            found.append(f"trial {name} had ended, and its file is another now")
        if json.loads(data)["outcome"] == "completed" and name not in listed:
            found.append(f"trial {name} had run to its end, and is not used")
    return found


def repeated(quiet: record.Diagnosis, last: record.Diagnosis, ended: Ended, jobs: int) -> list[str]:
    """Plans of which more trials were run than the undisturbed diagnosis took, though some of them
    had been finished. Trials side by side may come too late to be needed; where trials write files,
    each session must have one that leaves some. A pair that shows how the difference grows is only
    run where the first was stopped before its end, so these don't count."""
    kept = {name for kill in ended.kills for name in kill.saved}
    wrote = any(json.loads(data)["wrote"] for kill in ended.kills for data in kill.saved.values())
    slack = jobs - 1 + (len(ended.kills) if wrote else 0)
    needed, had, now = count(quiet.trials), count(last.trials, kept), count(last.trials)
    return [
        f"{now[plan]} trials with {arms(plan)}, of which {had[plan]} were finished before; "
        f"undisturbed: {needed[plan]}"
        for plan in now
        if plan in needed and had[plan] and now[plan] > needed[plan] + slack
    ]


def count(
    listed: Iterable[record.Trial], among: Iterable[str] | None = None
) -> collections.Counter[Plan]:
    """Trials of each plan, or those of them with these names; without those that only show how a
    difference grows."""
    names = None if among is None else set(among)
    return collections.Counter(
        frozenset((name, arm) for name, arm in trial.plan.items() if arm != "free")
        for trial in listed
        if (names is None or trial.id in names) and trial.question != GROWTH
    )


def arms(plan: Plan) -> str:
    return ", ".join(sorted(f"{name} {arm}" for name, arm in plan)) or "nothing pinned"


# -- all of it


def quietly(
    base: Path, script: Path, jobs: int, options: Sequence[str] = ()
) -> tuple[record.Diagnosis, float]:
    """The undisturbed diagnosis, and how long it took. Raises Failed."""
    began = time.monotonic()
    room = Room(base, script, jobs, options)
    ended = room.end(())
    seconds = time.monotonic() - began
    try:
        return record.decode((ended.output / "diagnosis.json").read_bytes()), seconds
    except OSError as error:
        raise Failed(f"exit code {ended.code}:\n{room.log.read_text(errors='replace')}") from error


def disturbed(
    base: Path,
    script: Path,
    jobs: int,
    kills: int,
    seconds: float,
    generator: random.Random,
    options: Sequence[str] = (),
) -> Ended:
    """One diagnosis, killed so many times at most. The moments of a chain share twice the time that
    the undisturbed one took: on the way it gets on, and its later kills hit as well."""
    room = Room(base, script, jobs, options)
    done: list[Killed] = []
    for _ in range(kills):
        again = ("--resume",) if done else ()
        killed = room.kill(generator.uniform(0, seconds / max(1, kills / 2)), *again)
        if killed is None:
            break
        done.append(killed)
    return room.end(done, "--resume")


def beneath(
    base: Path,
    script: Path,
    chosen: argparse.Namespace,
    seconds: float,
    quiet: record.Diagnosis,
    options: Sequence[str],
) -> int:
    """As many diagnoses as kills, each hurt once; the number of those with faults. Raises Failed
    when too few could be hit."""
    generator = random.Random(chosen.seed)
    print(row(("diagnosis", "killed", "at (s)", "trials used", "faults")))
    print(row(["---"] * 5), flush=True)
    hit = failed = 0
    for number in range(1, TRIES * chosen.kills + 1):
        moment = generator.uniform(0, seconds)
        hurt = Room(base / str(number), script, chosen.jobs, options).hurt(moment, generator)
        if hurt is None:
            continue
        ended, victim = hurt
        wrong = faults(quiet, ended, chosen.jobs)
        if wrong:
            print((base / str(number) / "nondet.log").read_text(errors="replace")[-2000:])
        hit, failed = hit + 1, failed + bool(wrong)
        used = trials_of(ended.output)
        print(row((number, victim, f"{moment:.1f}", used, "; ".join(wrong) or "none")), flush=True)
        if hit == chosen.kills:
            outcome = f"{failed} diagnoses with faults" if failed else OUTCOME_BENEATH
            print(f"\n| {BENEATH} | {hit} | {outcome} |")
            return failed
    raise Failed(f"only {hit} of {chosen.kills} kills hit a running diagnosis")


def row(cells: Iterable[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def told_of(number: int, ended: Ended, wrong: Sequence[str]) -> str:
    """A diagnosis as a line of the table."""
    final = trials_of(ended.output)
    moments = ", ".join(f"{kill.moment:.1f}" for kill in ended.kills)
    finished = ", ".join(str(len(kill.saved)) for kill in ended.kills)
    return row((number, len(ended.kills), moments, finished, final, "; ".join(wrong) or "none"))


def trials_of(output: Path) -> str:
    """Trials that the record lists, of those that were started."""
    started = [path for path in output.glob("trials/t*") if trials.number(path.name)]
    with contextlib.suppress(OSError, record.RecordError):
        listed = record.decode((output / "diagnosis.json").read_bytes()).trials
        return f"{len(listed)} of {len(started)}"
    return f"? of {len(started)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("script", nargs="?", type=Path, default=SCRIPT)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="a script of a second")
    parser.add_argument("--beneath", action="store_true", help="kill what the diagnosis started")
    parser.add_argument("--jobs", type=int, default=2, help="trials side by side")
    chosen = parser.parse_args()
    if not chosen.script.is_file():
        parser.error(f"no such script: {chosen.script}")
    generator = random.Random(chosen.seed)
    with tempfile.TemporaryDirectory(prefix="killing-") as folder:
        base, script = Path(folder), chosen.script
        options: tuple[str, ...] = ()
        if chosen.small:
            script, options = base / "draws.py", QUICK
            script.write_text(FORKS if chosen.beneath else DRAWS)
        quiet, seconds = quietly(base / "quiet", script, chosen.jobs, options)
        causes = ", ".join(cause.factor for cause in quiet.causes) or "none"
        print(
            f"{script.name}, undisturbed: {quiet.verdict}, causes {causes}, "
            f"{len(quiet.trials)} trials, {seconds:.0f} s; seed {chosen.seed}, {chosen.jobs} jobs\n"
        )
        if chosen.beneath:
            failed = beneath(base, script, chosen, seconds, quiet, options)
            return 1 if failed else 0
        print(row(("diagnosis", "kills", "at (s)", "finished trials", "trials used", "faults")))
        print(row(["---"] * 6), flush=True)
        hit, number, failed = 0, 0, 0
        while hit < chosen.kills and number < TRIES * chosen.kills:
            for length in lengths(chosen.kills - hit):
                number += 1
                room = base / str(number)
                ended = disturbed(room, script, chosen.jobs, length, seconds, generator, options)
                wrong = faults(quiet, ended, chosen.jobs)
                hit, failed = hit + len(ended.kills), failed + bool(wrong)
                print(told_of(number, ended, wrong), flush=True)
        print(f"\n{hit} kills in {number} diagnoses; {failed} of them with faults")
    outcome = f"{failed} diagnoses with faults" if failed else OUTCOME
    print(f"| SIGKILL of a diagnosis at a random moment, then `--resume` | {hit} | {outcome} |")
    return 1 if failed or hit < chosen.kills else 0


if __name__ == "__main__":
    sys.exit(main())
