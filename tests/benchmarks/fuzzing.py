"""Damaged files, as many as asked for, for every reader; see tests/fuzzing.py.

``python -m tests.benchmarks.fuzzing [--inputs 1000000] [--seed N] [TARGET...]``. The readers run in
processes of their own whose memory is limited, and which are ended at an input that takes too long.
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

from tests.damage import drawn
from tests.fuzzing import TARGETS

SHARES = {
    **{"record": 25, "report": 3, "trial": 23, "steps": 19, "snapshots": 9, "plan": 10},
    **{"repetition": 3, "repetition-shown": 2, "probing": 2, "probing-shown": 1, "recorded": 3},
}
"""Of a hundred inputs, how many each reader gets: by what it takes, and by what it is handed."""
LONGEST = 20.0
"""Seconds that one input may take."""
MEMORY = 512 << 20
"""Bytes that readers may take beyond what the process has when it begins."""


def limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def fuzz(name: str, inputs: int, seed: int, first: int, progress: int) -> None:
    """Try so many inputs. Raises what a reader should not; one that takes too long ends it all.

    `progress`: a file that is told each input's number before it is tried.
    """
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="fuzzing-", dir=memory) as folder:
        tempfile.tempdir = folder  # where archives are unpacked
        target = TARGETS[name](Path(folder) / name)
        limit_memory()
        refused, began = 0, time.monotonic()
        for number in range(first, first + inputs):
            os.pwrite(progress, b"%20d" % number, 0)
            faulthandler.dump_traceback_later(LONGEST, exit=True)
            generator = random.Random(f"{seed}/{name}/{number}")
            place, changes = generator.randrange(1000), drawn(generator)
            refused += target.try_one(place, changes)
        faulthandler.cancel_dump_traceback_later()
        target.check()
        seconds = time.monotonic() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(f"| {name} | {inputs:,} | {refused:,} | {seconds:.0f} s | {peak} MiB |", flush=True)


def child(name: str, inputs: int, seed: int, first: int, progress: int) -> int:
    """The readers' process."""
    try:
        fuzz(name, inputs, seed, first, progress)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def tried_out(name: str, inputs: int, seed: int, first: int) -> bool:
    """Whether all went well; else what makes the input again that did not is told."""
    with tempfile.TemporaryFile() as progress:
        handle = progress.fileno()
        given = {"--inputs": inputs, "--seed": seed, "--first": first, "--child": handle}
        options = [str(part) for pair in given.items() for part in pair]
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.fuzzing", *options, name],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            pass_fds=[handle],
            check=False,
        )
        if done.returncode:
            number = os.pread(handle, 20, 0).decode().strip() or str(first)
            again = f"--first {number} --inputs 1 --seed {seed} {name}"
            print(f"{name}: python -m tests.benchmarks.fuzzing {again}", file=sys.stderr)
        return not done.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    names = chosen.targets or list(TARGETS)
    if chosen.child is not None:
        return child(names[0], chosen.inputs, chosen.seed, chosen.first, chosen.child)
    whole = sum(SHARES[name] for name in names)
    print("| reader | inputs | refused | took | peak memory |\n| --- | --- | --- | --- | --- |")
    failed, tried = [], 0
    for name in names:
        inputs = max(1, chosen.inputs * SHARES[name] // whole)
        if not tried_out(name, inputs, chosen.seed, chosen.first):
            failed.append(name)
        tried += inputs
    outcome = f"fails: {', '.join(failed)}" if failed else "read, or refused as documented"
    print(f"\n| damaged files of every kind, for their readers | {tried:,} | {outcome} |")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
