"""What a diagnosis takes in of the machines of a cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nondet.host import executing
from nondet.host.diagnosing import Diagnosing
from nondet.host.executors.cluster.executor import ClusterExecutor
from nondet.host.options import Options
from nondet.host.watching import Silent
from nondet.search.questions import Question
from tests.host.acting import laboratory, settings
from tests.host.executors.cluster.test_executor import sharing
from tests.host.executors.cluster.told import Saying, told


@contextlib.contextmanager
def settled(
    folder: Path, *workers: dict[str, Any], **options: Any
) -> Iterator[tuple[Diagnosing, ClusterExecutor, str]]:
    """A diagnosis that has seen these workers, and the digest that it has settled on."""
    here = settings(folder)
    engine = Saying(**{f"w{number}": worker for number, worker in enumerate(workers)})
    asked = Options(output=here.output, executor="dask://node:8786", **options)
    with ClusterExecutor(engine, sharing(folder)) as executor:
        one = Diagnosing(here.subject, asked, Silent())
        found = executing.surroundings(executor, here.subject)
        yield one, executor, one._settle(here, executor, found).digest


PLAIN = {"found": {"xxhash": False}, "packages": {}}


@pytest.mark.parametrize(
    ("other", "options", "digest"),
    [
        ({}, {}, "xxh3_128"),
        # No trial runs on the other kind unless it is asked for.
        (PLAIN, {}, "xxh3_128"),
        (PLAIN, {"factors": ("machine",)}, "sha256"),
        (PLAIN, {"stress": True}, "sha256"),
        (PLAIN, {"stress": True, "skip": ("machine",)}, "xxh3_128"),
        ({"cores": 4}, {"factors": ("machine",)}, "xxh3_128"),
    ],
)
def test_every_machine_that_may_run_trials_can_compute_the_digest(
    tmp_path: Path, other: dict[str, Any], options: dict[str, Any], digest: str
) -> None:
    workers = told("a"), told("b"), told("c", **other)
    with settled(tmp_path, *workers, **options) as (_, _, found):
        assert found == digest


def test_no_trial_goes_where_the_digest_can_not_be_computed(tmp_path: Path) -> None:
    workers = told("a"), told("b"), told("c", cores=4)
    with settled(tmp_path, *workers, factors=("machine",)) as (_, executor, _):
        roster = executor._crew._roster
        roster.add("late", told("d", **PLAIN))
        assert len(executor.kinds) == 2 and len(executor.machines) == 4


def test_machines_of_another_kind_that_come_late_are_told_once(tmp_path: Path) -> None:
    with settled(tmp_path, told("a"), told("b")) as (one, executor, _):
        assert one.askable.not_tested["machine"] == executing.ALIKE
        lab, _ = laboratory(tmp_path, same=settings(tmp_path))
        lab.executor = executor
        question = Question("Does it repeat?", {}, 1)
        executor._crew._roster.add("w2", told("c"))
        one._note(lab, question, None)
        assert one.askable.not_tested["machine"] == executing.ALIKE
        executor._crew._roster.add("late", told("d", cores=4))
        one._note(lab, question, None)
        one._note(lab, question, None)
    assert one.askable.not_tested["machine"] == executing.LATE
    (warning,) = one.telling.warnings
    assert "EPYC, 4 cores" in warning and executor.slots == 3
