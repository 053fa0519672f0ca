"""Calls of libraries whose result may be another in every run, and that no factor holds: joblib's
workers elsewhere, and what polars gives in no fixed order."""

import sys

from .factors.base import replace
from .factors.python_workers import BACKENDS

ANY_ORDER = (
    ("DataFrame", "group_by"),
    ("DataFrame", "unique"),
    ("LazyFrame", "group_by"),
    ("LazyFrame", "unique"),
    ("Series", "unique"),
    ("Expr", "unique"),
)
"""What gives its rows in another order in every process: polars hashes with keys that it draws
anew. Its documentation promises no order for `join` and `sort` either, which keep one."""


def install(suspicions):
    session = suspicions.session
    session.on_import("joblib.parallel", lambda module: workers(suspicions, module))
    session.on_import("polars", lambda module: orders(suspicions, module))


def workers(suspicions, module):
    """Each time that workers are set up, for whoever calls: scikit-learn's `n_jobs` are these too.

    Not where they are asked for: what there will be is known only then. Joblib's own workers are
    those of a factor, python-workers.
    """

    def make(original):
        def wrapper(parallel, *args, **kwargs):
            count = original(parallel, *args, **kwargs)
            backend = type(parallel._backend).__name__
            if backend not in BACKENDS and isinstance(count, int) and count > 1:
                text = of_joblib(count, backend)
                suspicions.note(text, sys._getframe(1), kinds=("user", "library"))
            return count

        return wrapper

    replace(module.Parallel, "_initialize_backend", make)


def of_joblib(count, backend):
    return (
        "`joblib.Parallel` with %d workers of %s, in which nothing is seen: what draws there "
        "without a seed of its own, such as `random_state`, is reached by no seed of the script's"
        % (count, backend)
    )


def orders(suspicions, module):
    for owner, name in ANY_ORDER:
        if hasattr(module, owner):
            suspicions.before(getattr(module, owner), name, unordered(name))


def unordered(name):
    """What is told of a call, by its arguments: those of `group_by` may have any name."""
    text = "polars: `%s` without `maintain_order=True`" % name
    return lambda *args, maintain_order=False, **columns: "" if maintain_order else text
