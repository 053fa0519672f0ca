"""Records of real diagnoses, kept small, for the pictures in the docs and for tests of the reports.

`python -m tests.benchmarks.screenshots --diagnose` makes them anew.
"""

from __future__ import annotations

from pathlib import Path

from nondet import record

FOLDER = Path(__file__).parent
NAMES = ("one-cause", "three-causes", "unresolved", "reproducible", "broken", "race")


def path(name: str) -> Path:
    return FOLDER / f"{name}.json"


def read(name: str) -> record.Diagnosis:
    return record.decode(path(name).read_bytes())
