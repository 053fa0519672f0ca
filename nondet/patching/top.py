"""Puts statements at the top of a script: behind its imports, before anything draws."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

import libcst as cst
from libcst.helpers import get_full_name_for_node

from nondet.patching.names import Names, renamed

Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement

ENVIRONMENT = ("os.environ", "os.putenv", "sys.path", "warnings.", "logging.")
"""What scripts set up among their imports, because it has to come before some of them."""
SEED_ALL = "keras.utils.set_random_seed"
SAME = {"keras": ("tensorflow.keras", "tf_keras")}
"""What has that function as well: TensorFlow's own Keras, since 2.7."""


class Top:
    """What is put at the top of a module, and the names that it has there.

    An import that the script has done by there is not repeated, and its own name for the module is
    used. A name that stands for something else in the script stays free for that.
    """

    def __init__(
        self,
        module: cst.Module,
        place: int,
        snippets: Sequence[str],
        uses: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """`place`: the number of statements that stand before it. `uses`: for snippets the
        templates of `Rewrite`, of calls anywhere in the module, in which their names are used."""
        before = module.with_changes(body=module.body[:place])
        self.names = Names(module.code, before.code)
        self.aliases: dict[str, dict[str, str]] = {}
        """For each snippet its names, and those that stand for them here."""
        self.given: dict[tuple[str, bool], str] = {}
        self.imports: dict[str, None] = {}
        self.lines: dict[str, None] = {}
        for snippet in snippets:
            self.aliases[snippet] = {}
            self.add(snippet, (uses or {}).get(snippet, ()))

    @property
    def text(self) -> str:
        return "\n".join((*self.imports, *self.lines))

    def add(self, snippet: str, templates: Sequence[str]) -> None:
        aliases = self.aliases[snippet]
        for statement in cst.parse_module(snippet).body:
            code = cst.Module([]).code_for_node(statement).strip()
            if is_import(statement):
                for target, name in targets(statement):
                    everywhere = any(mentions(template, name) for template in templates)
                    also = SAME.get(target, ()) if only_seeds(snippet, templates) else ()
                    aliases[name] = self.imported(target, name, code, everywhere, also)
                continue
            for name in assigned(statement):
                everywhere = any(mentions(template, name) for template in templates)
                aliases[name] = self.own(name, code, everywhere)
            line = statement.visit(Renamed(aliases))
            if isinstance(line, cst.CSTNode):
                self.lines[cst.Module([]).code_for_node(line).strip()] = None

    def imported(
        self, target: str, name: str, code: str, everywhere: bool, also: Sequence[str]
    ) -> str:
        """The name by which the script has, or gets, what a snippet imports. `also`: what does as
        well, where the script calls that so."""
        found = self.names.of((target,), everywhere)
        if found is None and not self.names.free(name, target, everywhere):
            found = self.names.of((target, *also), everywhere)
        if found is not None:
            return found
        key = (target, everywhere)
        if key not in self.given:
            self.given[key] = name
            if not self.names.free(name, target, everywhere):
                last = target.rpartition(".")[2]
                self.given[key] = self.names.new(last, (last, f"{last}_module"))
            self.imports[naming(code, target, self.given[key])] = None
        return self.given[key]

    def own(self, name: str, code: str, everywhere: bool) -> str:
        """The name for what a snippet makes."""
        key = (code, everywhere)
        if key not in self.given:
            free = self.names.free(name, code, everywhere)
            self.given[key] = name if free else self.names.new(name, ())
        return self.given[key]


def inserted(
    module: cst.Module, snippets: Sequence[str], drawing: Collection[str] = ()
) -> cst.Module:
    """The module with these statements behind its imports. `drawing`: names of modules of the
    user's that draw while they are imported, which the statements must precede."""
    place = end_of_imports(module.body, drawing)
    return put(module, place, Top(module, place, snippets).text)


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


def end_of_imports(body: Sequence[cst.BaseStatement], drawing: Collection[str] = ()) -> int:
    """The place behind the last of the imports that come before anything runs."""
    place = 0
    for i, statement in enumerate(body):
        if i == 0 and is_docstring(statement):
            place = 1
        elif any(target.split(".")[0] in drawing for target, _ in targets(statement)):
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


# Not libcst.matchers, which take longer to import than all the rest of libcst.
def within(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The node and all below it."""
    yield node
    for child in node.children:
        yield from within(child)


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


def is_import(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and all(
        isinstance(part, cst.Import | cst.ImportFrom) for part in statement.body
    )


def is_docstring(statement: cst.CSTNode) -> bool:
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return False
    (part,) = statement.body
    return isinstance(part, cst.Expr) and isinstance(
        part.value, cst.SimpleString | cst.ConcatenatedString
    )


def targets(statement: cst.CSTNode) -> Iterator[tuple[str, str]]:
    """What an import binds: the dotted name of the module or thing, and the name given to it.

    Also those within a ``try`` or an ``if``. `import a.b` binds ``a``, as ``a``.
    """
    for node in within(statement):
        if isinstance(node, cst.Import):
            for alias in node.names:
                dotted = alias.evaluated_name
                if alias.evaluated_alias:
                    yield dotted, alias.evaluated_alias
                else:
                    yield dotted.split(".")[0], dotted.split(".")[0]
        elif isinstance(node, cst.ImportFrom) and not isinstance(node.names, cst.ImportStar):
            module = get_full_name_for_node(node.module) if node.module else ""
            for alias in node.names:
                name = alias.evaluated_alias or alias.evaluated_name
                yield f"{module}.{alias.evaluated_name}".lstrip("."), name


def naming(code: str, target: str, name: str) -> str:
    """An import with that name for its target alone. That of ``a.b``, as ``a``, stays as it is."""
    home, _, last = target.rpartition(".")
    if code.startswith("from "):
        code = f"from {home} import {last}"
    elif code.partition(" as ")[0] == f"import {target}":
        code, last = f"import {target}", target
    else:
        return code
    return code if name == last else f"{code} as {name}"


def assigned(statement: cst.CSTNode) -> Iterator[str]:
    """The names that a statement of a snippet assigns to."""
    if isinstance(statement, cst.SimpleStatementLine):
        for part in statement.body:
            if isinstance(part, cst.Assign):
                for one in part.targets:
                    if isinstance(one.target, cst.Name):
                        yield one.target.value


def mentions(template: str, name: str) -> bool:
    return renamed(template, {name: ""}) != template


def only_seeds(snippet: str, templates: Sequence[str]) -> bool:
    """Whether nothing of Keras is used but what seeds all at once."""
    return not templates and set(re.findall(r"\bkeras\.[\w.]+", snippet)) == {SEED_ALL}


class Renamed(cst.CSTTransformer):
    """Uses the script's own names of modules."""

    def __init__(self, aliases: dict[str, str]) -> None:
        super().__init__()
        self.aliases = aliases

    def visit_Attribute_attr(self, node: cst.Attribute) -> None:
        self.inside = True

    def leave_Attribute_attr(self, node: cst.Attribute) -> None:
        self.inside = False

    def visit_Arg_keyword(self, node: cst.Arg) -> None:
        self.inside = True

    def leave_Arg_keyword(self, node: cst.Arg) -> None:
        self.inside = False

    inside = False

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:
        name = self.aliases.get(updated_node.value)
        if name is None or self.inside:
            return updated_node
        return updated_node.with_changes(value=name)


def starts_with_blank_line(statement: cst.CSTNode) -> bool:
    lines: Sequence[cst.EmptyLine] = getattr(statement, "leading_lines", ())
    return len(lines) > 0 and lines[0].comment is None


def with_blank_line(statement: Statement) -> Statement:
    return statement.with_changes(
        leading_lines=[cst.EmptyLine(indent=False), *getattr(statement, "leading_lines", ())]
    )
