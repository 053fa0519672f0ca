"""The terminal, whatever the environment says of its size."""

from __future__ import annotations

import os

from rich.console import Console

SIZE = ("COLUMNS", "LINES")


class Sized(Console):
    """A console on standard output, or error. Shells say 0 of a size that they don't know, and rich
    would print lines of no width: nothing."""

    def __init__(self, *, stderr: bool = False, quiet: bool = False) -> None:
        environ = dict(os.environ)
        for name in SIZE:
            if environ.get(name) == "0":
                del environ[name]
        super().__init__(stderr=stderr, quiet=quiet, _environ=environ)
