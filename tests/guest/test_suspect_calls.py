"""Calls of libraries that no factor holds: noted at the user's line, and left as they are."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from nondet.guest import suspect_calls
from tests.guest.generators import run, seen
from tests.guest.running import plain

ELSEWHERE = """
    from joblib import Parallel, delayed, parallel_config, register_parallel_backend
    from joblib._parallel_backends import ThreadingBackend

    class Cluster(ThreadingBackend):
        pass

    register_parallel_backend("cluster", Cluster)
    tasks = [delayed(abs)(-n) for n in range(3)]
    with parallel_config("cluster", n_jobs=2):
        print(Parallel()(tasks))                                  # cluster
        print(Parallel(n_jobs=1)(tasks))
    print(Parallel(n_jobs=2, prefer="threads")(tasks))
"""


def line(script: str, mark: str) -> int:
    lines = textwrap.dedent(script).splitlines()
    return next(n for n, text in enumerate(lines, 1) if text.endswith(f"# {mark}"))


@pytest.mark.parametrize("arm", ["free", "pinned"])
def test_workers_of_joblib_that_are_not_its_own_are_told(tmp_path: Path, arm: str) -> None:
    """Its own are those of python-workers, which is noted and held (test_workers.py)."""
    pytest.importorskip("joblib")
    shown = run(tmp_path / "s", ELSEWHERE, arms={"python-workers": arm})
    assert shown.visible == plain(tmp_path / "s", "train.py").visible
    told = suspect_calls.of_joblib(2, "Cluster")
    assert "`random_state`" in told
    assert seen(shown, "unknown") == {(told, None, line(ELSEWHERE, "cluster"))}


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
