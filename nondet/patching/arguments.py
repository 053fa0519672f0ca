"""The arguments of a call: given, taken away, looked up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import libcst as cst

POSITIONS: Mapping[tuple[str, str], int] = {
    ("compile", "optimizer"): 0,
    ("DataLoader", "num_workers"): 5,
    ("map", "num_parallel_calls"): 1,
    ("map", "deterministic"): 2,
    ("interleave", "num_parallel_calls"): 3,
    ("interleave", "deterministic"): 4,
    ("function", "jit_compile"): 3,
}
"""Places of arguments that may be given without their names, by the function's and their own."""
METHODS = ("compile", "map", "interleave")
"""Those of them that are called so only as an attribute of something."""
SEEDS = ("seed", "random_state", "entropy", "a", "x")
"""What functions that seed call the seed: ``random.seed(a=1)``, ``SeedSequence(entropy=1)``."""
FIRST = ("fs", "size")
"""What the first argument is called, where others may stand before it by their names."""
ATOMS = (
    *(cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.Integer, cst.Float),
    *(cst.List, cst.Dict, cst.Set, cst.ListComp, cst.DictComp, cst.SetComp),
    *(cst.SimpleString, cst.FormattedString),
)
"""Expressions that can stand anywhere as they are."""
VARIABLES = (cst.Name, cst.Attribute, cst.Subscript)
"""Expressions that can be asked twice: nothing happens by that."""
SPACED = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
INDENTED = cst.SimpleWhitespace("    ")
PLAIN = cst.ParenthesizedWhitespace(indent=True)

code = cst.Module([]).code_for_node


class UnfitError(Exception):
    """A call that can't be changed by itself; the message says why."""


def name_of(call: cst.Call) -> cst.Name | None:
    """The last part of the name called; None for a call of something else."""
    function = call.func
    if isinstance(function, cst.Attribute):
        return function.attr
    return function if isinstance(function, cst.Name) else None


def atomic(expression: cst.BaseExpression) -> cst.BaseExpression:
    """The same, in parentheses where its parts could be taken for those of what is around it."""
    if isinstance(expression, ATOMS) or expression.lpar:
        return expression
    return in_parentheses(expression)


def in_parentheses(expression: cst.BaseExpression) -> cst.BaseExpression:
    return expression.with_changes(
        lpar=[cst.LeftParen(), *expression.lpar], rpar=[*expression.rpar, cst.RightParen()]
    )


def text_of_all(call: cst.Call) -> str:
    """All arguments as text that can stand between parentheses."""
    if "#" in "".join(around(call)):
        # A comment ends its line, so the lines stay as they are.
        return code(call.whitespace_before_args) + "".join(code(one) for one in call.args)
    bare = [argument.with_changes(comma=cst.MaybeSentinel.DEFAULT) for argument in call.args]
    return ", ".join(code(argument).strip() for argument in bare)


def around(call: cst.Call) -> Iterator[str]:
    """What stands between the arguments, where comments may be."""
    yield code(call.whitespace_before_args)
    for argument in call.args:
        yield code(argument.whitespace_after_arg)
        if isinstance(argument.comma, cst.Comma):
            yield code(argument.comma)


def text_of_first(call: cst.Call) -> str:
    """The first argument, alone. Raises UnfitError where it can't be told which one that is."""
    if not call.args:
        return ""
    first = call.args[0]
    if first.keyword is not None and len(call.args) > 1:
        own = [a for a in call.args if a.keyword is not None and a.keyword.value in FIRST]
        if not own:
            raise UnfitError("which of its arguments is the first one can't be told")
        first = own[0]
    if first.star:
        raise UnfitError("its arguments are unpacked")
    value = first.value
    if isinstance(value, cst.GeneratorExp | cst.SetComp):
        # The call takes all of them before it gives the first, and a set has no order.
        made = cst.ListComp(value.elt, value.for_in)
        return code(made)
    return code(value)


def lacks(call: cst.Call) -> bool:
    """Whether it is given no argument, or None."""
    return not call.args or (len(call.args) == 1 and is_named(call.args[0].value, "None"))


def is_named(value: cst.BaseExpression, name: str) -> bool:
    return isinstance(value, cst.Name) and value.value == name


def numbered(call: cst.Call) -> bool:
    """Whether its first argument is a number that is written there."""
    return bool(call.args) and isinstance(call.args[0].value, cst.Integer)


def bottom_up(call: cst.Call) -> bool:
    """Whether a walk through folders may give those at the bottom first."""
    told = [a.value for a in call.args if a.keyword and a.keyword.value in ("topdown", "top_down")]
    told += [a.value for a in call.args[1:2] if a.keyword is None]
    told += [a.value for a in call.args if a.star]
    # The first argument of `Path.walk`, and of no other a truth value.
    told += [a.value for a in call.args[:1] if is_named(a.value, "False") and a.keyword is None]
    return not all(is_named(value, "True") for value in told)


