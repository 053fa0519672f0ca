"""Damaged files, as many as asked for, for every reader; see tests/fuzzing.py.

``python -m tests.benchmarks.fuzzing [--inputs 1000000] [--seed N] [TARGET...]``. The readers run in
processes of their own whose memory is limited, and which are ended when inputs take too long.
Prints a table, and at last a line of the page docs/reliability.md. Exit code 1 at the first input
that is not refused as documented, with what makes it again.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.fuzzing import TARGETS, drawn

SHARES = {"record": 30, "report": 1, "trial": 24, "steps": 20, "snapshots": 10, "plan": 15}
"""Of a hundred inputs, how many each reader gets: by what it takes, and by what it is handed."""
LONGEST = 20.0
"""Seconds that one input may take."""
MEMORY = 512 << 20
"""Bytes that readers may take beyond what the process has when it begins."""
EVERY = 50


def limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def fuzz(name: str, inputs: int, seed: int, first: int = 0) -> None:
    """Try so many inputs. Raises what a reader should not."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="fuzzing-", dir=memory) as folder:
        target = TARGETS[name](Path(folder) / name)
        limit_memory()
        refused, began = 0, time.monotonic()
        for number in range(first, first + inputs):
            if number % EVERY == 0:
                faulthandler.dump_traceback_later(LONGEST * EVERY, exit=True)
            generator = random.Random(f"{seed}/{name}/{number}")
            place, changes = generator.randrange(1000), drawn(generator)
            try:
                refused += target.try_one(place, changes)
            except BaseException:
                again = f"--first {number} --inputs 1 --seed {seed} {name}"
                print(f"{name}: python -m tests.benchmarks.fuzzing {again}", file=sys.stderr)
                raise
        faulthandler.cancel_dump_traceback_later()
        seconds = time.monotonic() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(f"| {name} | {inputs:,} | {refused:,} | {seconds:.0f} s | {peak} MiB |", flush=True)


def child(name: str, inputs: int, seed: int, first: int) -> int:
    """The readers' process."""
    try:
        fuzz(name, inputs, seed, first)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    names = chosen.targets or list(TARGETS)
    if chosen.child:
        return child(names[0], chosen.inputs, chosen.seed, chosen.first)
    whole = sum(SHARES[name] for name in names)
    print("| reader | inputs | refused | took | peak memory |\n| --- | --- | --- | --- | --- |")
    failed, tried = [], 0
    for name in names:
        inputs = max(1, chosen.inputs * SHARES[name] // whole)
        options = [
            "--inputs",
            str(inputs),
            "--seed",
            str(chosen.seed),
            "--first",
            str(chosen.first),
        ]
        command = [sys.executable, "-m", "tests.benchmarks.fuzzing", "--child", *options, name]
        done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False)
        tried += inputs
        failed += [name] if done.returncode else []
    outcome = f"fails: {', '.join(failed)}" if failed else "read, or refused as documented"
    print(f"\n| damaged files of every kind, for their readers | {tried:,} | {outcome} |")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
