"""What damages a valid file, and what a reader of such is: see tests/fuzzing.py."""

from __future__ import annotations

import dataclasses
import io
import json
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from nondet import record
from nondet.cli.reading import INCONSISTENT

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
STRING = re.compile(rb'"[^"\\\n]*"')
KINDS = ("flip", "cut", "drop", "double", "insert", "overwrite", "number", "string", "splice")
PAYLOADS = (
    *(b"", b"\0", b"\n", b"\xff\xfe", b"null", b"true", b"[]", b"{}", b'""', b'"x"', b'"NaN"'),
    *(b"0", b"-1", b"1.5", b"1e999", b"-0.0", b"9" * 400, b"18446744073709551615", b"4294967295"),
    *(b"[" * 20_000, b'{"a":' * 20_000, b"x" * 70_000, b'"../../../dev/zero"', b'"\\ud800"'),
    *(b"\xff" * 8, b"\0" * 48, b"\0\0\0\0\0\0\0\x80", b'"<script>"', b'"float64"', b"NaN", b"{"),
)

INCONSISTENT_SHARE = 0.02
"""Of readable records with single values changed, those whose parts may not go together: were they
more, a page that fails would pass for that."""


@dataclasses.dataclass(frozen=True)
class Change:
    """One change of a file's bytes."""

    kind: str
    where: float
    """In the file, or among its numbers or strings: from 0 to below 1."""
    length: int
    """Bytes; for a flip the bit."""
    payload: bytes

    def __call__(self, data: bytes, other: bytes) -> bytes:
        """`other` is a further valid file, of which a piece is taken."""
        start = int(self.where * len(data))
        end = start + self.length
        match self.kind:
            case "flip" if data:
                changed = bytes([data[start] ^ 1 << self.length % 8])
                return data[:start] + changed + data[start + 1 :]
            case "cut":
                return data[:start]
            case "drop":
                return data[:start] + data[end:]
            case "double":
                return data[:end] + data[start:]
            case "insert":
                return data[:start] + self.payload + data[start:]
            case "overwrite":
                return data[:start] + self.payload + data[start + len(self.payload) :]
            case "number" | "string":
                tokens = list((NUMBER if self.kind == "number" else STRING).finditer(data))
                if not tokens:
                    return data
                token = tokens[int(self.where * len(tokens))]
                return data[: token.start()] + self.payload + data[token.end() :]
            case "splice":
                place = int(self.where * len(other))
                return data[:start] + other[place : place + self.length] + data[end:]
        return data


def drawn(generator: random.Random) -> list[Change]:
    return [
        Change(
            generator.choice(KINDS),
            generator.random(),
            generator.choice((1, 2, 3, 4, 8, 16, 48, 100, 1000)),
            generator.choice(PAYLOADS),
        )
        for _ in range(generator.choice((1, 1, 1, 2, 3, 5)))
    ]


class Target:
    """A reader, with valid files for it."""

    files: Mapping[str, bytes]
    """By name; one of them is damaged at a time."""
    allowed: tuple[type[Exception], ...] = ()
    """What it may raise."""

    def __init__(self, folder: Path) -> None:
        """`folder` is its own."""
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def read(self, name: str, data: bytes) -> None:
        """Read the files, one of which holds this instead. May raise what is allowed."""
        raise NotImplementedError

    def check(self) -> None:
        """Look at all inputs together, once they have been tried."""

    def try_one(self, place: int, changes: Sequence[Change]) -> bool:
        """Whether the damaged file was refused. Raises what is not allowed."""
        names = list(self.files)
        name = names[place % len(names)]
        data, other = self.files[name], self.files[names[(place + 1) % len(names)]]
        for change in changes:
            data = change(data, other)
        try:
            self.read(name, data)
        except self.allowed:
            return True
        return False


class Shown(Target):
    """A record with single values changed, so that it mostly stays valid: what is readable can be
    shown, unless its parts don't go together. It stands before the target that has the files."""

    allowed: tuple[type[Exception], ...] = (record.RecordError, *INCONSISTENT)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.readable = self.inconsistent = 0
        """Inputs that are records, and those of them that could not be shown."""

    def try_one(self, place: int, changes: Sequence[Change]) -> bool:
        names = list(self.files)
        tree = json.loads(self.files[names[place % len(names)]])
        for change in changes:
            twist(tree, change)
        try:
            self.read("", json.dumps(tree).encode())
        except record.RecordError:
            return True
        except self.allowed:
            self.readable += 1
            self.inconsistent += 1
            return True
        self.readable += 1
        return False

    def check(self) -> None:
        assert self.inconsistent <= 3 + self.readable * INCONSISTENT_SHARE, (
            f"{self.inconsistent} of {self.readable} readable records could not be shown"
        )

    def read(self, name: str, data: bytes) -> None:
        # Like a terminal, it takes no text that is no valid Unicode.
        screen = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        self.show(data, Console(file=screen, width=100))

    def show(self, data: bytes, console: Console) -> None:
        """All that is made of a record, in the terminal and as pages."""
        raise NotImplementedError


def twist(tree: Any, change: Change) -> None:
    """Change one value of a JSON tree into another of its kind, so that it mostly stays valid."""
    places: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        keys = node.keys() if isinstance(node, dict) else range(len(node))
        for key in keys:
            places.append((node, key))
            if isinstance(node[key], dict | list):
                waiting.append(node[key])
    node, key = places[int(change.where * len(places))]
    value = node[key]
    if isinstance(value, bool):
        node[key] = not value
    elif isinstance(value, int):
        node[key] = (0, -1, 1, 10**9, 2**62, -(2**62))[change.length % 6]
    elif isinstance(value, float):
        node[key] = (0.0, -1.0, 1e308, 1e-308, -1e308, 0.5)[change.length % 6]
    elif isinstance(value, str):
        node[key] = ("", "x" * 5000, "\0\n</script>", "t99", "é🧪\u202e", "[bold]")[
            change.length % 6
        ]
    elif isinstance(value, list) and change.kind in ("cut", "drop"):
        del value[int(change.where * 7) % (len(value) + 1) :]
    elif isinstance(value, list) and value:
        value.extend(value[: change.length])
    elif isinstance(value, dict) and value and change.kind == "drop":
        value.pop(next(iter(value)))
    elif value is None:
        node[key] = (0, 0.5, "x", [], {}, True)[change.length % 6]
