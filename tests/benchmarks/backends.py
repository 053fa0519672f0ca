"""Runs the probes with Keras on JAX and on PyTorch: ``python -m tests.benchmarks.backends``.

Writes docs/backends.md, with what ``tests.benchmarks.probes`` has found on TensorFlow beside it.
Names as arguments run those alone and write nothing. Finished diagnoses are kept in ``--keep
FOLDER``, those on TensorFlow as ``tests.benchmarks.probes`` keeps them, the others in a folder for
each backend: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nondet.host import gpus
from nondet.host.shipped import Probe, all_probes
from tests.benchmarks import ports
from tests.benchmarks.patches import patched
from tests.benchmarks.probes import (
    ROOT,
    Result,
    examine,
    installed,
    judged,
    kept,
    line,
    missing,
    named_marks,
    provoked,
)

TABLE = ROOT / "docs" / "backends.md"
Cells = Mapping[str, Result]
"""What became of a probe on each backend."""


def examined(
    probe: Probe,
    backend: str,
    keep: Path,
    has_gpu: bool,
    run: bool,
    more: Sequence[str] = (),
) -> Result:
    """A probe's diagnosis on a backend: the kept one, or with `run` a new one. `more`: options."""
    port = ports.port(probe, backend)
    if port.absent:
        return Result(probe, reason=f"— ({port.absent})")
    if reason := missing(probe, has_gpu):
        return Result(probe, reason=f"not run: {reason}")
    if backend == "tensorflow":
        return judged(probe, kept(probe, keep / probe.name))
    if run and not installed(backend):
        return Result(probe, reason=f"not run: needs {backend}")
    folder = keep / backend
    there = ports.written(probe, port.text, folder / "scripts")
    output = folder / probe.name
    if not run:
        return judged(there, kept(there, output))
    return examine(there, output, has_gpu, more, environ={"KERAS_BACKEND": backend})


# -- the page


def told(result: Result) -> str:
    """A cell: what was found, where, in how many trials, and whether the patch holds."""
    probe, diagnosis = result.probe, result.diagnosis
    if diagnosis is None:
        return result.reason.removesuffix(" on this state yet")
    names = [with_marks(result, cause.factor) for cause in diagnosis.causes]
    found = ", ".join(names) or diagnosis.verdict
    if probe.stress:
        found += f"; under stress: {', '.join(sorted(provoked(diagnosis))) or 'none'}"
    cells = [found, f"{diagnosis.cost.trials} trials"]
    patch = patched(probe.name, diagnosis)
    if patch is not None and patch.repeats:
        cells.append("patch holds")
    if result.faults:
        cells.append(f"**wrong**: {'; '.join(result.faults)}")
    return "; ".join(cells)


def with_marks(result: Result, factor: str) -> str:
    """A cause with the marked lines that are named."""
    assert result.diagnosis is not None
    lines = named_marks(result.probe, result.diagnosis, factor)
    return f"{factor} ({', '.join(map(str, lines))})" if lines else factor


def row(probe: Probe, cells: Cells) -> str:
    return line([probe.name, *(told(cells[backend]) for backend in ports.BACKENDS)])


def counted(every: Iterable[Cells], backend: str) -> str:
    """How many were run on a backend, and how many of these say what was planted."""
    ran = [cells[backend] for cells in every if cells[backend].diagnosis is not None]
    right = sum(not result.faults for result in ran)
    return f"on {ports.TITLES[backend]} {right} of {len(ran)} programs"


def page(table: Sequence[tuple[Probe, Cells]]) -> str:
    """The whole of docs/backends.md."""
    every = [cells for _, cells in table]
    counts = "\n- ".join(counted(every, backend) for backend in ports.BACKENDS)
    return INTRODUCTION.format(counts=counts) + "\n".join(row(*entry) for entry in table) + "\n"


INTRODUCTION = """\
# The probes on each backend

Keras 3 runs on TensorFlow, JAX and PyTorch. These are [the probes](probes.md), programs with a
planted source each, run on all three through the installed command. Made by
`python -m tests.benchmarks.backends`. Right, with every line that stands behind a source, are

- {counts}.

Others need a GPU, which was not at hand, or are none there. Diagnoses that were kept may be of an
earlier state.

What is the same program on another backend is run there with `KERAS_BACKEND` set. A line that seeds
TensorFlow seeds PyTorch there, and JAX has nothing to seed. Some sources are others on another
backend:

- `fit` permutes arrays by TensorFlow's generator on TensorFlow, by NumPy's on JAX, and by PyTorch's
  on PyTorch.
- A `Dropout` without a seed draws its masks from a seed generator of Keras', which begins with a
  number of Python's `random`, and on PyTorch from PyTorch's own generator.
- An embedding's update adds up in the order in which threads finish on TensorFlow alone.

A dash stands where there is no such program, with the reason. A number in brackets is the line that
is named, and *patch holds* says that the patched script repeats.

| probe | TensorFlow | JAX | PyTorch |
| --- | --- | --- | --- |
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="probes to run; all when none is named")
    parser.add_argument("--keep", type=Path, help="folder for the diagnoses; finished ones stay")
    parser.add_argument(
        "--kept", action="store_true", help="run nothing: write the table of what --keep holds"
    )
    parser.add_argument(
        "--backends",
        default=",".join(ports.OTHERS),
        help="those to run on, of jax and torch (default: both)",
    )
    parser.add_argument("--no-zoom", action="store_true", help="look inside no steps")
    chosen = parser.parse_args()
    more = ("--no-zoom",) if chosen.no_zoom else ()
    backends = chosen.backends.split(",")
    if unknown := set(backends) - set(ports.OTHERS):
        parser.error(f"no such backend: {', '.join(sorted(unknown))}")
    probes = all_probes()
    if unknown := set(chosen.names) - {probe.name for probe in probes}:
        parser.error(f"no such probe: {', '.join(sorted(unknown))}")
    keep = chosen.keep or Path(tempfile.mkdtemp(prefix="backends-"))
    has_gpu = bool(gpus.found().devices)
    # In the order in which they are named: the first are those that matter most.
    by_name = {probe.name: probe for probe in probes}
    wanted = [by_name[name] for name in chosen.names] or probes
    results = []
    for probe in wanted:
        for backend in backends:
            result = examined(probe, backend, keep, has_gpu, not chosen.kept, more)
            results.append(result)
            if result.faults or (result.diagnosis is not None and not chosen.kept):
                report = {"probe": probe.name, "backend": backend, "wrong": result.faults}
                print(json.dumps(report), told(result), flush=True)
    if not chosen.names:
        every = [
            (p, {b: examined(p, b, keep, has_gpu, False) for b in ports.BACKENDS}) for p in probes
        ]
        TABLE.write_text(page(every), encoding="utf-8")
    return 1 if any(result.faults for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
