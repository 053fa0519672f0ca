"""The launch line: the environment that a script is started with, where no code holds a cause."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from nondet.guest.factors.base import Factor

TENSORFLOW = "tensorflow"
OF_TENSORFLOW = "TF_"
"""How the names of its variables begin."""
FLAGS = ("XLA_FLAGS",)
"""Variables that hold flags one after another, of which the last of two that are alike wins: flags
are added to those that are there, where another variable is replaced."""


def launching(factor: Factor, frameworks: Mapping[str, str]) -> list[tuple[str, str]]:
    """The environment of a factor's launch line, without what only TensorFlow reads where there is
    none."""
    return [
        (name, value)
        for name, value in factor.launch
        if TENSORFLOW in frameworks or not name.startswith(OF_TENSORFLOW)
    ]


def together(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The variables of several factors: flags that they add, of others what they are."""
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = added(found.get(name, ""), value) if name in FLAGS else value
    return found


def added(before: str, flags: str) -> str:
    """Flags after those that are there."""
    kept = [flag for flag in before.split() if flag not in flags.split()]
    return " ".join((*kept, *flags.split()))


def within(environ: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """An environment with the launch line's variables."""
    return together([*environ.items(), *variables.items()])


def line(variables: Mapping[str, str], started: str) -> str:
    """For a shell, with `started` behind it; empty without variables."""
    words = [f"{name}={_value(name, value)}" for name, value in variables.items()]
    return " ".join((*words, started)) if words else ""


def _value(name: str, value: str) -> str:
    """The user's own flags stay."""
    return f'"${name} {value}"' if name in FLAGS else shlex.quote(value)


def holds(factor: Factor, variables: Mapping[str, str]) -> bool:
    """Whether a launch line with these variables has what a factor asks for in it."""
    return any(
        variables.get(name) == value
        or (name in FLAGS and set(value.split()) <= set(variables.get(name, "").split()))
        for name, value in factor.launch
    )
