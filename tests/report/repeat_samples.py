"""Repetitions of every kind, consistent in themselves, for tests of their page and summary."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Literal

from msgspec import structs

from nondet import spread
from nondet.record import Failure, Subject
from nondet.repetition import (
    Bootstrap,
    Origin,
    Repetition,
    RepetitionCost,
    Role,
    Run,
    Series,
    Share,
    Summary,
)
from tests.report import parts

FAST = Bootstrap(seed=1, resamples=199, level=0.95)
EVIL = "</script><script>alert(1)</script>[red]\u202e\x1b[31m"
Values = dict[str, list[float | None]]


def series(
    values: Values,
    results: Sequence[int],
    *,
    role: Role = "as-it-is",
    text: str = "the script as it is",
    factor: str = "",
    first: int = 1,
    failed: Sequence[Run] = (),
    origin: Origin = "history",
    compared: Literal["weights", "values", "metrics"] = "weights",
) -> Series:
    """Whole runs with these values by metric, and the number of each one's result."""
    _, sizes = spread.grouped(results)
    runs = [
        Run(
            id=f"t{first + place:02d}",
            outcome="completed",
            seconds=8.0 + place / 10,
            result=result,
            exit_code=0,
            values={
                name: spread.word(v) if v in (float("inf"), float("-inf")) or v != v else v
                for name, column in values.items()
                if (v := column[place]) is not None
            },
        )
        for place, result in enumerate(results)
    ]
    return Series(
        role=role,
        text=text,
        factor=factor,
        asked=len(runs) + len(failed),
        runs=(*runs, *failed),
        results=sizes,
        compared=compared,
        kind=spread.kind(sizes),
        metrics=tuple(
            spread.summarise(
                column,
                Summary(
                    label=name,
                    name=name,
                    origin=origin,
                    model="sequential" if origin == "history" else "",
                ),
                FAST,
            )
            for name, column in values.items()
        ),
    )


def base(free: Series, **changes: Any) -> Repetition:
    known: dict[str, Any] = {
        "nondet": "0.1.0",
        "subject": Subject(
            script="train.py",
            args=("--data", "iris.csv"),
            python="python",
            cwd="/home/ada/iris",
            sha256="9f2c61d0" * 8,
        ),
        "environment": parts.ENVIRONMENT,
        "summary": f"{len(free.whole)} runs ended with {len(free.results)} different weights.",
        "series": (free,),
        "bootstrap": FAST,
        "cost": RepetitionCost(
            runs=len(free.runs),
            subject_seconds=240.0,
            wall_seconds=130.2,
            single_run_seconds=8.3,
            jobs=2,
        ),
        "started": "2026-11-23T20:14:05Z",
        "seed": 20261,
        "digest": "xxh3_128",
        "isolation": "overlay",
    }
    return Repetition(**(known | changes))


def normal(count: int, mean: float, sd: float, seed: int) -> list[float | None]:
    source = random.Random(seed)
    return [source.gauss(mean, sd) for _ in range(count)]


def all_different() -> Repetition:
    values: Values = {"loss": normal(30, 0.31, 0.02, 1), "accuracy": normal(30, 0.94, 0.008, 2)}
    return base(series(values, range(30)))


def few() -> Repetition:
    results = [1] * 14 + [2] * 10 + [3] * 6
    return base(series({"loss": [0.25 + 0.01 * r for r in results]}, results))


def one() -> Repetition:
    return base(series({"loss": [0.25] * 6}, [1] * 6))


def many_results() -> Repetition:
    results = [*range(20), 0, 0, 1]
    return base(series({"loss": [float(r) for r in results]}, results))


def by_source() -> Repetition:
    free = series({"loss": normal(30, 0.3, 0.02, 1)}, range(30))
    control = series(
        {"loss": [0.3, 0.3]}, [1, 1], role="control", text="all sources pinned", first=31
    )
    alone = [
        series(
            {"loss": normal(30, 0.3, sd, seed)},
            range(30),
            role="source",
            text=f"only {name} free",
            factor=name,
            first=first,
        )
        for name, sd, seed, first in (
            ("python-random", 0.018, 3, 33),
            ("tf-seed", 0.006, 4, 63),
        )
    ]
    shares = []
    for one in alone:
        told = spread.share(column(one), column(free), FAST)
        assert told is not None
        shares.append(Share(factor=one.factor, metric="loss", share=told[0], interval=told[1]))
    return base(
        free,
        series=(free, control, *alone),
        shares=tuple(shares),
        sums={"loss": sum(share.share for share in shares)},
        holds=True,
        diagnosis="nondet-report",
        titles=parts.TITLES,
    )


def column(found: Series) -> list[float]:
    return [v for run in found.runs if isinstance(v := run.values["loss"], float)]


def failing() -> Repetition:
    """Two of 12 runs crashed, one has no number and one an infinite one."""
    values: Values = {"loss": [*normal(8, 0.3, 0.02, 1), float("nan"), float("inf")]}
    values["score"] = [*normal(9, 3, 1, 2), None]
    crashed = [
        Run(
            id=name,
            outcome="crashed",
            seconds=2.0,
            exit_code=1,
            note="ValueError: bad batch",
            stdout_tail="epoch 1\n",
            stderr_tail="ValueError: bad batch\n",
        )
        for name in ("t11", "t12")
    ]
    warning = "2 of 12 runs failed and are in no figure: ValueError: bad batch"
    return base(series(values, range(10), failed=crashed), warnings=(warning,))


def broken() -> Repetition:
    run = Run(id="t01", outcome="crashed", seconds=1.0, exit_code=1, note="ValueError: no")
    found = Series(role="as-it-is", text="the script as it is", asked=30, runs=(run,))
    error = Failure(
        slug="crash", message="no run came to its end: ValueError: no", traceback="Traceback\nno\n"
    )
    return base(found, error=error, summary=f"The script could not be repeated: {error.message}.")


def hostile() -> Repetition:
    """Whatever comes from the subject tries to be something else."""
    run = Run(
        id="t07", outcome="crashed", seconds=1.0, note=EVIL, stdout_tail=EVIL, stderr_tail=EVIL
    )
    values: Values = {EVIL: normal(6, 1, 1, 1), "[bold]" * 20: normal(6, 1e300, 1e299, 2)}
    found = series(values, range(6), failed=[run], origin="pattern")
    metrics = tuple(structs.replace(m, model=EVIL, origin="history") for m in found.metrics)
    return base(
        structs.replace(found, metrics=metrics),
        subject=Subject(script=EVIL, args=(EVIL,), cwd=EVIL),
        warnings=(EVIL,),
        patterns=(EVIL,),
        summary=f"6 runs of {EVIL} differ.",
    )


ALL: dict[str, Callable[[], Repetition]] = {
    "all-different": all_different,
    "few": few,
    "one": one,
    "many-results": many_results,
    "by-source": by_source,
    "failing": failing,
    "broken": broken,
    "hostile": hostile,
}
