"""Runs probes through the installed command and compares what it says with what was planted.

``python -m tests.benchmarks.probes`` runs all of them and writes docs/probes.md; names as
arguments run those alone and write nothing. Finished ones are kept in ``--keep FOLDER``.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from nondet import record

ROOT = Path(__file__).resolve().parent.parent.parent
PROBES = ROOT / "probes"
TABLE = ROOT / "docs" / "probes.md"
MODULES = {"scikit-learn": "sklearn"}


@dataclasses.dataclass(frozen=True)
class Probe:
    """A probe with what its first line promises."""

    name: str
    what: str
    causes: frozenset[str]
    consumers: frozenset[str]
    alternatives: frozenset[str]
    verdict: str
    needs_gpu: bool
    packages: tuple[str, ...]

    @property
    def path(self) -> Path:
        return PROBES / f"{self.name}.py"

    def missing(self, has_gpu: bool) -> str:
        """Why it can't be run here, or an empty string."""
        if self.needs_gpu and not has_gpu:
            return "needs a GPU"
        absent = [p for p in self.packages if not installed(MODULES.get(p, p))]
        return f"needs {', '.join(absent)}" if absent else ""


def installed(module: str) -> bool:
    return importlib.util.find_spec(module.replace("-", "_")) is not None


def read(path: Path) -> Probe:
    """Parse a probe's first line. Raises ValueError when it is not one."""
    line = path.read_text(encoding="utf-8").splitlines()[0]
    head, _, rest = line.partition("|")
    if not head.startswith("# probe: "):
        raise ValueError(f"{path.name}: the first line must begin with '# probe: '")
    fields = dict(part.split(":", 1) for part in rest.split("|"))
    known = {key.strip(): value.strip() for key, value in fields.items()}

    def names(key: str) -> tuple[str, ...]:
        value = known.get(key, "none")
        return () if value == "none" else tuple(name.strip() for name in value.split(","))

    causes = names("causes")
    return Probe(
        name=path.stem,
        what=head.removeprefix("# probe: ").strip(),
        causes=frozenset(causes),
        consumers=frozenset(names("consumers")),
        alternatives=frozenset(names("alternatives")),
        verdict=known.get("verdict", "causes-found" if causes else "reproducible"),
        needs_gpu=known.get("needs") == "gpu",
        packages=names("packages"),
    )


def all_probes() -> list[Probe]:
    return [read(path) for path in sorted(PROBES.glob("*.py"))]


def diagnose(probe: Probe, output: Path) -> record.Diagnosis:
    """Run the installed command on a copy of the probe in a folder of its own."""
    command = shutil.which("nondet", path=str(Path(sys.executable).parent)) or "nondet"
    with tempfile.TemporaryDirectory(prefix="probe-") as folder:
        script = shutil.copy(probe.path, folder)
        done = subprocess.run(
            [command, "diagnose", "--quiet", "--force", "--output", str(output), Path(script).name],
            cwd=folder,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            check=False,
        )
    diagnosis = record.decode((output / "diagnosis.json").read_bytes())
    if done.returncode != record.EXIT_CODES[diagnosis.verdict]:
        raise AssertionError(f"{probe.name}: exit code {done.returncode}\n{done.stderr}")
    return diagnosis


def wrong(probe: Probe, diagnosis: record.Diagnosis) -> list[str]:
    """What differs from the promise of the first line; empty when all is right."""
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
    return faults


def row(probe: Probe, diagnosis: record.Diagnosis | None, reason: str) -> str:
    planted = ", ".join(sorted(probe.causes)) or "none"
    if diagnosis is None:
        return f"| {probe.name} | {probe.what} | {planted} | not run: {reason} | | | | |"
    causes = ", ".join(cause.factor for cause in diagnosis.causes) or "none"
    sites = {f"{s.file}:{s.line}" for c in diagnosis.causes for s in c.sites[:1]}
    cost, ratio = diagnosis.cost, 0.0
    if cost.single_run_seconds:
        ratio = cost.wall_seconds / cost.single_run_seconds
    return (
        f"| {probe.name} | {probe.what} | {planted} | {diagnosis.verdict}: {causes} "
        f"| {', '.join(sorted(s.split(':')[1] for s in sites))} | {cost.trials} "
        f"| {cost.wall_seconds:.0f} s | {ratio:.1f} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="probes to run; all when none is named")
    parser.add_argument("--keep", type=Path, help="folder for the diagnoses; finished ones stay")
    chosen = parser.parse_args()
    keep = chosen.keep or Path(tempfile.mkdtemp(prefix="probes-"))
    rows, bad = [], 0
    for probe in all_probes():
        if chosen.names and probe.name not in chosen.names:
            continue
        reason, diagnosis = probe.missing(has_gpu=False), None
        if not reason:
            output = keep / probe.name
            done = output / "diagnosis.json"
            diagnosis = record.decode(done.read_bytes()) if done.exists() else None
            diagnosis = diagnosis or diagnose(probe, output)
            faults = wrong(probe, diagnosis)
            bad += bool(faults)
            print(json.dumps({"probe": probe.name, "wrong": faults}), flush=True)
        rows.append(row(probe, diagnosis, reason))
        print(rows[-1], flush=True)
    if not chosen.names:
        TABLE.write_text(page(rows), encoding="utf-8")
    return 1 if bad else 0


def page(rows: list[str]) -> str:
    head = (
        "# Probes\n\n"
        "Small programs with exactly one planted source each (two or three where the name says\n"
        "so), and controls. Made by `python -m tests.benchmarks.probes`, which runs each one\n"
        "through the installed command and fails when a verdict is not the planted one.\n\n"
        "*Ratio* is the wall time of the whole diagnosis over that of one run of the script\n"
        "beside another one, on 2 CPU cores.\n\n"
        "| probe | source | planted | found | line | trials | time | ratio |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- |\n"
    )
    return head + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(main())
