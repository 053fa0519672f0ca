"""The page docs/reliability.md: what nondet is put through, how often, and what comes of it.

``python -m tests.benchmarks.reliability [--logs DIR]`` runs the tests of each fault and the soaks,
and writes the page. What soaks printed is kept in DIR as NAME.log, and the tests' results as
tests.xml; what is there already is not run again. That takes more than an hour on two cores.
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- table -->", "<!-- end of the table -->"


@dataclasses.dataclass(frozen=True)
class Fault:
    """Tests that put nondet through one kind of trouble."""

    text: str
    module: str
    """Dotted name of their module, as in the results."""
    start: str
    """How their names begin."""
    good: str
    """What comes of it when they pass."""


MISBEHAVING = "tests.command.test_misbehaving"
RUNNING_OUT = "tests.command.test_running_out"
FAULTS = (
    Fault(
        "a script that misbehaves, each in its way",
        MISBEHAVING,
        "test_it_ends",
        "right verdict or clear statement; nothing left",
    ),
    Fault(
        "20 MiB and 1 GiB of output to each stream, both orders",
        MISBEHAVING,
        "test_much_output",
        "right verdict, host below 300 MiB",
    ),
    Fault(
        "names with spaces, quotes, unicode", MISBEHAVING, "test_names", "right verdict and place"
    ),
    Fault("a customised interpreter", MISBEHAVING, "test_an_interpreter", "right verdict"),
    Fault(
        "the disk is full for the script",
        MISBEHAVING,
        "test_a_script_that_fills",
        "its own error is told",
    ),
    Fault(
        "the disk is full for nondet",
        "tests.command.test_folders",
        "test_a_full_disk",
        "one line, and how to go on",
    ),
    Fault(
        "folders that can't be written",
        "tests.command.test_folders",
        "test_a_folder_that_can_t",
        "one line, and what to do",
    ),
    Fault(
        "too few files may be open",
        RUNNING_OUT,
        "test_too_few",
        "one line; resumed, the same diagnosis",
    ),
    Fault(
        "memory is refused to the script",
        RUNNING_OUT,
        "test_a_script_is_refused",
        "its own error is told",
    ),
    Fault(
        "the kernel kills a trial for want of memory",
        RUNNING_OUT,
        "test_the_kernel",
        "`killed`, with its peak memory",
    ),
    Fault(
        "the clock jumps by years",
        RUNNING_OUT,
        "test_a_clock",
        "right verdict, times and limits hold",
    ),
    Fault(
        "Ctrl-C, SIGTERM, SIGKILL at set moments",
        "tests.command.test_interrupting",
        "test_",
        "best diagnosis so far; resumed, no trial run again",
    ),
    Fault(
        "the network is cut off, and refused",
        "tests.command.test_private",
        "test_no_command",
        "every command works, none tries",
    ),
    Fault(
        "secrets in the environment",
        "tests.command.test_private",
        "test_nothing_of",
        "in no file, no output",
    ),
    Fault(
        "files of the output folder open to others",
        "tests.command.test_folders",
        "test_what_is_written",
        "0600 and 0700",
    ),
    Fault(
        "a pin that does not take; a trial that did not run",
        "tests.host.test_laboratory",
        "test_trials_that_did_not",
        "counts for nothing",
    ),
)
SOAKS = {
    "killing": ("killing", "--kills", "100", "--small"),
    "beneath": ("killing", "--kills", "100", "--small", "--beneath"),
    "fuzzing": ("fuzzing", "--inputs", "1000000"),
    "one_bit": ("one_bit", "--rounds", "1000"),
    "large": ("large",),
}
"""By the name of its log, a benchmark and its options."""


def results(logs: Path) -> list[ElementTree.Element]:
    """Of every test, as pytest tells them."""
    path = logs / "tests.xml"
    if not path.exists():
        modules = dict.fromkeys(fault.module.replace(".", "/") + ".py" for fault in FAULTS)
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", f"--junit-xml={path}", *modules]
        subprocess.run(command, cwd=ROOT, check=False)
    return list(ElementTree.parse(path).iter("testcase"))  # noqa: S314


def row(fault: Fault, cases: list[ElementTree.Element]) -> str:
    own = [
        case
        for case in cases
        if case.get("classname") == fault.module and str(case.get("name")).startswith(fault.start)
    ]
    skipped = [case for case in own if case.find("skipped") is not None]
    failed = [c for c in own if c.find("failure") is not None or c.find("error") is not None]
    outcome = f"{len(failed)} fail" if failed else fault.good if own else "not tried"
    if skipped:
        outcome += f" ({len(skipped)} can't be tried here)"
    return f"| {fault.text} | {len(own) - len(skipped)} | {outcome} |"


def soak(name: str, call: tuple[str, ...], logs: Path) -> str:
    """The line that it printed last."""
    path = logs / f"{name}.log"
    if not path.exists():
        command = [sys.executable, "-m", f"tests.benchmarks.{call[0]}", *call[1:]]
        with path.open("w") as log:
            subprocess.run(command, cwd=ROOT, stdout=log, check=False)
    lines = [line for line in path.read_text().splitlines() if line.startswith("| ")]
    return lines[-1] if lines else f"| {name} | 0 | did not run |"


def page(table: str) -> str:
    """The page with another table."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reliability-") as folder:
        logs = chosen.logs or Path(folder)
        logs.mkdir(parents=True, exist_ok=True)
        cases = results(logs)
        rows = ["| fault | times tried | outcome |", "| --- | --- | --- |"]
        rows += [row(fault, cases) for fault in FAULTS]
        rows += [soak(name, call, logs) for name, call in SOAKS.items()]
    PAGE.write_text(page("\n".join(rows)), encoding="utf-8")
    print("\n".join(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
