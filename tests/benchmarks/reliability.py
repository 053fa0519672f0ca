"""The page docs/reliability.md: what nondet is put through, how often, and what comes of it.

``python -m tests.benchmarks.reliability [--logs DIR]`` runs the tests of each fault and the soaks,
and writes the page. What soaks printed is kept in DIR as NAME.log, and the tests' results as
tests.xml; what is there already is not run again. That takes some two hours on two cores. Exit
code 1 when a row says FAILED: a test fails or was not there, or a soak did not come to a good end.
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tests.benchmarks import suite
from tests.benchmarks.killing import __main__ as killing
from tests.benchmarks.large import __main__ as large
from tests.benchmarks.large.cases import CASES

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "reliability.md"
CODE = "exit code "
BEGIN, END = "<!-- table -->", "<!-- end of the table -->"


@dataclasses.dataclass(frozen=True)
class Fault:
    """Tests that put nondet through one kind of trouble."""

    text: str
    module: str
    """Dotted name of their module, as in the results."""
    start: str | tuple[str, ...]
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
        "a draw after such a misdeed, where a line comes after it",
        "tests.guest.test_misbehaving",
        "test_a_draw",
        "seen, at its line",
    ),
    Fault(
        "each pin undone: before it is applied, by the script, or never set",
        "tests.guest.test_sabotage",
        "test_a_pin_that_is_undone",
        "found out",
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
        "the script, or a module of it, is edited while its trials run",
        "tests.command.test_edited",
        "test_an_edit_is_no_cause",
        "one line; the trial counts for nothing; once it stays as it is, the right verdict",
    ),
    Fault(
        "two commands write to one output folder",
        "tests.command.test_folders",
        "test_a_folder_that_is_written_to_is_not_taken",
        "the second is refused, the first goes on",
    ),
    Fault(
        "the number of a lost trial becomes another's",
        "tests.host.executors.test_numbers",
        "test_a_number",
        "nothing but the trial is ended",
    ),
    Fault(
        "the disk is full for the script",
        MISBEHAVING,
        "test_a_script_that_fills",
        "its own error is told",
    ),
    Fault(
        "the disk is full for nondet",
        "tests.command.test_full_disk",
        "test_",
        "one line; what is known is told, what has ended is kept and whole; with room again, "
        "`--resume` ends it",
    ),
    Fault(
        "folders that can't be written",
        "tests.command.test_read_only",
        "test_",
        "one line, and what to do; with another folder, the right verdict",
    ),
    Fault(
        "too few files may be open",
        RUNNING_OUT,
        "test_too_few",
        "one line, and what to do; resumed, the right verdict and line",
    ),
    Fault(
        "memory is refused to the script",
        RUNNING_OUT,
        "test_a_script_is_refused",
        "its own error is told",
    ),
    Fault(
        "memory is refused to nondet itself",
        RUNNING_OUT,
        "test_nondet_itself",
        "one line, and how to go on",
    ),
    Fault(
        "the kernel kills a trial for want of memory",
        RUNNING_OUT,
        "test_the_kernel",
        "`killed`, with its peak memory",
    ),
    Fault(
        "the clock jumps by years",
        "tests.command.test_clock",
        "test_",
        "right verdict; times are right, limits end what is endless, `--resume` goes on",
    ),
    Fault(
        "Ctrl-C, SIGTERM, SIGKILL at set moments",
        "tests.command.test_interrupting",
        ("test_before_the_first", "test_during_the_second", "test_the_host_is_killed"),
        "best diagnosis so far; resumed, no trial run again",
    ),
    Fault(
        "100 kills of a search whose trials are acts, alone and side by side, once and in chains",
        "tests.test_killing",
        "test_a_killed_search",
        "resumed, the same finding; no trial run again",
    ),
    Fault(
        "SIGKILL while a forked trial runs",
        "tests.host.executors.test_killed",
        "test_",
        "no process left",
    ),
    Fault(
        "files of a trial that has ended lose their end",
        "tests.host.test_restoring",
        "test_what_has_lost",
        "the trial is run again",
    ),
    Fault(
        "started with `-m`, as a package or from elsewhere",
        "tests.command.test_module",
        ("test_the_cause", "test_a_package_and", "test_a_module_that_lies", "test_a_command_of"),
        "right verdict and line",
    ),
    Fault(
        "launched by another script",
        "tests.command.test_launching",
        "test_",
        "right verdict, or that it was not recorded",
    ),
    Fault(
        "the network is cut off, and refused",
        "tests.command.test_private",
        "test_no_command",
        "commands work, none tries",
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
        "links, pipes, devices and 100 GB in a stranger's folder",
        "tests.host.test_files",
        "test_",
        "refused at once; nothing written through them",
    ),
    Fault(
        "recorded runs that claim what they have not, or hold more",
        "tests.host.test_portable",
        "test_",
        "refused, in bounded memory",
    ),
    Fault(
        "modules in a stranger's folder",
        "tests.command.test_strangers",
        "test_nothing_is_imported",
        "none is imported",
    ),
    Fault(
        "a pin that does not take; a trial that did not run",
        "tests.host.test_laboratory",
        ("test_trials_that_did_not", "test_a_trial_that_never_began"),
        "counts for nothing",
    ),
)
FAILED = "FAILED"


@dataclasses.dataclass(frozen=True)
class Soak:
    """A benchmark whose last line is a row of the table."""

    name: str
    """Of its log."""
    call: tuple[str, ...]
    """Its module and options."""
    text: str
    """How its row begins."""
    least: int
    """How often the fault must have been tried."""
    good: str
    """How the outcome begins when all is well."""


SOAKS = (
    Soak(
        "killing",
        ("killing", "--kills", "100", "--small"),
        killing.HOST,
        100,
        f"{killing.OUTCOME}; {killing.AGAIN}",
    ),
    Soak(
        "beneath",
        ("killing", "--kills", "100", "--small", "--beneath"),
        killing.BENEATH,
        100,
        killing.OUTCOME,
    ),
    Soak(
        "fuzzing",
        ("fuzzing", "--inputs", "1000000"),
        "damaged files of every kind, for their readers",
        990_000,  # shares of a million, rounded down
        "read, or refused as documented",
    ),
    Soak(
        "one_bit",
        ("one_bit", "--rounds", "1000"),
        "one bit flipped in one tensor at one moment",
        1000,
        "found where it is; identical runs silent",
    ),
    Soak("large", ("large",), "large: the host's memory", len(CASES), large.GOOD),
    Soak("suite", ("suite",), suite.TEXT, 1, suite.GOOD),
)


def results(logs: Path) -> list[ElementTree.Element]:
    """Of every test, as pytest tells them; none when it could not run."""
    path = logs / "tests.xml"
    if not path.exists():
        # By folder: pytest forgets the fixtures of one that it comes back to.
        modules = sorted({fault.module.replace(".", "/") + ".py" for fault in FAULTS})
        workers = ["-n", "2", "--dist", "loadgroup", "--max-worker-restart", "0"]
        options = ["-q", *workers, f"--junit-xml={path}"]
        command = [sys.executable, "-m", "pytest", *options, *modules]
        subprocess.run(command, cwd=ROOT, check=False)
    return list(ElementTree.parse(path).iter("testcase")) if path.exists() else []  # noqa: S314


def row(fault: Fault, cases: list[ElementTree.Element]) -> str:
    own = [
        case
        for case in cases
        if case.get("classname") == fault.module and str(case.get("name")).startswith(fault.start)
    ]
    skipped = [case for case in own if case.find("skipped") is not None]
    failed = [c for c in own if c.find("failure") is not None or c.find("error") is not None]
    tried = len(own) - len(skipped)
    if failed:
        outcome = f"{FAILED}: {len(failed)} tests"
    elif own:
        outcome = fault.good if tried else "not tried"
    else:
        outcome = f"{FAILED}: there is no such test"
    if skipped:
        outcome += f" ({len(skipped)} can't be tried here)"
    return f"| {fault.text} | {tried} | {outcome} |"


def run(soak: Soak, path: Path) -> None:
    """Keep what it prints, and its exit code."""
    command = [sys.executable, "-m", f"tests.benchmarks.{soak.call[0]}", *soak.call[1:]]
    beside = path.with_suffix(".running")
    with beside.open("w") as log:
        done = subprocess.run(command, cwd=ROOT, stdout=log, check=False)
        log.write(f"{CODE}{done.returncode}\n")
    beside.rename(path)


def soaked(soak: Soak, logs: Path) -> str:
    """The row that it printed at last. One that did not come to its end, or not to a good one, says
    so; a log without an exit code is of one that was run by hand."""
    path = logs / f"{soak.name}.log"
    if not path.exists():
        run(soak, path)
    lines = path.read_text().splitlines()
    code = next((line for line in lines if line.startswith(CODE)), f"{CODE}0")
    own = [line for line in lines if line.startswith(f"| {soak.text} | ")]
    if not own:
        return f"| {soak.text} | 0 | {FAILED}: no result, {code} |"
    _, text, tried, outcome, _ = (cell.strip() for cell in own[-1].split("|"))
    well = outcome.startswith(soak.good) and int(tried.replace(",", "")) >= soak.least
    if (well and code == f"{CODE}0") or outcome.startswith(FAILED):
        return own[-1]
    return f"| {text} | {tried} | {FAILED}: {code}, {outcome} |"


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
        rows += [soaked(soak, logs) for soak in SOAKS]
    PAGE.write_text(page("\n".join(rows)), encoding="utf-8")
    print("\n".join(rows))
    return 1 if any(FAILED in line for line in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
