"""Plants a difference in each phase of training, on each backend, and sees whether it is named.

``python -m tests.benchmarks.places`` runs probes/places through the installed command and writes
docs/places.md; ``--keep FOLDER`` keeps the diagnoses, and finished ones stay.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from nondet import record
from nondet.host import shipped
from nondet.host.shipped import Probe
from tests.benchmarks import probes
from tests.benchmarks.probes import CommandFailed

PLACES = probes.PROBES / "places"
TABLE = probes.ROOT / "docs" / "places.md"
BACKENDS = ("tensorflow", "jax", "torch")


def all_places() -> list[Probe]:
    return [shipped.read(path) for path in sorted(PLACES.glob("*.py"))]


def found(diagnosis: record.Diagnosis) -> list[str]:
    """What was first to differ, as a probe's first line says it: phase and path."""
    divergence = diagnosis.first_divergence
    if divergence is not None and divergence.kind == "initial-weights":
        return [f"initial-weights {divergence.tensor}"]
    firsts = [first.moment for zoom in diagnosis.zooms for first in zoom.firsts]
    return [f"{m.phase} {f'{m.layer}/' if m.layer else ''}{m.tensor}" for m in firsts]


def wrong(probe: Probe, diagnosis: record.Diagnosis) -> list[str]:
    """What differs from the promise of the first line; empty when all is right."""
    faults = probes.wrong(probe, diagnosis)
    named = found(diagnosis)
    phase, _, path = probe.place.partition(" ")
    right = [
        n
        for n in named
        if n.startswith(f"{phase} ") and f"/{n[len(phase) + 1 :]}".endswith(f"/{path}")
    ]
    if len(named) != 1 or named != right:
        faults.append(f"first to differ: {named}, expected {probe.place}")
    return faults


def row(probe: Probe, backend: str, diagnosis: record.Diagnosis) -> str:
    """A line of the table."""
    zoom = next(iter(diagnosis.zooms), None)
    pairs = f"{zoom.firsts[0].pairs} of {zoom.pairs}" if zoom and zoom.firsts else ""
    step = str(zoom.step) if zoom and zoom.step else ""
    mode = zoom.mode if zoom else ""
    cells = [probe.what, backend, "; ".join(found(diagnosis)), step, pairs, mode]
    return probes.line([*cells, *probes.cost(diagnosis)])


def page(rows: Iterable[str]) -> str:
    """The whole of docs/places.md."""
    return (
        "# Places\n\n"
        "Small programs (probes/places) with a difference planted in one phase of training: what\n"
        "the report names as the first tensor that differs, on each backend. Made by\n"
        "`python -m tests.benchmarks.places`, which runs each through the installed command and\n"
        "fails when another place is named than the planted one.\n\n"
        "*Pairs* tells in how many of the pairs of trials that parted it was the first. The last\n"
        "columns are as in [probes](probes.md).\n\n"
        "| planted | backend | first to differ | step | pairs | mode "
        "| trials | time | ratio | runs |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="folder for the diagnoses; finished ones stay")
    keep = parser.parse_args().keep or Path(tempfile.mkdtemp(prefix="places-"))
    rows, failed = [], False
    for probe in all_places():
        for backend in BACKENDS:
            output = keep / f"{probe.name}-{backend}"
            try:
                diagnosis = probes.kept(probe, output) or probes.diagnose(
                    probe, output, {"KERAS_BACKEND": backend}
                )
                faults = wrong(probe, diagnosis)
                rows.append(row(probe, backend, diagnosis))
            except (CommandFailed, record.RecordError) as error:
                faults = [str(error)]
            failed |= bool(faults)
            told = {"probe": probe.name, "backend": backend, "wrong": faults}
            print(json.dumps(told), flush=True)
    if not failed:
        TABLE.write_text(page(rows), encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
