"""The ordinary suite, and how long it takes: ``python -m tests.benchmarks.suite``.

Runs the tests as ``sh .ci/do test`` does, and prints a line of the page docs/reliability.md. Exit
code 1 when one fails, or when it takes longer than the quarter of an hour that is promised for two
cores.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = "the ordinary suite of tests"
GOOD = "all pass or are skipped"
LONGEST = 15.0
"""Minutes."""
CORES = 2


def line(cases: list[ElementTree.Element], code: int, minutes: float, cores: int) -> str:
    """The row of the page; `code`: that with which pytest ended."""
    skipped = sum(case.find("skipped") is not None for case in cases)
    outcome = GOOD if code == 0 else f"FAILED: pytest ended with {code}"
    if minutes > LONGEST and cores <= CORES:
        outcome = f"FAILED: longer than {LONGEST:g} minutes"
    took = f"{minutes:.1f} minutes on {cores} cores"
    return f"| {TEXT} | {len(cases) - skipped:,} | {outcome}; {took}, {skipped} skipped |"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="suite-") as folder:
        path = Path(folder) / "tests.xml"
        workers = ["-n", "2", "--dist", "loadgroup", "--max-worker-restart", "0"]
        options = ["-q", *workers, "-m", "not long", f"--junit-xml={path}"]
        command = [sys.executable, "-m", "pytest", *options]
        began = time.monotonic()
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        minutes = (time.monotonic() - began) / 60
        cases = list(ElementTree.parse(path).iter("testcase")) if path.exists() else []  # noqa: S314
    row = line(cases, code, minutes, len(os.sched_getaffinity(0)))
    print(row)
    return 1 if "FAILED" in row else 0


if __name__ == "__main__":
    sys.exit(main())
