"""Calls of libraries that no factor holds: noted at the user's line, and left as they are."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from nondet.guest import suspect_calls
from tests.guest.generators import library, run, seen
from tests.guest.running import plain

JOBLIB = """
    import pickle
    from joblib import Parallel, delayed
    import learner

    class Mine(Parallel):
        def __call__(self, tasks):
            return super().__call__(tasks)                        # subclass

    if __name__ == "__main__":
        tasks = [delayed(abs)(-n) for n in range(3)]
        print(Parallel(n_jobs=2, timeout=60)(tasks))              # processes
        print(Mine(n_jobs=2, prefer="threads")(tasks))
        with Parallel(n_jobs=3, backend="threading") as parallel:  # threads
            print(parallel(tasks), parallel(tasks))
        made = Parallel(n_jobs=2, prefer="threads", return_as="generator")(tasks)  # lazy
        print(list(made))
        print(Parallel(n_jobs=1)(tasks), Parallel(n_jobs=2, backend="sequential")(tasks))
        print(pickle.loads(pickle.dumps(Mine)) is Mine, Parallel._initialize_backend.__doc__)
        print(learner.fit(tasks, n_jobs=2))                       # library
"""
LEARNER = """
    from joblib import Parallel

    def fit(tasks, n_jobs):
        return Parallel(n_jobs)(tasks)
"""


def line(script: str, mark: str) -> int:
    lines = textwrap.dedent(script).splitlines()
    return next(n for n, text in enumerate(lines, 1) if text.endswith(f"# {mark}"))


def test_the_workers_of_joblib_are_told_at_the_users_line(tmp_path: Path) -> None:
    pytest.importorskip("joblib")
    environ = library(tmp_path, "learner", LEARNER)
    shown = run(tmp_path / "s", JOBLIB, environ=environ)
    assert shown.visible == plain(tmp_path / "s", "train.py", environ=environ).visible
    processes = suspect_calls.of_joblib(2, threads=False)
    assert "workers, in which nothing is seen" in processes
    assert "`random_state`" in processes
    assert seen(shown, "unknown") == {
        (processes, None, line(JOBLIB, "processes")),
        ("2 threads of `joblib.Parallel`", None, line(JOBLIB, "subclass")),
        ("3 threads of `joblib.Parallel`", None, line(JOBLIB, "threads")),
        ("2 threads of `joblib.Parallel`", None, line(JOBLIB, "lazy")),
        (processes, None, line(JOBLIB, "library")),
    }


POLARS = """
    import copy, inspect, pickle
    import polars as pl
    frame = pl.DataFrame({"a": ["x", "y", "x"], "b": [1, 2, 3]})
    print(frame.group_by("a").agg(pl.len()).sort("a"))            # group_by
    print(frame.lazy().group_by("a").agg(pl.len()).sort("a").collect())  # group_by
    print(frame.group_by(text=pl.col("a"), detail="b").len().sort("detail"))  # group_by
    print(frame.unique("a", keep="first").sort("a"))              # unique
    print(frame.lazy().unique().sort("b").collect())              # unique
    print(frame["a"].unique().sort(), frame.select(pl.col("b").unique().sort()))  # unique
    print(frame.group_by("a", maintain_order=True).agg(pl.len()))
    print(frame.unique(maintain_order=True), frame["a"].unique(maintain_order=True))
    print(frame.sort("a"), frame.join(frame, on="b"), frame.n_unique(), frame["a"].n_unique())
    print(inspect.signature(pl.DataFrame.unique), pickle.loads(pickle.dumps(frame)).equals(frame))
    try:
        frame.group_by()
    except Exception as error:
        print(type(error).__name__)
"""


def test_what_polars_gives_in_no_fixed_order_is_told(tmp_path: Path) -> None:
    pytest.importorskip("polars")
    shown = run(tmp_path / "s", POLARS)
    assert shown.visible == plain(tmp_path / "s", "train.py").visible
    assert seen(shown, "unknown") == {
        (f"polars: `{name}` without `maintain_order=True`", None, number)
        for number, text in enumerate(textwrap.dedent(POLARS).splitlines(), 1)
        for name in ("group_by", "unique")
        if text.endswith(f"# {name}")
    } | {("polars: `group_by` without `maintain_order=True`", None, 16)}
