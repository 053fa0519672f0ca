"""Runs probes through the installed command and compares what it says with what was planted.

``python -m tests.benchmarks.probes`` runs all of them and writes docs/probes.md and
docs/patches.md; names as arguments run those alone and write nothing. Finished diagnoses are kept
in ``--keep FOLDER``.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nondet import record
from nondet.guest.factors import by_name
from nondet.host import gpus
from nondet.host.shipped import Probe, all_probes
from tests.benchmarks import patches

ROOT = Path(__file__).resolve().parent.parent.parent
PROBES = ROOT / "probes"
MIXED = PROBES / "mixed"
TABLE = ROOT / "docs" / "probes.md"
MODULES = {"scikit-learn": "sklearn", "xgboost-cpu": "xgboost"}
LONGEST = 3600.0
"""Seconds after which a diagnosis hangs: on a busy machine some take a quarter of an hour."""
REFUSED = "op-determinism"
"""The factor whose mark names a line that deterministic mode refuses, where it is no cause."""


def missing(probe: Probe, has_gpu: bool) -> str:
    """Why a probe can't be run here, or an empty string."""
    if probe.needs_gpu and not has_gpu:
        return "needs a GPU"
    absent = [p for p in probe.packages if not installed(MODULES.get(p, p))]
    return f"needs {', '.join(absent)}" if absent else ""


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of a probe: a diagnosis, or the reason why there is none."""

    probe: Probe
    diagnosis: record.Diagnosis | None = None
    reason: str = ""
    faults: tuple[str, ...] = ()


class CommandFailed(Exception):
    """The command ended otherwise than its record says, or left none."""


def installed(module: str) -> bool:
    return importlib.util.find_spec(module.replace("-", "_")) is not None


def named(name: str) -> Probe:
    """The probe of that name. Raises KeyError."""
    for probe in all_probes():
        if probe.name == name:
            return probe
    raise KeyError(name)


def diagnose(
    probe: Probe,
    output: Path,
    environ: Mapping[str, str] | None = None,
    more: Sequence[str] = (),
) -> record.Diagnosis:
    """Run the installed command on a copy of the probe in a folder of its own.

    `environ`: variables to add; `more`: options. Raises CommandFailed.
    """
    command = shutil.which("nondet", path=str(Path(sys.executable).parent)) or "nondet"
    options = ["--quiet", "--force", *(["--stress"] if probe.stress else []), *more]
    with tempfile.TemporaryDirectory(prefix="probe-") as folder:
        script = shutil.copy(probe.path, folder)
        done = subprocess.run(
            [command, "diagnose", *options, "--output", str(output), Path(script).name],
            cwd=folder,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(environ or {})},
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
    written = output / "diagnosis.json"
    if not written.exists():
        raise CommandFailed(f"exit code {done.returncode}, no record\n{done.stderr}")
    diagnosis = record.decode(written.read_bytes())
    if done.returncode != record.EXIT_CODES[diagnosis.verdict]:
        raise CommandFailed(
            f"exit code {done.returncode} for the verdict {diagnosis.verdict}\n{done.stderr}"
        )
    return diagnosis


def kept(probe: Probe, output: Path) -> record.Diagnosis | None:
    """An earlier diagnosis of this very script, or None."""
    done = output / "diagnosis.json"
    if not done.exists():
        return None
    diagnosis = record.decode(done.read_bytes())
    same = diagnosis.subject.sha256 == hashlib.sha256(probe.path.read_bytes()).hexdigest()
    return diagnosis if same and not diagnosis.interrupted else None


def wrong(probe: Probe, diagnosis: record.Diagnosis) -> list[str]:
    """What differs from the promise of the first line and the marks; empty when all is right."""
    found = {cause.factor for cause in diagnosis.causes}
    consumers = {name for cause in diagnosis.causes for name in cause.consumers}
    other = {name for names in diagnosis.alternatives for name in names}
    faults = []
    if diagnosis.verdict != probe.verdict:
        faults.append(f"verdict {diagnosis.verdict}, expected {probe.verdict}")
    if found != probe.causes:
        faults.append(f"causes {sorted(found)}, expected {sorted(probe.causes)}")
    if missing := probe.consumers - consumers:
        faults.append(f"consumers {sorted(missing)} are not named")
    if missing := probe.alternatives - other:
        faults.append(f"alternatives {sorted(missing)} are not named")
    if probe.stress:
        faults += wrongly_provoked(probe, diagnosis)
    if probe.verdict == "broken" and not diagnosis.refusals:
        faults.append("no refused operation is named")
    # A sensitivity has no place in the record: another choice gives another result everywhere.
    placeless = {sensitivity.factor for sensitivity in diagnosis.sensitivities} - found
    for factor, lines in probe.marks.items():
        if factor in placeless:
            continue
        shown = lines_of(probe, diagnosis, factor)
        if not lines <= shown:
            faults.append(f"{factor}: lines {sorted(shown)} are named, expected {sorted(lines)}")
    return faults


def wrongly_provoked(probe: Probe, diagnosis: record.Diagnosis) -> list[str]:
    """Faults of what ``--stress`` showed. Which kernels give other bits is the processor's matter:
    those promised must be among them, and others may be."""
    asleep = {name for name in probe.stress if by_name(name).stress == "dormant"}
    found = {item.factor for item in dormant(diagnosis)}
    faults = []
    if found != asleep:
        faults.append(f"dormant {sorted(found)}, expected {sorted(asleep)}")
    if missing := probe.stress - asleep - provoked(diagnosis):
        faults.append(f"sensitivities {sorted(missing)} are not named")
    return faults


def dormant(diagnosis: record.Diagnosis) -> tuple[record.Dormant, ...]:
    return diagnosis.stress.dormant if diagnosis.stress else ()


def provoked(diagnosis: record.Diagnosis) -> frozenset[str]:
    """What ``--stress`` showed beside the causes."""
    sensitivities = {sensitivity.factor for sensitivity in diagnosis.sensitivities}
    return frozenset(sensitivities | {found.factor for found in dormant(diagnosis)})


def lines_of(probe: Probe, diagnosis: record.Diagnosis, factor: str) -> frozenset[int]:
    """The lines of the probe that the diagnosis names for a factor."""
    sites = [s for cause in diagnosis.causes if cause.factor == factor for s in cause.sites]
    sites += [s for found in dormant(diagnosis) if found.factor == factor for s in found.sites]
    if factor == REFUSED and factor not in probe.causes:
        sites += [refusal.site for refusal in diagnosis.refusals if refusal.site is not None]
    return frozenset(site.line for site in sites if site.file == probe.path.name)


def examine(
    probe: Probe,
    output: Path,
    has_gpu: bool,
    more: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Result:
    """Diagnose a probe, unless that was done already or can't be done here."""
    if reason := missing(probe, has_gpu):
        return Result(probe, reason=f"not run: {reason}")
    try:
        diagnosis = kept(probe, output) or diagnose(probe, output, environ, more)
    except (CommandFailed, record.RecordError) as error:
        return Result(probe, reason="failed", faults=(str(error),))
    return judged(probe, diagnosis)


