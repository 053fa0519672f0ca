"""Plugins: small Python files of the user's that name a library's own generator.

The host reads their text alone; only trials execute them.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
from pathlib import Path

from nondet.host.errors import UsageError

FUNCTIONS = {"seed": 2, "draw": 1}
"""What a plugin defines, with the number of arguments that it is called with."""


@dataclasses.dataclass(frozen=True)
class Plugin:
    """A plugin as its file says it."""

    path: Path
    """Absolute."""
    module: str
    """Dotted name of the library's module whose import it waits for."""
    advice: str
    """The call that seeds the library."""
    sha256: str
    """Of the file's bytes."""

    @property
    def edits(self) -> tuple[tuple[str, str], ...]:
        """What to write, by the start of a sighting's detail, as factors have it."""
        return (
            (f"{self.module}.", f"{self.advice}  # before the first draw"),
            (f"{self.module} is imported", f"{self.advice}  # right after the import"),
        )


def read(path: Path) -> Plugin:
    """The plugin in that file. Raises UsageError."""
    path = path.absolute()
    try:
        source = path.read_bytes()
    except OSError as error:
        why = error.strerror or error
        raise UsageError("plugin-unreadable", f"the plugin {path} can't be read: {why}") from error
    try:
        tree = ast.parse(source, str(path))
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        text = error.msg if isinstance(error, SyntaxError) else error
        raise not_one(path, f"it is not Python ({text}{line})") from error
    module = constant(path, tree, "MODULE")
    if module is None or not all(part.isidentifier() for part in module.split(".")):
        raise not_one(path, 'it has no line such as MODULE = "mylib.random"')
    for name, count in FUNCTIONS.items():
        check_function(path, tree, name, count)
    check_names(path, tree, "DRAWS")
    seeds = check_names(path, tree, "SEEDS")
    advice = constant(path, tree, "ADVICE")
    if advice is None:
        advice = f"{module}.{seeds[0]}(42)" if seeds else f"# seed {module} here"
    return Plugin(path, module, advice, hashlib.sha256(source).hexdigest())


def not_one(path: Path, why: str) -> UsageError:
    return UsageError("not-a-plugin", f"{path} is no plugin: {why}; see docs/plugins.md")


def assigned(tree: ast.Module, name: str) -> ast.expr | None:
    """The value of the last assignment to a name at the top of the file."""
    found = None
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            found = node.value
    return found


def constant(path: Path, tree: ast.Module, name: str) -> str | None:
    """A text given literally; None where the name is not assigned."""
    value = assigned(tree, name)
    if value is None:
        return None
    if not isinstance(value, ast.Constant) or not isinstance(value.value, str) or not value.value:
        raise not_one(path, f"{name} is to be a text in quotes (line {value.lineno})")
    return value.value


def check_names(path: Path, tree: ast.Module, name: str) -> tuple[str, ...]:
    """Dotted names given literally; none where there is no such assignment."""
    value = assigned(tree, name)
    if value is None:
        return ()
    items = value.elts if isinstance(value, (ast.Tuple, ast.List)) else None
    names = [item.value for item in items or () if isinstance(item, ast.Constant)]
    texts = tuple(text for text in names if isinstance(text, str))
    if items is None or len(texts) != len(items):
        example = f'{name} = ("sample", "Series.shuffle")'
        raise not_one(path, f"{name} is to hold names, as in {example} (line {value.lineno})")
    return texts


def check_function(path: Path, tree: ast.Module, name: str, count: int) -> None:
    arguments = "module, number" if count == 2 else "module"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            positional = [*node.args.posonlyargs, *node.args.args]
            required = len(positional) - len(node.args.defaults)
            if required > count or (len(positional) < count and node.args.vararg is None):
                raise not_one(path, f"{name} is to take ({arguments}) (line {node.lineno})")
            return
    raise not_one(path, f"it defines no function {name}({arguments})")
