"""``nondet diagnose``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import rich_click as click

from nondet import record
from nondet.cli.frame import INTERRUPTED, usage_errors, watching, write
from nondet.cli.options import (
    EVERYWHERE,
    Duration,
    Names,
    as_module,
    confidence,
    executor,
    files,
    given,
    python,
    rate,
)
from nondet.host import output as outputs
from nondet.host import subject as subjects
from nondet.host.concluding import broken_before_trials
from nondet.host.diagnosing import Diagnosing
from nondet.host.errors import BrokenSubject, UsageError
from nondet.host.horizon import Horizon
from nondet.host.interrupting import Interruption
from nondet.host.options import Options
from nondet.host.plugins import read as read_plugin
from nondet.host.watching import Silent, Watcher
from nondet.report import console as terminal
from nondet.report import html
from nondet.report.sized import Sized


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("nondet-report"),
    show_default=True,
    metavar="DIR",
    help="Where the record, the report and the logs go.",
)
@click.option("--resume", is_flag=True, help="Go on with the diagnosis in DIR.")
@click.option("--force", is_flag=True, help="Replace the diagnosis in DIR.")
@python
@click.option(
    "--jobs", type=click.IntRange(1), help="Trials side by side  [default: from cores and memory]"
)
@click.option(
    "--budget",
    type=Duration(),
    metavar="DURATION",
    help="Stop after 90s, 20m or 2h with the best diagnosis so far.",
)
@click.option(
    "--max-trials",
    type=click.IntRange(2),
    default=100,
    show_default=True,
    help="Stop after so many trials.",
)
@confidence
@rate
@click.option(
    "--alternatives",
    is_flag=True,
    help="Look for every smallest set of pins that holds, at the cost of more trials.",
)
@click.option(
    "--fork/--no-fork",
    default=True,
    show_default=True,
    help="Fork trials off a process that has imported the framework, where that proves as much.",
)
@click.option(
    "--zoom/--no-zoom",
    default=True,
    show_default=True,
    help="Look, in a few more trials, inside the step where runs part.",
)
@click.option(
    "--verify/--no-verify",
    default=True,
    show_default=True,
    help="Run the patched script itself, as often as --confidence asks for.",
)
@click.option(
    "--factors", type=Names(EVERYWHERE), metavar="LIST", help="Toggle these factors only."
)
@click.option(
    "--skip", type=Names(EVERYWHERE), default="", metavar="LIST", help="Leave these factors alone."
)
@click.option(
    "--granularity",
    type=click.Choice(["auto", "epoch", "step"]),
    default="auto",
    show_default=True,
    help="How often weights are recorded.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    metavar="N",
    help="End each trial after N epochs. What comes later is then not looked at.",
)
@click.option(
    "--steps",
    type=click.IntRange(1),
    metavar="N",
    help="End each trial after N steps, which are then recorded.",
)
@click.option(
    "--timeout",
    type=Duration(),
    metavar="DURATION",
    help="Limit for one trial  [default: 10 times the first, at least 60 s]",
)
@click.option(
    "--stress",
    is_flag=True,
    help="Provoke what lies dormant as well: other orders, thread counts, clocks, load.",
)
@click.option(
    "--plugin",
    "plugins",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A Python file that names a library's own generator; may be given again.",
)
@executor
@as_module
@click.option("--quiet", is_flag=True, help="No live view.")
@click.option("--json", "as_json", is_flag=True, help="The record on standard output.")
@click.argument("script", shell_complete=files)
@click.argument("args", nargs=-1, type=click.UNPROCESSED, shell_complete=files)
@click.pass_context
def diagnose(ctx: click.RichContext, /, script: str, args: tuple[str, ...], **options: Any) -> None:
    """Find out why SCRIPT gives another result in every run.

    SCRIPT may be a notebook. Options go before SCRIPT; everything after it belongs to the script.
    """
    with usage_errors():
        options["given"] = given(ctx)
        sys.exit(run_diagnose(script, args, options))


diagnose.allow_interspersed_args = False


def shortened(options: dict[str, Any]) -> Horizon | None:
    """The horizon asked for. Raises UsageError when the options don't fit together."""
    epochs, steps = options["epochs"], options["steps"]
    if epochs and steps:
        raise UsageError("two-horizons", "--epochs and --steps both say where trials end: give one")
    if steps and options["granularity"] == "epoch":
        raise UsageError(
            "steps-not-recorded",
            "--steps needs steps recorded, and --granularity epoch records none: leave one out",
        )
    if epochs:
        return Horizon("epoch", epochs)
    return Horizon("step", steps) if steps else None


def run_diagnose(script: str, args: tuple[str, ...], options: dict[str, Any]) -> int:
    """Diagnose, write record and report, tell; returns the exit code."""
    folder: Path = options["output"]
    quiet = options["quiet"] or options["as_json"]
    horizon = shortened(options)
    prepared = outputs.prepared(folder, resume=options["resume"], force=options["force"])
    try:
        subject = subjects.check(script, args, options["python"], options["as_module"])
    except BrokenSubject as broken:
        with prepared:
            named = subjects.unchecked(script, args, options["python"], options["as_module"])
            diagnosis = broken_before_trials(named, broken)
            code = finish(diagnosis, folder, Silent())
        show(diagnosis, folder, options["as_json"])
        return code
    plugins = tuple(read_plugin(path) for path in options["plugins"])
    with prepared, watching(quiet) as watcher, Interruption() as interruption:
        chosen = Options(
            output=folder,
            jobs=options["jobs"],
            budget=options["budget"],
            max_trials=options["max_trials"],
            confidence=options["confidence"],
            rate=options["rate"],
            alternatives=options["alternatives"],
            forking=options["fork"],
            zoom=options["zoom"],
            verify=options["verify"],
            factors=options["factors"],
            skip=options["skip"],
            granularity="step" if options["steps"] else options["granularity"],
            timeout=options["timeout"],
            resume=options["resume"],
            stress=options["stress"],
            plugins=plugins,
            horizon=horizon,
            executor=options["executor"],
            given=options["given"],
        )
        diagnosing = Diagnosing(subject, chosen, watcher, interruption.check)
        diagnosis = diagnosing.run()
        failures: list[Exception] = [*diagnosing.failures]
        written = False
        try:
            code = finish(diagnosis, folder, watcher)
            written = True
        except (OSError, MemoryError) as error:
            failures.append(error)
    # Whatever went wrong, what was found is told first.
    show(diagnosis, folder, options["as_json"], written=written)
    if failures:
        raise failures[0]
    return code


def finish(diagnosis: record.Diagnosis, folder: Path, watcher: Watcher) -> int:
    """Write the record first, then the page made from it; returns the exit code."""
    outputs.write_whole(folder / "diagnosis.json", record.encode(diagnosis))
    outputs.write_whole(folder / "report.html", html.render(diagnosis, str(folder)).encode())
    if not diagnosis.interrupted:
        outputs.drop_values(folder)
    watcher.closed(diagnosis, str(folder / "report.html"))
    return INTERRUPTED if diagnosis.interrupted else record.EXIT_CODES[diagnosis.verdict]


def show(diagnosis: record.Diagnosis, folder: Path, as_json: bool, *, written: bool = True) -> None:
    """The summary for people, or the record for programs. `written`: whether the page is there."""
    if as_json:
        write(record.encode(diagnosis))
    else:
        page = str(folder / "report.html")
        terminal.print_summary(Sized(), diagnosis, page, written=written)
