"""``nondet repeat``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import rich_click as click

from nondet import repetition
from nondet.cli.frame import usage_errors, watching, write
from nondet.cli.options import Duration, Names, as_module, files, given, python
from nondet.host import availability
from nondet.host import output as outputs
from nondet.host import subject as subjects
from nondet.host.errors import BrokenSubject
from nondet.host.interrupting import Interruption
from nondet.host.repeating import Options as RepeatOptions
from nondet.host.repeating import Repeating, broken_before_runs
from nondet.host.repeats import patterns, sources
from nondet.report.repeat import console as repeat_terminal
from nondet.report.repeat import page
from nondet.report.repeat.progress import Bars, Lines
from nondet.report.sized import Sized


@click.command()
@click.option(
    "-n",
    "--runs",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    metavar="N",
    help="How many runs.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("nondet-repeat"),
    show_default=True,
    metavar="DIR",
    help="Where the record, the page and the logs go.",
)
@click.option("--resume", is_flag=True, help="Go on with the repetition in DIR.")
@click.option("--force", is_flag=True, help="Replace the repetition in DIR.")
@python
@click.option(
    "--jobs", type=click.IntRange(1), help="Runs side by side  [default: from cores and memory]"
)
@click.option(
    "--budget", type=Duration(), metavar="DURATION", help="Start no more runs after 90s, 20m or 2h."
)
@click.option(
    "--timeout",
    type=Duration(),
    metavar="DURATION",
    help="Limit for one run  [default: 10 times the first, at least 60 s]",
)
@click.option(
    "--pattern",
    "texts",
    multiple=True,
    metavar="NAME=REGEX",
    help="A metric in the output: the last match of REGEX; or a REGEX with groups (?P<NAME>...).",
)
@click.option(
    "--by-source", is_flag=True, help="Each cause's share of the spread, with more runs for each."
)
@click.option(
    "--from",
    "diagnosed",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The diagnosis that names the causes  [default: nondet-report]",
)
@click.option(
    "--sources", "named", type=Names(), metavar="LIST", help="These sources, without a diagnosis."
)
@click.option("--quiet", is_flag=True, help="No live view.")
@click.option("--json", "as_json", is_flag=True, help="The record on standard output.")
@as_module
@click.argument("script", shell_complete=files)
@click.argument("args", nargs=-1, type=click.UNPROCESSED, shell_complete=files)
@click.pass_context
def repeat(ctx: click.RichContext, /, script: str, args: tuple[str, ...], **options: Any) -> None:
    """Run SCRIPT many times as it is, and tell how its results spread.

    Options go before SCRIPT; everything after it belongs to the script.
    """
    with usage_errors():
        options["given"] = given(ctx)
        sys.exit(run_repeat(script, args, options))


repeat.allow_interspersed_args = False


def run_repeat(script: str, args: tuple[str, ...], options: dict[str, Any]) -> int:
    """Repeat, write record and page, tell; returns the exit code."""
    folder: Path = options["output"]
    if options["named"] is not None and options["diagnosed"] is not None:
        raise click.UsageError("--sources and --from both say which sources: give one")
    wanted = patterns.read(options["texts"])
    ready = {"resume": options["resume"], "force": options["force"]}
    prepared = outputs.prepared(folder, **ready, kind=outputs.REPETITION)
    try:
        subject = subjects.check(script, args, options["python"], options["as_module"])
    except BrokenSubject as broken:
        with prepared:
            named = subjects.unchecked(script, args, options["python"], options["as_module"])
            return finish_repeat(broken_before_runs(named, broken), folder, options["as_json"])
    shared = None
    if options["named"] is not None:
        shared = sources.named(options["named"], availability.of(subject))
    elif options["by_source"] or options["diagnosed"] is not None:
        shared = sources.diagnosed(options["diagnosed"], subject)
    quiet = options["quiet"] or options["as_json"]
    chosen = RepeatOptions(
        output=folder,
        runs=options["runs"],
        jobs=options["jobs"],
        timeout=options["timeout"],
        budget=options["budget"],
        resume=options["resume"],
        patterns=wanted,
        sources=shared,
        given=options["given"],
    )
    with prepared:
        with watching(quiet, Bars, Lines) as watcher, Interruption() as interruption:
            found = Repeating(subject, chosen, watcher, interruption.check).run()
        return finish_repeat(found, folder, options["as_json"])


def finish_repeat(found: repetition.Repetition, folder: Path, as_json: bool) -> int:
    """Write the record first, then the page made from it, and tell; returns the exit code."""
    outputs.write_whole(folder / outputs.REPETITION.record, repetition.encode(found))
    outputs.drop_values(folder)
    show_repetition(found, folder, as_json)
    return found.exit_code


def show_repetition(found: repetition.Repetition, folder: Path, as_json: bool) -> None:
    """Write the page, and tell people the summary, or programs the record."""
    path = folder / outputs.REPETITION.page
    outputs.write_whole(path, page.render(found).encode("utf-8"))
    if as_json:
        write(repetition.encode(found))
    else:
        repeat_terminal.print_summary(Sized(), found, str(path))
