"""Rewrites calls that stand at given lines of a script."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider


@dataclasses.dataclass(frozen=True)
class Rewrite:
    """One change: the call of that name at that line becomes what the template says.

    A template that begins with ``+`` holds keyword arguments, which the call is given in place of
    those it has: ``+seed=42``. One that begins with ``-`` names such as are taken away. Any other
    is an expression around these: ``{call}``, ``{function}``
    (what is called), ``{owner}`` (what the function is an attribute of), ``{args}`` (all of its
    arguments) and ``{first}`` (the first one): ``sorted({call})``, ``{function}(42)``.
    """

    line: int
    call: str
    """The last part of the name called: ``listdir`` for ``os.listdir(folder)``."""
    template: str


def rewritten(module: cst.Module, rewrites: Sequence[Rewrite]) -> tuple[cst.Module, list[Rewrite]]:
    """The module with these calls rewritten, and the rewrites that found no such call."""
    wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
    collector = Collector(wrapper.resolve(PositionProvider))
    wrapper.module.visit(collector)
    chosen: dict[cst.Call, list[Rewrite]] = {}
    missing = []
    for rewrite in rewrites:
        calls = collector.at(rewrite)
        if not calls:
            missing.append(rewrite)
        for call in calls:
            chosen.setdefault(call, []).append(rewrite)
    return wrapper.module.visit(Rewriter(wrapper.module, chosen)), missing


def name_of(call: cst.Call) -> cst.Name | None:
    """The last part of the name called; None for a call of something else."""
    function = call.func
    if isinstance(function, cst.Attribute):
        return function.attr
    return function if isinstance(function, cst.Name) else None


@dataclasses.dataclass(frozen=True)
class Place:
    call: cst.Call
    name: str
    named_at: int
    """Line of the name called."""
    first: int
    last: int
    """Lines of the whole call."""


class Collector(cst.CSTVisitor):
    """All calls of a module, with their lines."""

    def __init__(self, positions: object) -> None:
        super().__init__()
        self.positions = positions
        self.places: list[Place] = []

    def visit_Call(self, node: cst.Call) -> None:
        name = name_of(node)
        if name is not None:
            whole, own = self.positions[node], self.positions[name]  # type: ignore[index]
            self.places.append(
                Place(node, name.value, own.start.line, whole.start.line, whole.end.line)
            )

    def at(self, rewrite: Rewrite) -> list[cst.Call]:
        """The calls that are meant: all that are named at the line, else the innermost around it.

        Interpreters differ in the line that they tell for a call of several lines.
        """
        alike = [place for place in self.places if place.name == rewrite.call]
        exact = [place.call for place in alike if place.named_at == rewrite.line]
        if exact:
            return exact
        around = [place for place in alike if place.first <= rewrite.line <= place.last]
        around.sort(key=lambda place: place.last - place.first)
        return [place.call for place in around[:1]]


class Rewriter(cst.CSTTransformer):
    def __init__(self, module: cst.Module, chosen: dict[cst.Call, list[Rewrite]]) -> None:
        super().__init__()
        self.module = module
        self.chosen = chosen

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        found: cst.BaseExpression = updated_node
        for rewrite in self.chosen.get(original_node, ()):
            if isinstance(found, cst.Call):
                found = self.changed(found, rewrite.template)
        return found

    def changed(self, call: cst.Call, template: str) -> cst.BaseExpression:
        if template.startswith("+"):
            return with_keywords(call, template[1:])
        if template.startswith("-"):
            return without_keywords(call, template[1:].replace(",", " ").split())
        code = self.module.code_for_node
        function = call.func
        owner = function.value if isinstance(function, cst.Attribute) else None
        bare = [argument.with_changes(comma=cst.MaybeSentinel.DEFAULT) for argument in call.args]
        parts = {
            "{call}": code(call),
            "{function}": code(function),
            "{owner}": code(owner) if owner is not None else "",
            "{args}": ", ".join(code(argument).strip() for argument in bare),
            "{first}": code(call.args[0].value) if call.args else "",
        }
        for name, text in parts.items():
            template = template.replace(name, text)
        expression = cst.parse_expression(template, config=self.module.config_for_parsing)
        return expression.with_changes(
            lpar=[*call.lpar, *expression.lpar], rpar=[*expression.rpar, *call.rpar]
        )


def with_keywords(call: cst.Call, keywords: str) -> cst.Call:
    """The call with these keyword arguments, written as in a call, in place of those it has."""
    for name, argument in given(keywords):
        args = [*call.args]
        own = [i for i, arg in enumerate(args) if arg.keyword and arg.keyword.value == name]
        packed = [i for i, arg in enumerate(args) if arg.star == "**"]
        if own:
            args[own[0]] = args[own[0]].with_changes(value=argument.value)
        elif packed:
            # What is unpacked may hold it as well, and a call takes no keyword twice.
            last = args[packed[-1]]
            args[packed[-1]] = last.with_changes(value=with_entry(last.value, name, argument.value))
        else:
            args = [*args[:-1], *appended(call, argument)]
        call = call.with_changes(args=args)
    return call


def with_entry(
    mapping: cst.BaseExpression, name: str, value: cst.BaseExpression
) -> cst.BaseExpression:
    """An expression for the mapping with one entry set."""
    code = cst.Module([]).code_for_node
    return cst.parse_expression(f'{{**{code(mapping)}, "{name}": {code(value)}}}')


def appended(call: cst.Call, new: cst.Arg) -> list[cst.Arg]:
    """The last argument, if there is one, and the new one, written in the same way."""
    if not call.args:
        return [new]
    last = call.args[-1]
    if not isinstance(last.comma, cst.Comma):
        return [
            last.with_changes(comma=SPACED, whitespace_after_arg=cst.SimpleWhitespace("")),
            new.with_changes(whitespace_after_arg=last.whitespace_after_arg),
        ]
    # A trailing comma, as in a call of one argument a line: the new line is like the others.
    end, start = last.comma.whitespace_after, call.whitespace_before_args
    if not isinstance(end, cst.ParenthesizedWhitespace):
        return [last.with_changes(comma=SPACED), new.with_changes(comma=last.comma)]
    indentation = start.last_line if isinstance(start, cst.ParenthesizedWhitespace) else INDENTED
    return [
        last.with_deep_changes(end, last_line=indentation),
        new.with_changes(
            comma=cst.Comma(whitespace_after=PLAIN.with_changes(last_line=end.last_line))
        ),
    ]


def without_keywords(call: cst.Call, names: Sequence[str]) -> cst.Call:
    kept = [a for a in call.args if a.keyword is None or a.keyword.value not in names]
    if kept and kept[-1] is not call.args[-1]:
        last = call.args[-1]
        kept[-1] = kept[-1].with_changes(
            comma=last.comma, whitespace_after_arg=last.whitespace_after_arg
        )
    return call.with_changes(args=kept)


SPACED = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
INDENTED = cst.SimpleWhitespace("    ")
PLAIN = cst.ParenthesizedWhitespace(indent=True)


def given(keywords: str) -> Iterator[tuple[str, cst.Arg]]:
    call = cst.ensure_type(cst.parse_expression(f"f({keywords})"), cst.Call)
    for argument in call.args:
        name = cst.ensure_type(argument.keyword, cst.Name).value
        tight = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
        yield name, argument.with_changes(comma=cst.MaybeSentinel.DEFAULT, equal=tight)
