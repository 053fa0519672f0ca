"""The way from initial weights to weights, where runs part."""

from __future__ import annotations

import pytest
from msgspec import structs

from nondet.record import Diagnosis, Divergence
from nondet.report.page import stages
from tests.report import parts, samples


def told(diagnosis: Diagnosis) -> list[tuple[str, str, str]]:
    return [(stage.label, stage.note, stage.tone) for stage in stages.of(diagnosis)]


def test_runs_that_part_before_training_differ_from_the_initial_weights_on() -> None:
    way = told(samples.one_cause())
    assert way[0] == ("Initial weights", "2 of 4 differ", "first")
    assert {tone for _, _, tone in way[1:-1]} == {"unknown"}
    assert way[-1] == ("Weights", "differ from the start on", "after")
    assert [label for label, _, _ in way] == [
        "Initial weights", "Batch", "Forward", "Loss", "Gradients", "Updates", "Weights"
    ]  # fmt: skip


def test_a_step_that_was_looked_into_is_told_phase_by_phase() -> None:
    way = {label: (note, tone) for label, note, tone in told(samples.looked_into())}
    assert way["Initial weights"] == ("same bits", "same")
    assert way["Seeds' state"] == ("same bits", "same")
    assert way["Loss"] == ("same bits", "same")
    assert way["Gradients"] == ("1 of 33 differ", "first")
    assert way["Updates"] == ("1 of 18 differ", "after")
    assert way["Weights"][1] == "after"


def test_without_a_look_inside_the_step_is_open() -> None:
    way = told(samples.unresolved())
    assert way[0] == ("Initial weights", "same bits", "same")
    assert way[1] == ("Batch", "not looked into", "unknown")
    assert way[-1] == ("Weights", "2 of 4 differ at the end of epoch 2", "first")


def test_there_is_no_way_to_what_is_changed_after_training() -> None:
    diagnosis = samples.unresolved()
    assert diagnosis.first_divergence is not None
    end = structs.replace(diagnosis.first_divergence, checkpoint="end")
    assert told(structs.replace(diagnosis, first_divergence=end)) == []


def test_a_race_is_told_as_it_was_in_the_runs_looked_into() -> None:
    diagnosis = samples.looked_into()
    assert diagnosis.first_divergence is not None
    early = structs.replace(diagnosis.first_divergence, step=3)
    way = told(structs.replace(diagnosis, first_divergence=early))
    assert way[2] == ("Batch", "same bits", "same")
    assert way[-1] == ("Weights", "differ after step 17", "after")


def test_of_several_causes_a_later_one_s_step_is_not_taken_for_the_first() -> None:
    diagnosis = samples.looked_into()
    assert diagnosis.first_divergence is not None
    early = structs.replace(diagnosis.first_divergence, step=3)
    causes = samples.three_causes().causes
    way = told(structs.replace(diagnosis, first_divergence=early, causes=causes))
    assert way[1] == ("Batch", "not looked into", "unknown")


def test_exactly_one_stage_is_the_first() -> None:
    for make in samples.ALL.values():
        way = stages.of(make())
        assert [stage.tone for stage in way].count("first") == bool(way)


@pytest.mark.parametrize("where", [None, "user"])
def test_no_way_where_no_model_parts(where: str | None) -> None:
    value = Divergence(checkpoint="user", model="centres", epoch=0, step=0, tensor="", kind="value")
    found = samples.base(verdict="unsure", first_divergence=value if where else None)
    assert stages.of(found) == []


def test_what_was_found_inside_is_not_counted_as_weights() -> None:
    inside = structs.replace(parts.ROUNDING, kind="gradient")
    way = told(samples.base(verdict="unsure", first_divergence=inside))
    assert way[-1][1] == "differ at the end of epoch 1"
