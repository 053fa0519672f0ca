"""The command line: a leaf, which everything else ignores."""

from __future__ import annotations

import contextlib
import datetime
import difflib
import errno
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import rich_click as click
from rich.console import Console

from nondet import __version__, record, repetition, runs, stats
from nondet.guest.factors import REGISTRY
from nondet.host import across, checking, fixing, foreground, portable, scratch
from nondet.host import output as outputs
from nondet.host import subject as subjects
from nondet.host.diagnosing import SEED, Diagnosing, Options, broken_before_trials
from nondet.host.errors import BrokenSubject, UsageError
from nondet.host.horizon import Horizon
from nondet.host.interrupting import Interruption
from nondet.host.planning import Settings
from nondet.host.plugins import read as read_plugin
from nondet.host.repeating import Options as RepeatOptions
from nondet.host.repeating import Repeating, broken_before_runs
from nondet.host.repeats import patterns, sources
from nondet.host.trials import Trial
from nondet.host.watching import Silent, Watcher
from nondet.report import console as terminal
from nondet.report import contrast, html, junit, markdown, sarif
from nondet.report.live import Live
from nondet.report.plain import Plain, shown
from nondet.report.repeat import console as repeat_terminal
from nondet.report.repeat import page
from nondet.report.repeat.progress import Bars, Lines

SIZES = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
Decorated = TypeVar("Decorated", bound=Callable[..., Any])
UNITS = {"s": 1, "m": 60, "h": 3600}
INTERRUPTED = 130
INTERNAL_ERROR = 70


class Duration(click.ParamType[float]):
    """Seconds from ``90s``, ``20m``, ``2h`` or a bare number."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(value).strip())
        if match is None or float(match[1]) <= 0:
            self.fail(f"{value!r} is no duration: expected one like 90s, 20m or 2h", param, ctx)
        return float(match[1]) * UNITS[match[2] or "s"]


class Size(click.ParamType[int]):
    """Bytes from ``256M``, ``4G`` or a bare number."""

    name = "size"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+)\s*([KMGT]?)(?:i?B)?", str(value).strip(), re.IGNORECASE)
        if match is None:
            self.fail(f"{value!r} is no size: expected one like 256M, 4G or 0", param, ctx)
        return int(match[1]) << SIZES[match[2].upper()]


class Names(click.ParamType[tuple[str, ...]]):
    """Factor names, separated by commas."""

    name = "names"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:
        known = [factor.name for factor in REGISTRY]
        names = tuple(name.strip() for name in str(value).split(",") if name.strip())
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else "see `nondet factors`"
                self.fail(f"{name!r} is no factor: {hint}", param, ctx)
        return names


class Main(click.RichGroup):
    """The command: whatever goes wrong is one clear line and an exit code of its own."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        extra["standalone_mode"] = False
        try:
            result = super().main(*args, **extra)
        except click.ClickException as error:
            context = error.ctx if isinstance(error, click.UsageError) else None
            command = context.command_path if context else "nondet"
            complain("usage", f"{error.format_message().rstrip('.')}; see `{command} --help`")
        except click.Abort:
            complain(
                "interrupted",
                "interrupted before a diagnosis was written: --resume goes on from what has ended",
                INTERRUPTED,
            )
        except Exception:
            # Python's own exit code for this is 1, which says that causes were found.
            traceback.print_exc()
            complain("internal-error", "this is a bug of nondet: please report it", INTERNAL_ERROR)
        if standalone_mode:
            sys.exit(result if isinstance(result, int) else 0)
        return result


