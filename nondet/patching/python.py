"""What Python takes."""

from __future__ import annotations

import ast
import warnings

AWAITING = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
"""The cells of a notebook may await."""


def tree(code: str) -> ast.Module | None:
    """None for what this Python can't parse."""
    made = compiled(code, ast.PyCF_ONLY_AST)
    return made if isinstance(made, ast.Module) else None


def worse(before: str, after: str) -> bool:
    """Whether Python took the code before and does so no longer. A script may be for a newer Python
    than this one."""
    if compiled(before, AWAITING) is not None:
        return compiled(after, AWAITING) is None
    return tree(before) is not None and tree(after) is None


def compiled(code: str, flags: int) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile(code, "<patch>", "exec", flags, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
