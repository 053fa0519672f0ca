"""What all commands share: errors as one clear line, exit codes, and a view of what runs."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Iterator
from typing import Any, NoReturn

import rich_click as click

from nondet.cli.reader import may_leave
from nondet.host.errors import RESUME, SHORTAGES, UsageError, failure
from nondet.host.interrupting import as_ctrl_c, ends_heard
from nondet.host.watching import Silent, Watcher
from nondet.report.live import Live
from nondet.report.plain import Plain, shown
from nondet.report.repeat.progress import Bars

INTERRUPTED = 130
INTERNAL_ERROR = 70


class Main(click.RichGroup):
    """The command: whatever goes wrong is one clear line and an exit code of its own."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        # Of which Sized says more; help has a console of its own.
        if os.environ.get("COLUMNS") == "0":
            click.rich_click.WIDTH = 80
        with may_leave():
            return self._main(*args, standalone_mode=standalone_mode, **extra)

    def _main(self, *args: Any, standalone_mode: bool, **extra: Any) -> Any:
        extra["standalone_mode"] = False
        try:
            with ends_heard(), as_ctrl_c():
                try:
                    result = super().main(*args, **extra)
                finally:
                    sys.stdout.flush()  # help is only printed
        except click.ClickException as error:
            context = error.ctx if isinstance(error, click.UsageError) else None
            command = context.command_path if context else "nondet"
            complain("usage", f"{error.format_message().rstrip('.')}; see `{command} --help`")
        except click.Abort:
            complain(
                "interrupted",
                "interrupted before there was a result: where the command has --resume, that "
                "goes on from what has ended",
                INTERRUPTED,
            )
        except Exception as error:
            if isinstance(error, OSError) and error.errno in SHORTAGES:
                short = failure(error, "try again")
                complain(short.slug, short.message)
            # Python's own exit code for this is 1, which says that causes were found.
            traceback.print_exc()
            complain("internal-error", "this is a bug of nondet: please report it", INTERNAL_ERROR)
        if standalone_mode:
            sys.exit(result if isinstance(result, int) else 0)
        return result

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            # Click would take it for a reader that has gone, say nothing, and end with 1, which
            # says that causes were found.
            raise RuntimeError("a pipe broke that was not the output's") from error


def write(data: bytes) -> None:
    """A record to standard output."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


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
    except MemoryError:
        complain("out-of-memory", f"nondet itself got no more memory: free some, then {_then()}")
    except OSError as error:
        if error.errno in SHORTAGES:
            short = failure(error, _then())
            complain(short.slug, short.message)
        if error.errno == errno.EISDIR:
            complain(
                "not-writable",
                f"can't write {error.filename}: a folder has this name; move it away",
            )
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            complain(
                "not-writable",
                f"can't write {error.filename} ({error.strerror}): change its permissions",
            )
        raise


def _then() -> str:
    """What to do with the command once what stopped it is mended."""
    context = click.get_current_context(silent=True)
    named = [param.name for param in context.command.params] if context is not None else []
    return RESUME if "resume" in named else "try again"


def complain(slug: str, message: str, code: int = 2) -> NoReturn:
    click.echo(f"nondet: {shown(message)} [{slug}]", err=True)
    sys.exit(code)
