"""What runs a script once: ``nondet run`` and ``nondet record``."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click

from nondet import record
from nondet.cli.frame import complain, usage_errors
from nondet.cli.options import Names, Size, as_module, files, python
from nondet.host import foreground, portable
from nondet.host import output as outputs
from nondet.host import subject as subjects
from nondet.host.errors import BrokenSubject
from nondet.host.planning import SEED, Settings
from nondet.host.trials import Trial
from nondet.report.plain import shown

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


PINNING = (
    click.option(
        "--pin",
        "pinned",
        type=Names(),
        default="",
        metavar="LIST",
        help="Factors to hold, by name.",
    ),
    click.option(
        "--ablate",
        "ablated",
        type=Names(),
        default="",
        metavar="LIST",
        help="Consumers to switch off: dropout, shuffle, noise-and-augmentation.",
    ),
    click.option(
        "--from",
        "source",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Hold what the diagnosis in DIR prescribes.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0),
        metavar="N",
        help="What every pinned stream is made from  [default: that of a diagnosis]",
    ),
    python,
    as_module,
    click.option("--quiet", is_flag=True, help="Say nothing unless a pin does not hold."),
)
"""Options of what runs a script once."""


def pinning(command: Decorated) -> Decorated:
    for option in reversed(PINNING):
        command = option(command)
    return command


@click.command()
@pinning
@click.argument("script", shell_complete=files)
@click.argument("args", nargs=-1, type=click.UNPROCESSED, shell_complete=files)
def run(script: str, args: tuple[str, ...], **options: Any) -> None:
    """Run SCRIPT once with factors pinned, and no edit.

    It runs here and now, in this folder and terminal, and the exit code is its own. Options go
    before SCRIPT; everything after it belongs to the script.
    """
    with usage_errors():
        sys.exit(run_pinned(script, args, options))


run.allow_interspersed_args = False


def run_pinned(script: str, args: tuple[str, ...], options: dict[str, Any]) -> int:
    """Run once, and say on standard error what held; returns the exit code."""
    subject, held, seed = asked(script, args, options)
    return end_of_run(foreground.run(subject, held, seed), held, options["quiet"])


def asked(
    script: str, args: tuple[str, ...], options: dict[str, Any]
) -> tuple[subjects.Subject, dict[str, record.Arm], int]:
    """The script, what to hold, and the seed. Raises UsageError."""
    held: dict[str, record.Arm] = {}
    seed = options["seed"]
    if options["source"] is not None:
        diagnosis = outputs.read_diagnosis(options["source"])
        prescribed = diagnosis.prescription.pins if diagnosis.prescription is not None else ()
        outputs.check_factors(
            options["source"], (*prescribed, *(cause.factor for cause in diagnosis.causes))
        )
        arms, beyond = foreground.prescribed(diagnosis)
        held |= arms
        if beyond and not options["quiet"]:
            names = ", ".join(beyond)
            click.echo(f"nondet: not held, since no single run can: {names}", err=True)
        seed = diagnosis.seed if seed is None else seed
    held |= dict.fromkeys(options["pinned"], "pinned") | dict.fromkeys(
        options["ablated"], "ablated"
    )
    try:
        subject = subjects.check(script, args, options["python"], options["as_module"])
    except BrokenSubject as broken:
        complain(broken.slug, broken.message, record.EXIT_CODES["broken"])
    return subject, held, SEED if seed is None else seed


def end_of_run(ran: foreground.Ran, held: dict[str, record.Arm], quiet: bool) -> int:
    """Say what held; returns the exit code."""
    if not quiet:
        for line in foreground.told(ran, held):
            click.echo(f"nondet: {shown(line)}", err=True)
    if ran.broken:
        told = "; ".join(f"{name} ({reason})" for name, reason in ran.broken.items())
        complain(
            "pin-did-not-take",
            f"this run proves nothing, since pins did not take: {told}",
            ran.code or record.EXIT_CODES["unsure"],
        )
    return ran.code


@click.command("record")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to  [default: the script's name with .nd]",
)
@click.option(
    "--granularity",
    type=click.Choice(["epoch", "step"]),
    default="epoch",
    show_default=True,
    help="How often weights are recorded.",
)
@click.option(
    "--values",
    type=Size(),
    default="256M",
    show_default=True,
    metavar="SIZE",
    help="Keep so many bytes of the tensors themselves, to tell how far apart they are.",
)
@pinning
@click.argument("script", shell_complete=files)
@click.argument("args", nargs=-1, type=click.UNPROCESSED, shell_complete=files)
def record_command(script: str, args: tuple[str, ...], **options: Any) -> None:
    """Run SCRIPT once and write down what it computes, for `nondet diff`.

    On another machine, after an upgrade, with another setting: two files tell whether two runs
    agree, and where they part. Options go before SCRIPT.
    """
    with usage_errors():
        sys.exit(run_recorded(script, args, options))


record_command.allow_interspersed_args = False


def run_recorded(script: str, args: tuple[str, ...], options: dict[str, Any]) -> int:
    """Run once, write the file; returns the exit code."""
    subject, held, seed = asked(script, args, options)
    name = script if options["as_module"] else Path(script).stem
    path = options["output"] or Path(f"{name}.nd")
    portable.check_place(path)
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")

    def keep(trial: Trial, settings: Settings) -> None:
        if not trial.exit_code:
            portable.pack(path, trial, settings, started)

    ran = foreground.run(
        subject,
        held,
        seed,
        granularity=options["granularity"],
        values=options["values"],
        keep=keep,
    )
    code = end_of_run(ran, held, options["quiet"])
    if ran.code:
        complain("not-recorded", "no file was written, since the script failed", ran.code)
    if not options["quiet"]:
        click.echo(f"nondet: written {shown(str(path))}", err=True)
    return code