def with_seed(call: cst.Call, name: str, number: str) -> cst.Call:
    """The call with that number for its seed: the argument of that name, or, where there is none,
    what a function that does nothing but seed is given. The same call where it has a number.

    Raises UnfitError where no argument can be told to be the seed.
    """
    names = (name,) if name else SEEDS
    own = [i for i, a in enumerate(call.args) if a.keyword and a.keyword.value in names]
    if not own and not name:
        own = [i for i, a in enumerate(call.args) if a.keyword is None]
    if len(own) != 1 or call.args[own[0]].star:
        raise UnfitError("which of its arguments is the seed can't be told")
    if isinstance(call.args[own[0]].value, cst.Integer):
        return call
    return replaced(call, own[0], cst.Integer(number))


def with_number(call: cst.Call, number: str) -> cst.Call | None:
    """The call with that number for want of a seed: where a variable stands for one, it may hold
    one the next time that the line runs, and is asked. None where the number is all it needs."""
    own = [i for i, a in enumerate(call.args) if a.keyword and a.keyword.value in SEEDS]
    own = own or [i for i, a in enumerate(call.args) if a.keyword is None and not a.star][:1]
    value = call.args[own[0]].value if own else None
    asked = isinstance(value, VARIABLES) and not is_named(value, "None")
    packed = any(argument.star for argument in call.args)
    if len(call.args) < 2 and not asked and (own or packed or not call.args):
        return None
    if packed:
        raise UnfitError("its arguments are unpacked")
    if not own:
        first = cst.Arg(cst.Integer(number), comma=SPACED)
        return call.with_changes(args=[first, *call.args])
    text = code(value) if asked and value is not None else ""
    made = f"{number} if {text} is None else {text}" if text else number
    return replaced(call, own[0], cst.parse_expression(made))


def replaced(call: cst.Call, place: int, value: cst.BaseExpression) -> cst.Call:
    args = [*call.args]
    args[place] = args[place].with_changes(value=value)
    return call.with_changes(args=args)


def position(call: cst.Call, name: str) -> int | None:
    """The place of an argument that is given without its name. Raises UnfitError where what is
    unpacked may hold it."""
    function = name_of(call)
    if function is None or (function.value in METHODS and function is call.func):
        return None
    place = POSITIONS.get((function.value, name))
    if place is None:
        return None
    before = [a for a in call.args if a.keyword is None and a.star != "**"]
    if any(argument.star for argument in before[: place + 1]):
        raise UnfitError(f"what is unpacked may hold {name}")
    return place if place < len(before) else None


def with_keywords(call: cst.Call, keywords: str) -> cst.Call:
    """The call with these keyword arguments, written as in a call, in place of those it has."""
    for name, argument in given(keywords):
        args = [*call.args]
        own = [i for i, arg in enumerate(args) if arg.keyword and arg.keyword.value == name]
        packed = [i for i, arg in enumerate(args) if arg.star == "**"]
        place = own[0] if own else position(call, name)
        if place is not None:
            args[place] = args[place].with_changes(value=argument.value)
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
    return cst.parse_expression(f'{{**{code(atomic(mapping))}, "{name}": {code(value)}}}')


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
    """The call without these arguments; the same one where it has none of them."""
    named = {a.keyword.value: i for i, a in enumerate(call.args) if a.keyword is not None}
    own = {named[name] for name in names if name in named}
    others = [position(call, name) for name in names if name not in named]
    places = {place for place in others if place is not None}
    if not places | own:
        return call
    last = max((i for i, a in enumerate(call.args) if a.keyword is None), default=-1)
    while last in places:
        own.add(last)
        last -= 1
    for place in places - own:
        # Those behind it stay in their places.
        call = replaced(call, place, cst.Name("None"))
    kept = [argument for i, argument in enumerate(call.args) if i not in own]
    if kept and kept[-1] is not call.args[-1]:
        end = call.args[-1]
        kept[-1] = kept[-1].with_changes(
            comma=end.comma, whitespace_after_arg=end.whitespace_after_arg
        )
    return call.with_changes(args=kept)


def given(keywords: str) -> Iterator[tuple[str, cst.Arg]]:
    call = cst.ensure_type(cst.parse_expression(f"f({keywords})"), cst.Call)
    for argument in call.args:
        name = cst.ensure_type(argument.keyword, cst.Name).value
        tight = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
        yield name, argument.with_changes(comma=cst.MaybeSentinel.DEFAULT, equal=tight)