@click.group(cls=Main, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nondet")
def main() -> None:
    """Why won't this training run repeat?

    nondet runs a script again and again in fresh processes, holds one source of nondeterminism at
    a time, compares the weights of every layer, and names the sources that break reproducibility,
    each proven by trials.
    """


@main.command()
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
@click.option(
    "--python",
    default=sys.executable,
    metavar="PATH",
    help="Interpreter that runs the script  [default: the one running nondet]",
)
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
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 0.9999),
    default=0.95,
    show_default=True,
    help="How sure to be that a divergence at --rate would have shown.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0.001, 1),
    default=0.5,
    show_default=True,
    metavar="P",
    help="Smallest rate of divergence that must not be missed.",
)
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
@click.option("--factors", type=Names(), metavar="LIST", help="Toggle these factors only.")
@click.option("--skip", type=Names(), default="", metavar="LIST", help="Leave these factors alone.")
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
@click.option(
    "--executor",
    type=click.Choice(["local"]),
    default="local",
    show_default=True,
    help="Where trials run.",
)
@click.option("--quiet", is_flag=True, help="No live view.")
@click.option("--json", "as_json", is_flag=True, help="The record on standard output.")
@click.argument("script")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def diagnose(script: str, args: tuple[str, ...], **options: Any) -> None:
    """Find out why SCRIPT gives another result in every run.

    Options go before SCRIPT; everything after it belongs to the script.
    """
    with usage_errors():
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
    try:
        subject = subjects.check(script, args, options["python"])
    except BrokenSubject as broken:
        outputs.prepare(folder, resume=options["resume"], force=options["force"])
        named = record.Subject(script=script, args=args, python=options["python"])
        diagnosis = broken_before_trials(named, broken)
        code = finish(diagnosis, folder, Silent())
        show(diagnosis, folder, options["as_json"])
        return code
    plugins = tuple(read_plugin(path) for path in options["plugins"])
    outputs.prepare(folder, resume=options["resume"], force=options["force"])
    with watching(quiet) as watcher, Interruption() as interruption:
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
        )
        diagnosis = Diagnosing(subject, chosen, watcher, interruption.check).run()
        code = finish(diagnosis, folder, watcher)
    show(diagnosis, folder, options["as_json"])
    return code


def finish(diagnosis: record.Diagnosis, folder: Path, watcher: Watcher) -> int:
    """Write the record first, then the page made from it; returns the exit code."""
    outputs.write_whole(folder / "diagnosis.json", record.encode(diagnosis))
    outputs.write_whole(folder / "report.html", html.render(diagnosis).encode("utf-8"))
    if not diagnosis.interrupted:
        outputs.drop_values(folder)
    watcher.closed(diagnosis, str(folder / "report.html"))
    return INTERRUPTED if diagnosis.interrupted else record.EXIT_CODES[diagnosis.verdict]


def show(diagnosis: record.Diagnosis, folder: Path, as_json: bool) -> None:
    """The summary for people, or the record for programs."""
    if as_json:
        sys.stdout.buffer.write(record.encode(diagnosis))
        sys.stdout.buffer.flush()
    else:
        terminal.print_summary(Console(), diagnosis, str(folder / "report.html"))


@contextlib.contextmanager
def watching(
    quiet: bool, live: type[Live | Bars] = Live, plain: type[Plain] = Plain
) -> Iterator[Watcher]:
    """A live view on a terminal, plain lines elsewhere, nothing when quiet.

    On standard error: standard output is for the summary, or the record.
    """
    if quiet:
        yield Silent()
    else:
        with live() if sys.stderr.isatty() else plain() as watcher:
            yield watcher


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """One clear line on standard error, and exit code 2."""
    try:
        yield
    except UsageError as error:
        complain(error.slug, error.message)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            complain("disk-full", "no space left on the disk: free some, then go on with --resume")
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            complain(
                "not-writable",
                f"can't write {error.filename} ({error.strerror}): change its permissions",
            )
        raise


def complain(slug: str, message: str, code: int = 2) -> NoReturn:
    click.echo(f"nondet: {shown(message)} [{slug}]", err=True)
    sys.exit(code)


FORMATS = {
    "json": lambda diagnosis: record.encode(diagnosis).decode(),
    "sarif": sarif.render,
    "junit": junit.render,
    "markdown": markdown.render,
}


