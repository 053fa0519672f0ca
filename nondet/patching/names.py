"""What the names of a script stand for, and which are free for what is put into it."""

from __future__ import annotations

import ast
import builtins
import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from nondet.patching import python

NOTHING, OTHER = "", "="
"""In place of what a name is imported from: it may be bound to nothing yet, or to what is no
import."""
WORD = re.compile(r"[^\W\d]\w*")


class Names:
    """The names of a module, at the place behind its first statements.

    `code`: the whole module; `before`: the statements that have run at that place.
    """

    def __init__(self, code: str, before: str) -> None:
        tree, done = python.tree(code), python.tree(before)
        self.here = standing(done.body if done is not None else [])
        self.everywhere: dict[str, set[str]] = {}
        """For each name what it is bound to, in whatever scope."""
        self.made: set[str] = set()
        if tree is None:
            # Newer than this Python: nothing is known of what comes later.
            self.everywhere = {word: {OTHER} for word in WORD.findall(code)}
            self.unknown: Collection[str] = self.everywhere
            return
        for name, target in everything(tree):
            self.everywhere.setdefault(name, set()).add(target)
        read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        self.unknown = read - set(self.everywhere) - set(vars(builtins))
        """Names that are read and bound nowhere, as those of ``from module import *``."""

    def of(self, targets: Collection[str], everywhere: bool) -> str | None:
        """The name that surely stands for one of these at the place, and with `everywhere` for
        nothing else at any other; None where there is none."""
        found = None
        for name, bound in self.here.items():
            own = bound <= set(targets)
            if own and (not everywhere or self.everywhere.get(name, set()) <= set(targets)):
                found = name
        return found

    def free(self, name: str, target: str, everywhere: bool) -> bool:
        """Whether the name can be bound to that at the place, and the script goes on as it did;
        with `everywhere` it then stands for that at every other place as well."""
        others = set(self.here.get(name, ()))
        if everywhere:
            others |= self.everywhere.get(name, set())
        return others <= {target, NOTHING} and name not in self.unknown

    def new(self, name: str, candidates: Sequence[str]) -> str:
        """The first of these names that the script does not have, else one of that name with a
        number."""
        numbers = (f"{name}_{number}" for number in itertools.count(2))
        found = next(filter(self.unused, itertools.chain(candidates, numbers)))
        self.made.add(found)
        return found

    def unused(self, name: str) -> bool:
        return not any(name in names for names in (self.everywhere, self.unknown, self.made))


def standing(body: Sequence[ast.stmt]) -> dict[str, set[str]]:
    """What each name may stand for once these statements have run."""
    found: dict[str, set[str]] = {}
    for name, target, surely in bindings(body):
        if surely:
            found[name] = {target}
        else:
            found[name] = found.get(name, {NOTHING}) | {target}
    return found


def bindings(body: Sequence[ast.stmt], surely: bool = True) -> Iterator[tuple[str, str, bool]]:
    """What these statements bind at the top of a module, and whether they surely do. What an import
    that failed leaves behind is no binding: the script runs, so it did not fail."""
    for statement in body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield from ((name, target, surely) for name, target in imported(statement))
        elif isinstance(statement, ast.Try):
            yield from bindings(statement.body, surely)
            for handler in statement.handlers:
                yield from (one for one in bindings(handler.body, surely=False) if one[1] != OTHER)
            yield from bindings([*statement.orelse, *statement.finalbody], surely=False)
        elif isinstance(statement, ast.If):
            yield from bindings([*statement.body, *statement.orelse], surely=False)
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name, OTHER, surely
        else:
            names = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
            yield from ((name, OTHER, surely) for node in names for name, _ in bound(node))


def everything(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        yield from bound(node)


def bound(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The names that this node alone binds, and to what."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from imported(node)
    elif isinstance(node, ast.Name):
        if not isinstance(node.ctx, ast.Load):
            yield node.id, OTHER
    elif isinstance(node, ast.arg):
        yield node.arg, OTHER
    elif isinstance(node, ast.MatchMapping):
        if node.rest:
            yield node.rest, OTHER
    else:
        # Functions, classes, handlers of exceptions and patterns.
        name = getattr(node, "name", None)
        if isinstance(name, str) and not isinstance(node, ast.alias):
            yield name, OTHER


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """The names that an import gives, and the dotted name of what each stands for."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            home = "." * node.level + (node.module or "")
            yield alias.asname or alias.name, f"{home}.{alias.name}"
        else:
            first = alias.name.partition(".")[0]
            yield (alias.asname, alias.name) if alias.asname else (first, first)


def renamed(template: str, aliases: Mapping[str, str]) -> str:
    """A template of `Rewrite` with other names; what stands in braces, behind a dot or before the
    value of an argument is none."""
    if not aliases:
        return template
    names = "|".join(map(re.escape, aliases))
    pattern = rf"(?<![\w.{{])(?:{names})(?![\w}}]|\s*=(?!=))"
    return re.sub(pattern, lambda match: aliases[match[0]], template)
