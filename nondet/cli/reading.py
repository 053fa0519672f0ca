"""What reads a record: ``nondet report``, ``nondet fix``; and the catalogue, ``nondet factors``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import rich_click as click

from nondet import record
from nondet.cli.frame import usage_errors, write
from nondet.cli.repeating import show_repetition
from nondet.guest.factors import REGISTRY
from nondet.host import fixing
from nondet.host import output as outputs
from nondet.host.errors import UsageError
from nondet.report import console as terminal
from nondet.report import html, junit, markdown, sarif
from nondet.report.sized import Sized

INCONSISTENT = (ArithmeticError, LookupError, ValueError)
"""What a record comes to whose parts are valid, and don't go together: what one names is not there,
or a number can't be."""


@contextlib.contextmanager
def consistent(path: Path) -> Iterator[None]:
    """Raises UsageError for a record that can't be shown, as a stranger's may be."""
    try:
        yield
    except INCONSISTENT as error:
        raise UsageError(
            "diagnosis-inconsistent",
            f"{path}: its parts don't go together "
            f"({type(error).__name__}: {error}); if nondet wrote it so, please report that",
        ) from error


FORMATS = {
    "json": lambda diagnosis: record.encode(diagnosis).decode(),
    "sarif": sarif.render,
    "junit": junit.render,
    "markdown": markdown.render,
}


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", *FORMATS]),
    default="html",
    show_default=True,
    help="What to make of the record: the page in DIR, or one of the others on standard output.",
)
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
def report(folder: Path, form: str) -> None:
    """Render the report of DIR again from its record, or tell it to other readers.

    DIR may hold a repetition as well: its page is rendered again.
    """
    with usage_errors():
        if (folder / outputs.REPETITION.record).exists():
            with consistent(folder / outputs.REPETITION.record):
                report_repetition(folder, form)
            return
        diagnosis = outputs.read_diagnosis(folder)
        with consistent(folder / "diagnosis.json"):
            told = (
                FORMATS[form](diagnosis) if form in FORMATS else html.render(diagnosis, str(folder))
            )
            data = told.encode()
        if form in FORMATS:
            write(data)
            return
        outputs.write_whole(folder / "report.html", data)
        with consistent(folder / "diagnosis.json"):
            terminal.print_summary(Sized(), diagnosis, str(folder / "report.html"))


@click.command()
@click.option("--apply", "wanted", is_flag=True, help="Write the change, with a backup beside.")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
def fix(folder: Path, wanted: bool) -> None:
    """Show the change that the diagnosis in DIR asks for, as a patch, or apply it."""
    with usage_errors():
        diagnosis = outputs.read_diagnosis(folder)
        with consistent(folder / "diagnosis.json"):
            if wanted:
                for path, kept in fixing.apply(diagnosis):
                    click.echo(f"{path}: changed; as it was: {kept.name}", err=True)
            terminal.print_fix(Sized(), Sized(stderr=True), diagnosis)


def report_repetition(folder: Path, form: str) -> None:
    """Render the page of a repetition again."""
    if form not in ("html", "json"):
        raise UsageError(
            "format-of-a-diagnosis",
            f"--format {form}: {folder} holds a repetition, which is told as html or json",
        )
    show_repetition(outputs.read_repetition(folder), folder, form == "json")


@click.command()
def factors() -> None:
    """List the factors: what can be held or let go."""
    terminal.print_factors(Sized(), [(f.name, f.group, f.title, f.explanation) for f in REGISTRY])