@main.command()
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
            report_repetition(folder, form)
            return
        diagnosis = outputs.read_diagnosis(folder)
        if form in FORMATS:
            sys.stdout.buffer.write(FORMATS[form](diagnosis).encode())
            sys.stdout.buffer.flush()
            return
        outputs.write_whole(folder / "report.html", html.render(diagnosis).encode("utf-8"))
        terminal.print_summary(Console(), diagnosis, str(folder / "report.html"))


@main.command()
@click.option("--apply", "wanted", is_flag=True, help="Write the change, with a backup beside.")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
def fix(folder: Path, wanted: bool) -> None:
    """Show the change that the diagnosis in DIR asks for, as a patch, or apply it."""
    with usage_errors():
        diagnosis = outputs.read_diagnosis(folder)
        if wanted:
            for path, kept in fixing.apply(diagnosis):
                click.echo(f"{path}: changed; as it was: {kept.name}", err=True)
        terminal.print_fix(Console(), Console(stderr=True), diagnosis)


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
    click.option(
        "--python",
        default=sys.executable,
        metavar="PATH",
        help="Interpreter that runs the script  [default: the one running nondet]",
    ),
    click.option("--quiet", is_flag=True, help="Say nothing unless a pin does not hold."),
)
"""Options of what runs a script once."""


def pinning(command: Decorated) -> Decorated:
    for option in reversed(PINNING):
        command = option(command)
    return command


@main.command()
@pinning
@click.argument("script")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
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
        held |= foreground.prescribed(diagnosis)
        seed = diagnosis.seed if seed is None else seed
    held |= dict.fromkeys(options["pinned"], "pinned") | dict.fromkeys(
        options["ablated"], "ablated"
    )
    try:
        subject = subjects.check(script, args, options["python"])
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


@main.command("record")
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
@click.argument("script")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
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
    path = options["output"] or Path(Path(script).stem + ".nd")
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
        complain("not-recorded", "nothing was recorded, since the script failed", ran.code)
    if not options["quiet"]:
        click.echo(f"nondet: written {shown(str(path))}", err=True)
    return code


@main.command()
@click.option("--json", "as_json", is_flag=True, help="The comparison as a record.")
@click.argument("one", type=click.Path(path_type=Path), metavar="A.nd")
@click.argument("other", type=click.Path(path_type=Path), metavar="B.nd")
def diff(one: Path, other: Path, as_json: bool) -> None:
    """Compare two recorded runs: do they agree, where do they part, and what was different.

    The exit code is 0 when they agree bit for bit, 1 when they don't, and 2 when it can't be told.
    """
    with usage_errors():
        with portable.opened(one) as first, portable.opened(other) as second:
            found = across.compare(first, second)
        if as_json:
            sys.stdout.buffer.write(runs.encode(found))
            sys.stdout.buffer.flush()
        else:
            contrast.print_comparison(Console(), found)
        sys.exit(not found.agree)


@main.command()
@click.option(
    "--runs",
    type=click.IntRange(2),
    metavar="N",
    help="So many runs must agree  [default: as many as --confidence and --rate ask for: 6]",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 0.9999),
    default=0.95,
    show_default=True,
    help="How sure to be that a divergence at --rate would have shown.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0.001, 1),
    default=0.5,
    show_default=True,
    metavar="P",
    help="Smallest rate of divergence that must not be missed.",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Fail as well when the runs leave this one, which `nondet record` wrote.",
)
@click.option(
    "--python",
    default=sys.executable,
    metavar="PATH",
    help="Interpreter that runs the script  [default: the one running nondet]",
)
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
@click.argument("script")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
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
        subject = subjects.check(script, args, options["python"])
    except BrokenSubject as broken:
        complain(broken.slug, broken.message, record.EXIT_CODES["broken"])
    needed = stats.comparisons_needed(options["rate"], options["confidence"])
    gate = checking.Gate(
        comparisons=options["runs"] - 1 if options["runs"] else needed,
        level=options["confidence"],
        jobs=options["jobs"],
        budget=options["budget"],
        timeout=options["timeout"],
    )
    base = portable.opened(options["baseline"]) if options["baseline"] else None
    with contextlib.ExitStack() as stack:
        room = stack.enter_context(scratch.Private(Path(tempfile.gettempdir())))
        baseline = stack.enter_context(base) if base is not None else None
        watcher = stack.enter_context(watching(options["quiet"] or options["as_json"]))
        look = stack.enter_context(Interruption()).check
        try:
            found = checking.check(subject, gate, room / "check", watcher, baseline, look)
        except KeyboardInterrupt:
            complain("interrupted", "interrupted before it was known", INTERRUPTED)
    if options["as_json"]:
        sys.stdout.buffer.write(runs.encode(found))
        sys.stdout.buffer.flush()
    else:
        contrast.print_check(Console(), found)
    return CHECKED[found.verdict]


