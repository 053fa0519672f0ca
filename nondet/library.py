"""nondet from Python: what the commands do, as functions that return records.

``import nondet`` offers them as well. Each runs a script in processes of its own, as the command
does, and prints nothing. With `module`, the script is a module's name, as in ``python -m``.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nondet import record as records
from nondet import runs, stats
from nondet.guest.factors import CLUSTER, REGISTRY
from nondet.guest.factors.base import Factor
from nondet.host import across, foreground, gating, portable, scratch
from nondet.host import output as outputs
from nondet.host import subject as subjects
from nondet.host.concluding import broken_before_trials
from nondet.host.diagnosing import Diagnosing
from nondet.host.errors import BrokenSubject, UsageError
from nondet.host.options import Options
from nondet.host.planning import SEED, Settings
from nondet.host.trials import Trial
from nondet.host.watching import Silent, Watcher
from nondet.report import html

__all__ = ["BrokenSubject", "UsageError", "check", "diagnose", "diff", "record"]


def diagnose(
    script: str | os.PathLike[str],
    args: Sequence[str] = (),
    *,
    module: bool = False,
    python: str = sys.executable,
    output: str | os.PathLike[str] | None = None,
    resume: bool = False,
    force: bool = False,
    watcher: Watcher | None = None,
    **options: Any,
) -> records.Diagnosis:
    """Find out why a script gives another result in every run, as `nondet diagnose` does.

    `output`: a folder for record, report and logs; by default nothing is left behind. `options`:
    fields of `nondet.host.options.Options`, such as ``max_trials`` (a number), ``budget``
    (seconds), ``factors`` (names), ``zoom`` and ``verify`` (whether). Ctrl-C ends it with the best
    diagnosis so far, whose `interrupted` is then true; so does a machine that runs out of disk or
    open files, or loses its workers, which `warnings` then tell. Raises UsageError, and OSError
    where that comes before the first trial has ended or what was found can't be written; a script
    that can't run is a diagnosis with the verdict ``broken``.
    """
    path = os.fspath(script)
    for name in ("factors", "skip"):
        if options.get(name) is not None:
            options[name] = _factors(options[name], (*REGISTRY, *CLUSTER))
    with _folder(output, resume, force) as folder:
        try:
            subject = subjects.check(path, tuple(args), python, module)
        except BrokenSubject as broken:
            named = subjects.unchecked(path, tuple(args), python, module)
            found = broken_before_trials(named, broken)
        else:
            chosen = Options(output=folder, resume=resume, **options)
            found = Diagnosing(subject, chosen, watcher or Silent()).run()
        if output is not None:
            outputs.write_whole(folder / "diagnosis.json", records.encode(found))
            outputs.write_whole(folder / "report.html", html.render(found, str(folder)).encode())
            if not found.interrupted:
                outputs.drop_values(folder)
    return found


def check(
    script: str | os.PathLike[str],
    args: Sequence[str] = (),
    *,
    module: bool = False,
    python: str = sys.executable,
    count: int | None = None,
    confidence: float = 0.95,
    rate: float = 0.5,
    baseline: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    budget: float | None = None,
    timeout: float | None = None,
    watcher: Watcher | None = None,
) -> runs.Check:
    """Tell whether a script repeats, and no more, as `nondet check` does.

    `count`: so many runs must agree, at least 2; by default as many as `confidence` and `rate` ask
    for. `baseline`: a file of `record`. `budget` and `timeout` are in seconds. Raises UsageError,
    and BrokenSubject for a script that is no Python.
    """
    needed = stats.comparisons_needed(rate, confidence)
    gate = gating.Gate(
        comparisons=max(1, count - 1) if count is not None else needed,
        exact=count is not None,
        level=confidence,
        jobs=jobs,
        budget=budget,
        timeout=timeout,
    )
    subject = subjects.check(os.fspath(script), tuple(args), python, module)
    with contextlib.ExitStack() as stack:
        room = stack.enter_context(scratch.Private(scratch.temporary()))
        base = portable.opened(Path(baseline)) if baseline is not None else None
        opened = stack.enter_context(base) if base is not None else None
        return gating.check(subject, gate, room / "check", watcher or Silent(), opened)


def record(
    script: str | os.PathLike[str],
    args: Sequence[str] = (),
    *,
    output: str | os.PathLike[str],
    module: bool = False,
    python: str = sys.executable,
    pins: Sequence[str] = (),
    seed: int = SEED,
    granularity: str = "epoch",
    values: int = 256 * 2**20,
) -> runs.RecordedRun:
    """Run a script once and write what it computes to a file, as `nondet record` does.

    `pins`: names of factors to hold; `granularity`: ``epoch`` or ``step``; `values`: bytes of
    tensors that are kept. The script has this process's input and output. Raises UsageError, with
    the slug ``not-recorded`` where the script fails.
    """
    subject = subjects.check(os.fspath(script), tuple(args), python, module)
    portable.check_place(Path(output))
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    written: list[runs.RecordedRun] = []

    def keep(trial: Trial, settings: Settings) -> None:
        written.append(portable.pack(Path(output), trial, settings, started))

    held: dict[str, records.Arm] = dict.fromkeys(_factors(pins, REGISTRY), "pinned")
    foreground.run(subject, held, seed, granularity=granularity, values=values, keep=keep)
    return written[0]


def diff(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> runs.Comparison:
    """Compare two files of `record`, as `nondet diff` does. Raises UsageError."""
    with portable.opened(Path(one)) as first, portable.opened(Path(other)) as second:
        return across.compare(first, second)


def _factors(names: str | Iterable[str], known: Iterable[Factor]) -> tuple[str, ...]:
    """Names of factors, also as one text with commas. Raises UsageError for what is none: left out
    untold, it would be said that nothing holds the runs."""
    there = {factor.name for factor in known}
    listed = names.split(",") if isinstance(names, str) else names
    found = tuple(name.strip() for name in listed)
    for name in found:
        if name not in there:
            raise UsageError("no-such-factor", f"{name!r} is no factor: see `nondet factors`")
    return found


@contextlib.contextmanager
def _folder(output: str | os.PathLike[str] | None, resume: bool, force: bool) -> Iterator[Path]:
    """The folder asked for, made ready, or one that goes."""
    if output is not None:
        folder = Path(output)
        with outputs.prepared(folder, resume=resume, force=force):
            yield folder
        return
    with scratch.Private(scratch.temporary()) as room:
        folder = room / "diagnosis"
        with outputs.prepared(folder, resume=False, force=False):
            yield folder


def in_notebooks() -> None:
    """Have a notebook show a diagnosis as its report. Nothing happens elsewhere."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    formatter = getattr(shell, "display_formatter", None)
    if formatter is not None:
        formatter.formatters["text/html"].for_type(records.Diagnosis, framed)


def framed(diagnosis: records.Diagnosis) -> str:
    """The report in a frame of its own: its style and policy are not the notebook's."""
    from markupsafe import escape

    return (
        f'<iframe srcdoc="{escape(html.render(diagnosis))}" sandbox="allow-scripts" '
        'style="width: 100%; height: 48rem; border: 0" title="nondet report"></iframe>'
    )


in_notebooks()
