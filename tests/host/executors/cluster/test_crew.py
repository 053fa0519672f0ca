"""Workers that come, can't run trials, or are gone again while others are waited for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nondet.host.executors.cluster import crew, errand
from nondet.host.executors.cluster.crew import Crew
from nondet.host.executors.interface import ExecutorError
from tests.host.executors.cluster.told import Saying, told
from tests.host.executors.trying import until

NO_PYTHON = {"error": ["executor-python", "/env/bin/python: no such file"]}
Making = Callable[..., Crew]


class Waiting:
    """Workers come and go by what happens at each look of those who wait."""

    def __init__(self, *happens: Callable[[], Any]) -> None:
        self.happens = list(happens)
        self.said: list[str] = []

    def check(self) -> None:
        if self.happens and self.happens[0]():
            self.happens.pop(0)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Making]:
    monkeypatch.setattr(crew, "WATCH_SECONDS", 0.01)
    crews: list[Crew] = []

    def make(engine: Saying, waiting: Waiting) -> Crew:
        def survey(worker: str) -> Any:
            return engine.submit(worker, errand.survey)

        crews.append(Crew(engine, survey, waiting.check, waiting.said.append))
        return crews[-1]

    yield make
    for one in crews:
        one.close()


def test_no_worker_is_left_when_the_time_to_wait_for_others_is_over(
    made: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "GATHER_SECONDS", math.inf)
    engine = Saying(first=told("a"))
    engine.coming = 2
    one: list[Crew] = []

    def leaves() -> bool:
        del engine.there["first"]
        until(lambda: not one[0].workers, "its removal")
        monkeypatch.setattr(crew, "GATHER_SECONDS", 0.0)
        engine.waits = 0.0
        return True

    # It is seen to be ready at the look between the two.
    waiting = Waiting(lambda: one[0].workers == ["first"], leaves)
    one.append(made(engine, waiting))
    with pytest.raises(ExecutorError) as error:
        one[0].gather()
    assert error.value.slug == "executor-no-worker" and not waiting.happens


def test_one_job_that_can_not_run_trials_does_not_end_it_while_others_are_to_come(
    made: Making,
) -> None:
    engine = Saying(first=NO_PYTHON)
    engine.coming = 2
    waiting = Waiting(lambda: waiting.said, lambda: engine.there.update(second=told("b")) or True)
    one = made(engine, waiting)
    one.gather()
    assert [seat.worker for seat in one.fitting()] == ["second"]
    assert waiting.said == ["worker first gets no trial: /env/bin/python: no such file"]


def test_where_none_can_that_is_an_error(made: Making) -> None:
    engine = Saying(first=NO_PYTHON, second=NO_PYTHON)
    engine.coming = 2
    one = made(engine, waiting := Waiting())
    with pytest.raises(ExecutorError, match="no such file: the script's interpreter must") as error:
        one.gather()
    assert error.value.slug == "executor-python" and not waiting.said