def judged(probe: Probe, diagnosis: record.Diagnosis | None) -> Result:
    if diagnosis is None:
        return Result(probe, reason="not run on this state yet")
    return Result(probe, diagnosis, faults=tuple(wrong(probe, diagnosis)))


# -- the page


def row(result: Result) -> str:
    """A probe's line of its table."""
    probe, diagnosis = result.probe, result.diagnosis
    promised = sorted(probe.causes)
    if probe.mixed:
        cells = [probe.name, probe.what, ", ".join(promised)]
        if diagnosis is None:
            return line([*cells, result.reason, "", "", "", "", ""])
        causes = ", ".join(with_lines(probe, diagnosis, c.factor) for c in diagnosis.causes)
        false = {cause.factor for cause in diagnosis.causes} - probe.causes
        cells += [causes or "none", *cost(diagnosis), ", ".join(sorted(false)) or "none"]
        return line(cells)
    planted = ", ".join(promised) or "none"
    if probe.stress:
        planted += f"; under stress: {', '.join(sorted(probe.stress))}"
    cells = [probe.name, probe.what, planted]
    if diagnosis is None:
        return line([*cells, result.reason, "", "", "", "", ""])
    causes = ", ".join(cause.factor for cause in diagnosis.causes) or "none"
    found = f"{diagnosis.verdict}: {causes}"
    if probe.stress:
        found += f"; under stress: {', '.join(sorted(provoked(diagnosis))) or 'none'}"
    shown = [n for factor in probe.marks for n in named_marks(probe, diagnosis, factor)]
    return line([*cells, found, ", ".join(map(str, sorted(set(shown)))), *cost(diagnosis)])


def named_marks(probe: Probe, diagnosis: record.Diagnosis, factor: str) -> list[int]:
    """The marked lines of a factor that the diagnosis does name."""
    marked = probe.marks.get(factor, frozenset())
    return sorted(marked & lines_of(probe, diagnosis, factor))


def with_lines(probe: Probe, diagnosis: record.Diagnosis, factor: str) -> str:
    """A cause with its marked lines: ``hash-seed (37)``."""
    lines = ", ".join(map(str, named_marks(probe, diagnosis, factor)))
    return f"{factor} ({lines})" if lines else factor


