"""Measures what grows with what, and writes docs/scaling.md.

``python -m tests.benchmarks.scaling [--results FILE] [AXIS...]``. Each size is measured in a
process of its own. The page is written when all axes are measured; with some alone their tables are
printed. What is in FILE is not measured again, and what is measured is kept there. Takes some ten
minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.scaling.axes import AXES, Axis, told
from tests.benchmarks.scaling.page import page, table

PAGE = Path(__file__).resolve().parents[3] / "docs" / "scaling.md"


def measured(axis: Axis, known: dict[str, dict[str, float]]) -> dict[int, dict[str, float]]:
    """By size; `known`, by axis and size, is used and grows."""
    for size in axis.sizes:
        if f"{axis.name} {size}" in known:
            continue
        command = [sys.executable, "-m", "tests.benchmarks.scaling", axis.name, "--size", str(size)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        known[f"{axis.name} {size}"] = json.loads(done.stdout)
        print(f"{axis.name} {size}: {done.stdout.strip()}", file=sys.stderr, flush=True)
    return {size: known[f"{axis.name} {size}"] for size in axis.sizes}


def main() -> int:
    names = ", ".join(axis.name for axis in AXES)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("axes", nargs="*", metavar="AXIS", help=names)
    parser.add_argument("--results", type=Path, metavar="FILE")
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if unknown := set(chosen.axes) - {axis.name for axis in AXES}:
        parser.error(f"no axis {', '.join(sorted(unknown))}: there are {names}")
    if chosen.size:
        print(told(chosen.axes[0], chosen.size))
        return 0
    wanted = [axis for axis in AXES if not chosen.axes or axis.name in chosen.axes]
    known = {}
    if chosen.results is not None and chosen.results.exists():
        known = json.loads(chosen.results.read_text(encoding="utf-8"))
    every = {axis.name: measured(axis, known) for axis in wanted}
    if chosen.results is not None:
        chosen.results.write_text(json.dumps(known, indent=1), encoding="utf-8")
    if chosen.axes:
        print("\n".join(table(axis, every[axis.name]) for axis in wanted))
    else:
        PAGE.write_text(page(every), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