@main.command()
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
@click.option(
    "--python",
    default=sys.executable,
    metavar="PATH",
    help="Interpreter that runs the script  [default: the one running nondet]",
)
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
@click.argument("script")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def repeat(script: str, args: tuple[str, ...], **options: Any) -> None:
    """Run SCRIPT many times as it is, and tell how its results spread.

    Options go before SCRIPT; everything after it belongs to the script.
    """
    with usage_errors():
        sys.exit(run_repeat(script, args, options))


repeat.allow_interspersed_args = False


def run_repeat(script: str, args: tuple[str, ...], options: dict[str, Any]) -> int:
    """Repeat, write record and page, tell; returns the exit code."""
    folder: Path = options["output"]
    if options["named"] is not None and options["diagnosed"] is not None:
        raise click.UsageError("--sources and --from both say which sources: give one")
    wanted = patterns.read(options["texts"])
    ready = {"resume": options["resume"], "force": options["force"], "kind": outputs.REPETITION}
    try:
        subject = subjects.check(script, args, options["python"])
    except BrokenSubject as broken:
        outputs.prepare(folder, **ready)
        named = record.Subject(script=script, args=args, python=options["python"])
        return finish_repeat(broken_before_runs(named, broken), folder, options["as_json"])
    shared = None
    if options["named"] is not None:
        shared = sources.named(options["named"], unavailable(subject))
    elif options["by_source"] or options["diagnosed"] is not None:
        shared = sources.diagnosed(options["diagnosed"], subject)
    outputs.prepare(folder, **ready)
    quiet = options["quiet"] or options["as_json"]
    with watching(quiet, Bars, Lines) as watcher, Interruption() as interruption:
        chosen = RepeatOptions(
            output=folder,
            runs=options["runs"],
            jobs=options["jobs"],
            timeout=options["timeout"],
            budget=options["budget"],
            resume=options["resume"],
            patterns=wanted,
            sources=shared,
        )
        found = Repeating(subject, chosen, watcher, interruption.check).run()
    return finish_repeat(found, folder, options["as_json"])


def unavailable(subject: subjects.Subject) -> dict[str, str]:
    """Factors that can't be held here, with the reason."""
    return Diagnosing(subject, Options(output=Path()), Silent()).not_tested


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
        sys.stdout.buffer.write(repetition.encode(found))
        sys.stdout.buffer.flush()
    else:
        repeat_terminal.print_summary(Console(), found, str(path))


def report_repetition(folder: Path, form: str) -> None:
    """Render the page of a repetition again."""
    if form not in ("html", "json"):
        raise UsageError(
            "format-of-a-diagnosis",
            f"--format {form}: {folder} holds a repetition, which is told as html or json",
        )
    show_repetition(outputs.read_repetition(folder), folder, form == "json")


@main.command()
def factors() -> None:
    """List the factors: what can be held or let go."""
    terminal.print_factors(Console(), [(f.name, f.group, f.title, f.explanation) for f in REGISTRY])
