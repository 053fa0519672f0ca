"""Whether runs are the same: ``nondet diff`` and ``nondet check``."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import rich_click as click

from nondet import record, runs, stats
from nondet.cli.frame import INTERRUPTED, complain, usage_errors, watching, write
from nondet.cli.options import Duration, as_module, confidence, files, python, rate
from nondet.host import across, gating, portable, scratch
from nondet.host import output as outputs
from nondet.host import subject as subjects
from nondet.host.errors import BrokenSubject
from nondet.host.interrupting import Interruption
from nondet.report.contrast import console as terminal
from nondet.report.contrast import page
from nondet.report.sized import Sized


@click.command()
@click.option(
    "--html",
    "pages",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the comparison as a page as well.",
)
@click.option("--json", "as_json", is_flag=True, help="The comparison as a record.")
@click.argument("one", type=click.Path(path_type=Path), metavar="A.nd")
@click.argument("other", type=click.Path(path_type=Path), metavar="B.nd")
def diff(one: Path, other: Path, pages: Path | None, as_json: bool) -> None:
    """Compare two recorded runs: do they agree, where do they part, and what was different.

    The exit code is 0 when they agree bit for bit, 1 when they don't, and 2 when it can't be told.
    """
    with usage_errors():
        with portable.opened(one) as first, portable.opened(other) as second:
            found = across.compare(first, second)
        if pages is not None:
            outputs.write_page(pages, page.render(found))
        if as_json:
            write(runs.encode(found))
        else:
            terminal.print_comparison(Sized(), found)
        sys.exit(not found.agree)


@click.command()
@click.option(
    "--runs",
    type=click.IntRange(2),
    metavar="N",
    help="So many runs must agree  [default: as many as --confidence and --rate ask for: 6]",
)
@confidence
@rate
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Fail as well when the runs leave this one, which `nondet record` wrote.",
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
@click.option("--quiet", is_flag=True, help="No live view.")
@click.option("--json", "as_json", is_flag=True, help="The result as a record.")
@as_module
@click.argument("script", shell_complete=files)
@click.argument("args", nargs=-1, type=click.UNPROCESSED, shell_complete=files)
def check(script: str, args: tuple[str, ...], **options: Any) -> None:
    """Tell whether SCRIPT repeats, and no more: a gate for other tools.

    The exit code is 0 when its runs agree, 1 when they part or leave the baseline, 4 when the
    budget was spent, 5 when the script is broken. Options go before SCRIPT.
    """
    with usage_errors():
        sys.exit(run_check(script, args, options))


check.allow_interspersed_args = False
CHECKED = {"agrees": 0, "parts": 1, "left-the-baseline": 1, "unsure": 4, "broken": 5}


def run_check(script: str, args: tuple[str, ...], options: dict[str, Any]) -> int:
    """Check, tell; returns the exit code."""
    try:
        subject = subjects.check(script, args, options["python"], options["as_module"])
    except BrokenSubject as broken:
        if options["as_json"]:
            named = subjects.unchecked(script, args, options["python"], options["as_module"])
            found = gating.broken_before_runs(named, options["confidence"], broken)
            write(runs.encode(found))
        complain(broken.slug, broken.message, record.EXIT_CODES["broken"])
    needed = stats.comparisons_needed(options["rate"], options["confidence"])
    gate = gating.Gate(
        comparisons=options["runs"] - 1 if options["runs"] else needed,
        exact=options["runs"] is not None,
        level=options["confidence"],
        jobs=options["jobs"],
        budget=options["budget"],
        timeout=options["timeout"],
    )
    base = portable.opened(options["baseline"]) if options["baseline"] else None
    with contextlib.ExitStack() as stack:
        room = stack.enter_context(scratch.Private(scratch.temporary()))
        baseline = stack.enter_context(base) if base is not None else None
        watcher = stack.enter_context(watching(options["quiet"] or options["as_json"]))
        look = stack.enter_context(Interruption()).check
        try:
            found = gating.check(subject, gate, room / "check", watcher, baseline, look)
        except KeyboardInterrupt:
            complain("interrupted", "interrupted before it was known", INTERRUPTED)
    if options["as_json"]:
        write(runs.encode(found))
    else:
        terminal.print_check(Sized(), found)
    return CHECKED[found.verdict]
