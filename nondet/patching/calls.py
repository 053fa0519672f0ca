"""Rewrites calls that stand at given lines of a script."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from nondet.patching import arguments
from nondet.patching.arguments import UnfitError, name_of

MANAGERS = ("closing", "enter_context")
"""What else than a ``with`` asks for a context manager."""
PART = re.compile(r"\{(call|function|owner|args|first)(?: or (\w+))?\}")
MAKES = "{function}(42)"
"""The template for what is made without a seed: 42 is given where none is."""
OTHER_METHOD = re.compile(r"\{owner\}\.(\w+)\((.*)\)")
"""Templates by which another method is called on the same, in its place in a chain."""


@dataclasses.dataclass(frozen=True)
class Rewrite:
    """One change: the call of that name at that line becomes what the template says.

    A template that begins with ``+`` holds keyword arguments, which the call is given in place of
    those it has: ``+seed=42``. One that begins with ``-`` names such as are taken away. One that
    begins with ``=`` is the number to seed with, in place of the seed that the call is given:
    ``=42``, or ``=seed=42`` where only an argument of that name is one. Any other is an expression
    around these: ``{call}``, ``{function}`` (what is called), ``{owner}`` (what the function is an
    attribute of), ``{args}`` (all of its arguments), ``{first}`` (the first one) and
    ``{first or 32}`` (32 where it is given none): ``sorted({call})``, ``{function}(42)``.
    """

    line: int
    call: str
    """The last part of the name called: ``listdir`` for ``os.listdir(folder)``."""
    template: str


def rewritten(
    module: cst.Module, rewrites: Sequence[Rewrite]
) -> tuple[cst.Module, dict[Rewrite, str]]:
    """The module with these calls rewritten, and why some could not be, in words."""
    wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
    collector = Collector(wrapper.resolve(PositionProvider))
    wrapper.module.visit(collector)
    chosen: dict[cst.Call, list[Rewrite]] = {}
    left = {}
    for rewrite in rewrites:
        calls = collector.at(rewrite)
        if not calls:
            numberless = " without a number" if rewrite.template == MAKES else ""
            left[rewrite] = f"there is no call of {rewrite.call}{numberless}"
        for call in calls:
            chosen.setdefault(call, []).append(rewrite)
    rewriter = Rewriter(wrapper.module, chosen, collector.managed)
    changed = wrapper.module.visit(rewriter)
    for rewrite in rewrites:
        if rewrite in rewriter.failed:
            why = rewriter.failed[rewrite]
            left[rewrite] = f"the call of {rewrite.call} can't be changed by itself: {why}"
        elif rewrite not in left and rewrite not in rewriter.done:
            left[rewrite] = f"the call of {rewrite.call} has nothing to change"
    return changed, left


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
        self.managed: set[cst.BaseExpression] = set()
        """What is entered as a context manager."""

    def visit_WithItem(self, node: cst.WithItem) -> None:
        self.managed.add(node.item)

    def visit_Call(self, node: cst.Call) -> None:
        name = name_of(node)
        if name is not None:
            if name.value in MANAGERS:
                self.managed.update(argument.value for argument in node.args)
            whole, own = self.positions[node], self.positions[name]  # type: ignore[index]
            self.places.append(
                Place(node, name.value, own.start.line, whole.start.line, whole.end.line)
            )

    def at(self, rewrite: Rewrite) -> list[cst.Call]:
        """The calls that are meant: all that are named at the line, else the innermost around it.

        Interpreters differ in the line that they tell for a call of several lines.
        """
        alike = [place for place in self.places if place.name == rewrite.call]
        if rewrite.template == MAKES:
            # What has a number for its seed is not meant; where one surely has none, that one is.
            alike = [place for place in alike if not arguments.numbered(place.call)]
        exact = [place.call for place in alike if place.named_at == rewrite.line]
        if exact:
            lacking = [call for call in exact if arguments.lacks(call)]
            return lacking if lacking and rewrite.template == MAKES else exact
        around = [place for place in alike if place.first <= rewrite.line <= place.last]
        around.sort(key=lambda place: place.last - place.first)
        return [place.call for place in around[:1]]


class Rewriter(cst.CSTTransformer):
    def __init__(
        self,
        module: cst.Module,
        chosen: dict[cst.Call, list[Rewrite]],
        managed: set[cst.BaseExpression],
    ) -> None:
        super().__init__()
        self.module = module
        self.chosen = chosen
        self.managed = managed
        self.listed: set[cst.BaseExpression] = set()
        """Calls of what may be an iterator, and is a list now."""
        self.done: set[Rewrite] = set()
        self.failed: dict[Rewrite, str] = {}

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        found: cst.BaseExpression = self.from_iterator(original_node, updated_node)
        for rewrite in self.chosen.get(original_node, ()):
            try:
                changed = self.changed(original_node, found, rewrite)
            except UnfitError as error:
                self.failed[rewrite] = str(error)
            except cst.ParserSyntaxError:
                self.failed[rewrite] = "what it would become is no Python"
            else:
                if changed is not updated_node:
                    self.done.add(rewrite)
                found = changed
        return found

    def leave_Attribute(
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.Attribute:
        value = updated_node.value
        number = isinstance(value, cst.Integer) and not value.lpar
        if number and not isinstance(original_node.value, cst.Integer):
            # A dot right behind it would be the number's own.
            return updated_node.with_changes(value=arguments.in_parentheses(value))
        return updated_node

    def from_iterator(self, original: cst.Call, call: cst.Call) -> cst.Call:
        """``next`` takes no list."""
        asks = isinstance(call.func, cst.Name) and call.func.value == "next"
        if not asks or not call.args or original.args[0].value not in self.listed:
            return call
        made = cst.Call(cst.Name("iter"), [cst.Arg(call.args[0].value)])
        return arguments.replaced(call, 0, made)

    def changed(
        self, original: cst.Call, call: cst.BaseExpression, rewrite: Rewrite
    ) -> cst.BaseExpression:
        """The call rewritten; the same object where there is nothing to change.

        Raises UnfitError where it can't be changed by itself, cst.ParserSyntaxError where it would
        become what is no Python.
        """
        template = rewrite.template
        if not isinstance(call, cst.Call) or (own := name_of(call)) is None:
            raise UnfitError("another change has taken its place")
        if own.value != rewrite.call:
            raise UnfitError("another change has taken its place")
        if template == MAKES and (made := arguments.with_number(call, "42")) is not None:
            return made
        if template.startswith("+"):
            return arguments.with_keywords(call, template[1:])
        if template.startswith("-"):
            return arguments.without_keywords(call, template[1:].replace(",", " ").split())
        if template.startswith("="):
            name, _, number = template[1:].rpartition("=")
            return arguments.with_seed(call, name, number)
        if other := OTHER_METHOD.fullmatch(template):
            return self.with_method(call, other[1], other[2])
        if "{call}" in template and original in self.managed:
            raise UnfitError("it is entered as a context manager, which a list is not")
        if own.value == "walk" and arguments.bottom_up(call):
            raise UnfitError("it may go from the bottom up, where it is too late to sort")
        expression = self.filled(call, template)
        if template.startswith("sorted("):
            self.listed.add(original)
        return expression.with_changes(
            lpar=[*call.lpar, *expression.lpar], rpar=[*expression.rpar, *call.rpar]
        )

    def with_method(self, call: cst.Call, name: str, args: str) -> cst.Call:
        """The call with another method, and with the arguments of the template `args`. Raises
        UnfitError for what is no method."""
        if not isinstance(call.func, cst.Attribute):
            raise UnfitError("it is no method of anything")
        found = call.with_changes(func=call.func.with_changes(attr=cst.Name(name)))
        if args == "{args}":
            return found
        text = PART.sub(lambda part: self.part(call, part[1], part[2] or ""), args)
        made = cst.ensure_type(parsed(f"f({text})", self.module.config_for_parsing), cst.Call)
        return found.with_changes(
            args=made.args, whitespace_before_args=made.whitespace_before_args
        )

    def filled(self, call: cst.Call, template: str) -> cst.BaseExpression:
        """The template as an expression, with the parts of the call in it."""
        text = PART.sub(lambda found: self.part(call, found[1], found[2] or ""), template)
        return arguments.atomic(parsed(text, self.module.config_for_parsing))

    def part(self, call: cst.Call, name: str, default: str) -> str:
        code = self.module.code_for_node
        if name == "call":
            return code(call)
        if name == "function":
            return code(call.func)
        if name == "owner":
            return code(call.func.value) if isinstance(call.func, cst.Attribute) else ""
        if default and arguments.lacks(call):
            return default
        return arguments.text_of_all(call) if name == "args" else arguments.text_of_first(call)


def parsed(text: str, config: cst.PartialParserConfig) -> cst.BaseExpression:
    """Of text that may go over lines, as if in parentheses."""
    try:
        return cst.parse_expression(text, config=config)
    except cst.ParserSyntaxError:
        return cst.parse_expression(f"({text})", config=config)