def cost(diagnosis: record.Diagnosis) -> list[str]:
    """Trials, time, and time and the seconds of all trials over those of one run."""
    cost, ratio, runs = diagnosis.cost, 0.0, 0.0
    if cost.single_run_seconds:
        ratio = cost.wall_seconds / cost.single_run_seconds
        runs = cost.subject_seconds / cost.single_run_seconds
    return [str(cost.trials), f"{cost.wall_seconds:.0f} s", f"{ratio:.1f}", f"{runs:.1f}"]


def line(cells: Iterable[str]) -> str:
    """A row of a table; cells that are empty keep their place."""
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def page(results: Iterable[Result]) -> str:
    """The whole of docs/probes.md."""
    every = list(results)
    single = [row(result) for result in every if not result.probe.mixed]
    mixed = [result for result in every if result.probe.mixed]
    return (
        "# Probes\n\n"
        "Small programs with exactly one planted source each (two or three where the name says\n"
        "so), and controls. Made by `python -m tests.benchmarks.probes`, which runs each one\n"
        "through the installed command and fails when a verdict is not the planted one, or when a\n"
        "line that stands behind a source is not named. They are run on TensorFlow here; [the same "
        "on JAX and\nPyTorch](backends.md). Rows of diagnoses that were kept may be of an earlier "
        "state.\n"
        "`update_order` needs TensorFlow 1 ([Old stacks](old-stacks.md)) and has none.\n\n"
        "*Line* is where the report points for the planted source. *Ratio* is the wall time of\n"
        "the whole diagnosis over that of one run of the script beside another one, on 2 CPU\n"
        "cores; *runs* is the time of all trials, and of the imports that they share, over it.\n"
        "*Under stress* is what `--stress` provokes beside what breaks the script today.\n\n"
        "| probe | source | planted | found | line | trials | time | ratio | runs |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n" + "\n".join(single) + "\n\n"
        "## Mixed scripts\n\n"
        "Scripts as people write them, with two or three sources each that break them, beside\n"
        "things that only look as if they did. The lines in brackets are those that were planted\n"
        f"and that the report names. {summary(mixed)}\n\n"
        "| script | what it is | planted | found | trials | time | ratio | runs "
        "| false accusations |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        + "\n".join(row(result) for result in mixed)
        + "\n"
    )


def summary(results: Iterable[Result]) -> str:
    """How many of the planted causes were named, and how many others."""
    ran = [(r.probe, r.diagnosis) for r in results if r.diagnosis is not None]
    found = [(probe, {c.factor for c in d.causes}) for probe, d in ran]
    planted = sum(len(probe.causes) for probe, _ in ran)
    right = sum(len(probe.causes & causes) for probe, causes in found)
    false = sum(len(causes - probe.causes) for probe, causes in found)
    return (
        f"Of {planted} planted\nsources in {len(ran)} scripts {right} were found; "
        f"{false} others were accused."
    )


def write(results: Sequence[Result]) -> None:
    """The page of the probes, and that of their patches."""
    TABLE.write_text(page(results), encoding="utf-8")
    ran = [(r.probe.name, r.diagnosis) for r in results if r.diagnosis is not None]
    total = sum(bool(p.causes) and not missing(p, bool(gpus.found().devices)) for p in all_probes())
    patches.TABLE.write_text(patches.page(ran, total), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="probes to run; all when none is named")
    parser.add_argument("--keep", type=Path, help="folder for the diagnoses; finished ones stay")
    parser.add_argument(
        "--kept", action="store_true", help="run nothing: write the table of what --keep holds"
    )
    parser.add_argument("--jobs", type=int, default=1, help="diagnoses side by side")
    parser.add_argument("--no-zoom", action="store_true", help="look inside no steps")
    chosen = parser.parse_args()
    keep = chosen.keep or Path(tempfile.mkdtemp(prefix="probes-"))
    has_gpu = bool(gpus.found().devices)
    probes = all_probes()
    if unknown := set(chosen.names) - {probe.name for probe in probes}:
        parser.error(f"no such probe: {', '.join(sorted(unknown))}")
    probes = [probe for probe in probes if not chosen.names or probe.name in chosen.names]
    if chosen.kept:
        found = [(probe, kept(probe, keep / probe.name)) for probe in probes]
        results = [judged(probe, done) for probe, done in found]
        write(results)
        return 1 if any(result.faults for result in results) else 0
    results = []
    more = ("--no-zoom",) if chosen.no_zoom else ()
    with ThreadPoolExecutor(chosen.jobs) as pool:
        for result in pool.map(lambda p: examine(p, keep / p.name, has_gpu, more), probes):
            results.append(result)
            if result.diagnosis is not None or result.faults:
                told = {"probe": result.probe.name, "wrong": result.faults}
                print(json.dumps(told), flush=True)
            print(row(result), flush=True)
    if not chosen.names:
        write(results)
    return 1 if any(result.faults for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
