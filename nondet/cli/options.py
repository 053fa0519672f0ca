"""Kinds of values that options take, and options that several commands have."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

import rich_click as click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from nondet.guest.factors import CLUSTER, REGISTRY
from nondet.guest.factors.base import Factor
from nondet.host import interpreters
from nondet.host.executors.cluster.dask_engine import FORMS, parse


def files(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """For a shell: the names of files. Without this it completes nothing for a plain argument."""
    return [CompletionItem(incomplete, type="file")]


python = click.option(
    "--python",
    default=interpreters.default,
    metavar="PATH",
    shell_complete=files,
    help="Interpreter that runs the script  [default: that of the activated environment, else the "
    "one running nondet]",
)
confidence = click.option(
    "--confidence",
    type=click.FloatRange(0.5, 0.9999),
    default=0.95,
    show_default=True,
    help="How sure to be that a divergence at --rate would have shown.",
)
rate = click.option(
    "--rate",
    type=click.FloatRange(0.001, 1),
    default=0.5,
    show_default=True,
    metavar="P",
    help="Smallest rate of divergence that must not be missed.",
)
as_module = click.option(
    "--module", "-m", "as_module", is_flag=True, help="SCRIPT is a module's name, as in python -m."
)


OF_THE_RESULT = ("output", "resume", "force", "quiet", "as_json", "as_module")
"""Options that a command which goes on says for itself, or that only bear on what is shown."""


def given(ctx: click.Context) -> tuple[str, ...]:
    """The options that a command line names, as words of another one that goes on."""
    words: list[str] = []
    for param in ctx.command.params:
        name = param.name or ""
        if not isinstance(param, click.Option) or name in OF_THE_RESULT:
            continue
        if ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value = ctx.params[name]
        if param.is_flag:
            words.append(param.opts[0] if value else param.secondary_opts[0])
        else:
            for each in value if param.multiple else (value,):
                words += [param.opts[0], spelled(each)]
    return tuple(words)


def spelled(value: object) -> str:
    """A value as it is written behind an option."""
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


class Executor(click.ParamType[str]):
    """Where trials run."""

    name = "executor"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        if not parse(value):
            self.fail(f"{value!r} is no place for trials: expected {FORMS}", param, ctx)
        return str(value)

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
        known = ("local", "dask://", "slurm")
        return [CompletionItem(name) for name in known if name.startswith(incomplete)]


EVERYWHERE = REGISTRY + CLUSTER
"""Factors that a diagnosis may be asked about."""
executor = click.option(
    "--executor",
    type=Executor(),
    default="local",
    show_default=True,
    metavar="SPEC",
    help="Where trials run: local, dask://HOST:PORT or slurm[:PARTITION].",
)

SIZES = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
UNITS = {"s": 1, "m": 60, "h": 3600}


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

    def __init__(self, factors: Sequence[Factor] = REGISTRY) -> None:
        self.factors = factors

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:
        known = [factor.name for factor in self.factors]
        names = tuple(name.strip() for name in str(value).split(",") if name.strip())
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else "see `nondet factors`"
                self.fail(f"{name!r} is no factor: {hint}", param, ctx)
        return names

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
        """Of the last name of the list, beside those that it has."""
        given, comma, last = incomplete.rpartition(",")
        return [
            CompletionItem(given + comma + factor.name)
            for factor in self.factors
            if factor.name.startswith(last) and factor.name not in given.split(",")
        ]
