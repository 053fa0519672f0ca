"""Puts statements at the top of a script: behind its imports, before anything draws."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import libcst as cst
from libcst.helpers import get_full_name_for_node

from nondet.patching.snippets import within

Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement

ENVIRONMENT = ("os.environ", "os.putenv", "sys.path", "warnings.", "logging.")
"""What scripts set up among their imports, because it has to come before some of them."""


def put(module: cst.Module, place: int, text: str) -> cst.Module:
    """The module with these statements at that place."""
    if not text:
        return module
    new = list(cst.parse_module(text, config=module.config_for_parsing).body)
    before = list(module.body[:place])
    after = list(module.body[place:])
    if before:
        new[0] = with_blank_line(new[0])
    header = module.header
    if not before and header:
        # Comments at the very top stay there; what the first statement had above it goes along.
        new[0] = with_blank_line(new[0])
    if after and not starts_with_blank_line(after[0]):
        after[0] = with_blank_line(after[0])
    return module.with_changes(body=[*before, *new, *after])


def end_of_imports(
    body: Sequence[cst.BaseStatement], drawing: Collection[str] = (), package: str = ""
) -> int:
    """The place behind the last of the imports that come before anything runs.

    `drawing`: whole names of modules of the user's that draw while they are imported, which it
    precedes. `package`: the one that the module is in.
    """
    place = 0
    branches = {branch(name, package) for name in drawing}
    for i, statement in enumerate(body):
        if i == 0 and is_docstring(statement):
            place = 1
        elif any(branch(name, package) in branches for name in loaded(statement, package)):
            return place
        elif kind(statement) in ("import", "environment"):
            place = i + 1
        elif kind(statement) != "inert":
            break
    return place


def kind(statement: cst.CSTNode) -> str:
    """``import``, ``environment``, ``inert`` (does nothing that could draw) or ``runs``."""
    if isinstance(statement, cst.FunctionDef | cst.ClassDef):
        return "inert"
    if isinstance(statement, cst.SimpleStatementLine):
        kinds = {kind_of_part(part) for part in statement.body}
    elif isinstance(statement, cst.Try | cst.If):
        kinds = {kind(part) for part in parts(statement)}
        if isinstance(statement, cst.If) and calls(statement.test):
            return "runs"
    else:
        return "runs"
    for name in ("runs", "import", "environment"):
        if name in kinds:
            return name
    return "inert"


def kind_of_part(part: cst.CSTNode) -> str:
    if isinstance(part, cst.Import | cst.ImportFrom):
        return "import"
    code = cst.Module([]).code_for_node(part)
    if isinstance(part, cst.Assign | cst.AnnAssign | cst.Expr | cst.Del):
        if code.removeprefix("del ").startswith(ENVIRONMENT):
            return "environment"
        return "runs" if calls(part) else "inert"
    return "inert" if isinstance(part, cst.Pass) else "runs"


def calls(node: cst.CSTNode) -> bool:
    kinds = cst.Call | cst.ListComp | cst.GeneratorExp | cst.DictComp
    return any(isinstance(one, kinds) for one in within(node))


def parts(statement: cst.Try | cst.If) -> Iterator[cst.CSTNode]:
    """The statements of all branches."""
    yield from statement.body.body
    if isinstance(statement, cst.Try):
        for handler in statement.handlers:
            yield from handler.body.body
        if statement.finalbody is not None:
            yield from statement.finalbody.body.body
    orelse = statement.orelse
    if isinstance(orelse, cst.If):
        yield orelse
    elif orelse is not None:
        yield from orelse.body.body


def is_docstring(statement: cst.CSTNode) -> bool:
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return False
    (part,) = statement.body
    return isinstance(part, cst.Expr) and isinstance(
        part.value, cst.SimpleString | cst.ConcatenatedString
    )


def loaded(statement: cst.CSTNode, package: str) -> Iterator[str]:
    """The whole names of what an import asks for, as that of a module in `package`."""
    for node in within(statement):
        if isinstance(node, cst.Import):
            yield from (alias.evaluated_name for alias in node.names)
        elif isinstance(node, cst.ImportFrom):
            above = package.split(".") if node.relative else []
            above = above[: len(above) + 1 - len(node.relative)]
            module = get_full_name_for_node(node.module) if node.module else ""
            if isinstance(node.names, cst.ImportStar):
                names = [""]
            else:
                names = [alias.evaluated_name for alias in node.names]
            for name in names:
                yield ".".join(part for part in (*above, module, name) if part)


def branch(name: str, package: str) -> tuple[str, ...]:
    """What has to be imported first for this module, of what is not there before one in `package`
    runs: the package itself is."""
    parts = name.split(".")
    shared = 0
    for own, part in zip(package.split("."), parts, strict=False):
        if own != part:
            break
        shared += 1
    return tuple(parts[: shared + 1])


def starts_with_blank_line(statement: cst.CSTNode) -> bool:
    lines: Sequence[cst.EmptyLine] = getattr(statement, "leading_lines", ())
    return len(lines) > 0 and lines[0].comment is None


def with_blank_line(statement: Statement) -> Statement:
    return statement.with_changes(
        leading_lines=[cst.EmptyLine(indent=False), *getattr(statement, "leading_lines", ())]
    )
