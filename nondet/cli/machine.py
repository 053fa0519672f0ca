"""What this machine does: ``nondet doctor`` and ``nondet probe``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rich_click as click

from nondet import machines, record
from nondet.cli.frame import INTERRUPTED, usage_errors, write
from nondet.cli.options import Duration, python
from nondet.host import checkup, probing
from nondet.host import output as outputs
from nondet.host.interrupting import Interruption
from nondet.host.shipped import Probe
from nondet.host.watching import Silent
from nondet.report.machine import console as terminal
from nondet.report.machine import page
from nondet.report.machine.doctor import print_checkup
from nondet.report.plain import shown
from nondet.report.sized import Sized


@click.command()
@python
@click.option("--quiet", is_flag=True, help="Don't tell what is being asked.")
@click.option("--json", "as_json", is_flag=True, help="What was found as a record.")
def doctor(python: str, quiet: bool, as_json: bool) -> None:
    """Print what bears on reproducibility here, and what to set.

    Machine, processor, GPUs and driver, interpreter, frameworks, and the environment variables that
    they read. The exit code is 0 when nothing is known to stand in the way of runs that repeat,
    1 when something does.
    """
    with usage_errors():
        console = Sized(stderr=True, quiet=quiet or not sys.stderr.isatty())
        with console.status("asking the machine") as status:
            found = checkup.checkup(python, lambda name: status.update(f"asking {name}"))
        if as_json:
            write(machines.encode(found))
        else:
            print_checkup(Sized(), found)
        sys.exit(any(remark.level == "bad" for remark in found.remarks))


@click.command()
@click.option("--list", "listing", is_flag=True, help="Only list the probes that would be run.")
@click.option("--all", "every", is_flag=True, help="All of them, whatever the machine.")
@click.option(
    "--runs",
    type=click.IntRange(2, 100),
    default=6,
    show_default=True,
    metavar="N",
    help="So many runs must agree before a source is called quiet.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    default="nondet-probe",
    show_default=True,
    metavar="DIR",
    help="Where record and page go.",
)
@python
@click.option(
    "--jobs", type=click.IntRange(1), help="Runs side by side  [default: from cores and memory]"
)
@click.option("--budget", type=Duration(), metavar="DURATION", help="Give up after 90s, 20m or 2h.")
@click.option(
    "--timeout",
    type=Duration(),
    metavar="DURATION",
    help="Limit for one run  [default: 10 times the first, at least 60 s]",
)
@click.option("--resume", is_flag=True, help="Go on with the probes in the output folder.")
@click.option("--force", is_flag=True, help="Replace what is in the output folder.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="The result as a record.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def probe(names: tuple[str, ...], **options: Any) -> None:
    """Run the shipped probes: which sources are live on this machine, and how far runs part.

    Each is a small training script with one planted source. By default those are run whose source
    is live on one machine and not on another: threads, workers, kernels, devices. NAME is a
    probe's or a factor's.
    """
    with usage_errors():
        sys.exit(run_probe(names, options))


def run_probe(names: Sequence[str], options: dict[str, Any]) -> int:
    """Probe, write record and page, tell; returns the exit code."""
    wanted = probing.chosen(names, options["every"])
    if options["listing"]:
        if options["as_json"]:
            listed = [
                {"name": one.name, "factors": sorted(one.causes), "what": one.what}
                for one in wanted
            ]
            click.echo(json.dumps(listed, indent=2))
            return 0
        for one in wanted:
            factors = ", ".join(sorted(one.causes)) or "no source"
            click.echo(shown(f"{one.name:<28} {factors}: {one.what}"))
        return 0
    folder: Path = options["output"]
    ready = {"resume": options["resume"], "force": options["force"]}
    quiet, total = options["quiet"] or options["as_json"], len(wanted)
    showing = terminal.Bar(total) if sys.stderr.isatty() else terminal.Lines(total)
    showing = terminal.Unseen(total) if quiet else showing
    prepared = outputs.prepared(folder, **ready, kind=outputs.PROBING)
    with prepared, showing, Interruption() as interruption:
        found = probed(wanted, options, showing, folder, interruption)
    if options["as_json"]:
        write(machines.encode(found))
    else:
        terminal.print_probing(Sized(), found, str(folder / outputs.PROBING.page))
    if len(found.probes) < total:
        return INTERRUPTED
    unsure = any(probed.state == "unsure" for probed in found.probes)
    return record.EXIT_CODES["unsure"] if unsure else 0


def probed(
    wanted: Sequence[Probe],
    options: dict[str, Any],
    showing: terminal.Lines,
    folder: Path,
    interruption: Interruption,
) -> machines.Probing:
    """Run them; record and page are written anew after each."""

    def keep(found: machines.Probing) -> None:
        outputs.write_whole(folder / outputs.PROBING.record, machines.encode(found))
        text = page.render(found).encode("utf-8")
        outputs.write_whole(folder / outputs.PROBING.page, text)
        showing.probed(found)

    chosen = probing.Wanted(options["runs"], options["jobs"], options["budget"], options["timeout"])
    machine = probing.Machine(options["python"], chosen, Telling(showing), keep, interruption.check)
    return machine.run(wanted, outputs.read_probing(folder) if options["resume"] else None)


class Telling(Silent):
    """Hands on what the engine tells, as far as it is shown."""

    def __init__(self, showing: terminal.Lines) -> None:
        self.showing = showing

    def message(self, text: str) -> None:
        self.showing.message(text)

    def trial_started(self, trial: str, question: str) -> None:
        self.showing.run_started(trial, question)
