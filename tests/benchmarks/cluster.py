"""A diagnosis of about fifty trials, here and over three workers of dask, one of which is killed:
``sh .ci/do cluster``. The figures go into docs/cluster.md.

Scheduler and workers run on this machine, over TCP. The workers share its cores with one another,
so that the ratio shows what spreading costs, and not what it gains.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

from nondet import record
from tests.command.clustering import Cluster, alive, below, cluster, held_up
from tests.command.running import Project, Ran, marked

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "cluster.md"
BEGIN, END = "<!-- figures -->", "<!-- end of the figures -->"
WORKERS = 3
RATE = 0.127
"""Smallest rate not to be missed: 23 agreeing trials, and as many of the patched script."""
SCRIPT = """
import random
import nondet


def draw():
    return [random.random() for _ in range(8)]


weights = draw()
for epoch in range(4):
    for step in range(60_000):
        weights = [w + 1e-6 * (0.5 - w) * (1 + i) for i, w in enumerate(weights)]
    nondet.checkpoint("weights", weights)
"""


class Folder(Project):
    """A project whose commands may take their time."""

    def diagnosed(self, *options: str) -> tuple[Ran, float]:
        began = time.monotonic()
        with self.started("--quiet", "--rate", str(RATE), *options, "train.py") as process:
            out, err = process.communicate()
        return Ran(process.returncode, out, err, self.output), time.monotonic() - began


@dataclasses.dataclass
class Spread:
    """What became of the diagnosis over the workers."""

    ran: Ran
    seconds: float
    orphans: int
    """Processes that were left when the diagnosis had ended, and when the worker was killed."""


def said(diagnosis: record.Diagnosis) -> tuple[object, ...]:
    """What a diagnosis says, whatever the numbers of its trials."""
    causes = [(cause.factor, [s.place for s in cause.sites]) for cause in diagnosis.causes]
    fix = diagnosis.prescription
    told = fix and (fix.snippet, fix.patch, fix.verified, fix.patch_verified)
    sure = diagnosis.confidence and diagnosis.confidence.divergence_probability_bound
    return diagnosis.verdict, causes, diagnosis.alternatives, told, sure


def spread(folder: Path, project: Folder) -> Spread:
    """The diagnosis over the workers; one is killed when a third of its trials have ended."""
    with cluster(folder, WORKERS) as dask:
        left = [0]

        def kill() -> None:
            while len(project.trial_files()) < 16:
                time.sleep(0.1)
            while (found := held_up(dask.processes, project.output, "python-random")) is None:
                pass
            victim, _ = found
            family = below(victim)
            victim.kill()
            deadline = time.monotonic() + 20
            while alive(family) and time.monotonic() < deadline:
                time.sleep(0.1)
            left[0] = len(alive(family))

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        ran, seconds = project.diagnosed("--executor", dask.address)
        killer.join(30)
        orphans = left[0] + len(marked(project.mark)) + attendants(dask)
    return Spread(ran, seconds, orphans)


def attendants(dask: Cluster) -> int:
    """Processes that workers still have below them."""
    return sum(len(alive(below(worker))) for worker in dask.processes)


def table(local: record.Diagnosis, seconds: float, there: Spread) -> str:
    found = there.ran.diagnosis
    lost = [trial.id for trial in found.trials if trial.outcome == "killed"]
    rows = [
        ("Verdict and causes", "the same" if said(local) == said(found) else "NOT the same"),
        ("Trials, here", str(local.cost.trials)),
        (
            f"Trials, over {WORKERS} workers",
            f"{found.cost.trials}, of which {', '.join(lost)} was lost with its worker and counts "
            "for nothing",
        ),
        ("Time, here", f"{seconds:.0f} s"),
        (f"Time, over {WORKERS} workers", f"{there.seconds:.0f} s"),
        ("Ratio of the times", f"{there.seconds / seconds:.2f}"),
        ("Processes left behind", str(there.orphans)),
    ]
    lines = ["| what | figure |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in rows)]
    where = f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, no GPU"
    lines += ["", f"{where}; one run takes {local.cost.single_run_seconds:.1f} s here."]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--print", action="store_true", help="leave the page as it is")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cluster-") as name:
        folder = Path(name)
        here, there = Folder(folder / "here"), Folder(folder / "there")
        for project in (here, there):
            project.write(SCRIPT)
        ran, seconds = here.diagnosed()
        result = spread(folder / "dask", there)
        for one in (ran, result.ran):
            if one.code != 1:
                sys.stderr.write(one.err)
                return 1
        text = table(ran.diagnosis, seconds, result)
        same = said(ran.diagnosis) == said(result.ran.diagnosis)
    print(text)
    if not chosen.print:
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", "utf-8")
    return 0 if same and not result.orphans else 1


if __name__ == "__main__":
    sys.exit(main())
