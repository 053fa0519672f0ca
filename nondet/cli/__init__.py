"""The command line: a leaf, which everything else ignores."""

from __future__ import annotations

import rich_click as click

from nondet import __version__
from nondet.cli.comparing import check, diff
from nondet.cli.diagnosing import diagnose
from nondet.cli.frame import INTERRUPTED, Main
from nondet.cli.machine import doctor, probe
from nondet.cli.once import record_command, run
from nondet.cli.reading import factors, fix, report
from nondet.cli.repeating import repeat

__all__ = ["INTERRUPTED", "diagnose", "main", "repeat"]


@click.group(cls=Main, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nondet")
def main() -> None:
    """Why won't this training run repeat?

    nondet runs a script again and again in fresh processes, holds one source of nondeterminism at
    a time, compares the weights of every layer, and names the sources that break reproducibility,
    each proven by trials.
    """


COMMANDS = (
    check, diagnose, diff, doctor, factors, fix, probe, record_command, repeat, report, run,
)  # fmt: skip

for command in COMMANDS:
    main.add_command(command)
