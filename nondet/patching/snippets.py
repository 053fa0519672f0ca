"""What is put at the top of a script, in the script's own names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import libcst as cst
from libcst.helpers import get_full_name_for_node

from nondet.patching.names import Names, renamed

SEED_ALL = "keras.utils.set_random_seed"
SAME = {"keras": ("tensorflow.keras", "tf_keras")}
"""What has that function as well: TensorFlow's own Keras, since 2.7."""


class Snippets:
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
            # The name of `import a.b`, which is ``a``, can't be another.
            alone = code.startswith("from ") or code.partition(" as ")[0] == f"import {target}"
            if alone and not self.names.free(name, target, everywhere):
                last = target.rpartition(".")[2]
                modules = () if code.startswith("from ") else (last, f"{last}_module")
                self.given[key] = self.names.new(last, modules)
            self.imports[naming(code, target, self.given[key]) if alone else code] = None
        return self.given[key]

    def own(self, name: str, code: str, everywhere: bool) -> str:
        """The name for what a snippet makes."""
        key = (code, everywhere)
        if key not in self.given:
            free = self.names.free(name, code, everywhere)
            self.given[key] = name if free else self.names.new(name, ())
        return self.given[key]


def is_import(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and all(
        isinstance(part, cst.Import | cst.ImportFrom) for part in statement.body
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
    """An import of one thing, with that name for it."""
    home, _, last = target.rpartition(".")
    if code.startswith("from "):
        code = f"from {home} import {last}"
    else:
        code, last = f"import {target}", target
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


# Not libcst.matchers, which take longer to import than all the rest of libcst.
def within(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The node and all below it."""
    yield node
    for child in node.children:
        yield from within(child)
