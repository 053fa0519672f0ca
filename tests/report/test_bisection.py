"""The search as a picture: columns, arms, and which answers prove or clear what."""

from __future__ import annotations

from msgspec import structs

from nondet.guest.factors import CONSUMERS
from nondet.record import Cleared, Diagnosis, NotTested
from nondet.report.page import bisection
from nondet.report.page.bisection import Cell, Picture
from tests.report import parts, samples


def cells(found: Picture, factor: str) -> list[Cell]:
    """A factor's column, from the first question to the last."""
    return [cell for row in found.rows for cell in row.cells if cell.factor == factor]


def test_consumers_are_those_of_the_catalogue() -> None:
    assert tuple(factor.name for factor in CONSUMERS) == bisection.CONSUMERS


def test_a_cause_is_marked_on_both_sides_of_its_proof() -> None:
    found = bisection.picture(samples.one_cause())
    column = cells(found, "python-random")
    assert [cell.arm for cell in column] == ["free", "pinned", "pinned", "free"]
    assert [cell.mark for cell in column] == ["", "cause", "", "cause"]
    assert [row.causes for row in found.rows] == [(), (), (), (("python-random", 2),)]
    assert column[3].said == "free, the cause"


def test_a_cause_seen_from_one_side_only_is_not_marked() -> None:
    diagnosis = samples.one_cause()
    cause = structs.replace(diagnosis.causes[0], agreeing=())
    found = bisection.picture(structs.replace(diagnosis, causes=(cause,)))
    assert not found.marks("cause")
    assert not any(row.causes for row in found.rows)


def test_what_an_answer_cleared_is_marked_where_its_trials_agreed() -> None:
    found = bisection.picture(samples.one_cause())
    assert [row.cleared for row in found.rows] == [(), (), ("op-determinism", "cpu-threads"), ()]
    assert cells(found, "cpu-threads")[2].mark == "cleared"
    assert cells(found, "cpu-threads")[0].mark == ""


def test_the_answer_that_rests_on_most_of_the_trials_is_the_proof() -> None:
    diagnosis = samples.one_cause()
    free, held, _, needed = diagnosis.questions
    few = structs.replace(held, trials=("t03",))
    many = structs.replace(held, text="And again?", trials=("t03", "t04", "t10", "t11"))
    other = structs.replace(needed, text="How does it grow?", trials=("t08", "t09", "t20"))
    asked = (free, few, needed, other, many)
    found = bisection.picture(structs.replace(diagnosis, questions=asked))
    assert [cell.mark for cell in cells(found, "python-random")] == ["", "", "cause", "", "cause"]
    assert [row.causes for row in found.rows][4] == (("python-random", 3),)


def test_of_two_questions_about_the_same_trials_the_last_is_the_proof() -> None:
    diagnosis = samples.one_cause()
    needed = structs.replace(diagnosis.questions[3], text="Is it needed?")
    asked = (*diagnosis.questions, needed)
    found = bisection.picture(structs.replace(diagnosis, questions=asked))
    assert [cell.mark for cell in cells(found, "python-random")][3:] == ["", "cause"]


def test_runs_that_part_clear_nothing() -> None:
    diagnosis = samples.one_cause()
    cleared = (Cleared(factor="clock", why="released-without-effect", trials=("t08",)),)
    found = bisection.picture(structs.replace(diagnosis, cleared=cleared))
    assert not found.marks("cleared")


def test_sources_stand_before_consumers_and_idle_factors_have_no_column() -> None:
    found = bisection.picture(samples.one_cause())
    assert found.sources[:3] == ("python-random", "numpy-global", "tf-seed")
    assert found.consumers == ("initial-weights", "dropout", "shuffle", "keras-seed")
    assert not {"clock", "cudnn", "torch-seed"} & {*found.sources, *found.consumers}
    assert found.idle == len(parts.TITLES) - len(found.sources) - len(found.consumers)


def test_every_row_has_a_cell_in_every_column() -> None:
    for make in samples.ALL.values():
        found = bisection.picture(make())
        names = (*found.sources, *found.consumers)
        assert len(found.outcomes) == len(names)
        for row in found.rows:
            assert tuple(cell.factor for cell in row.cells) == names


def test_outcomes_say_what_became_of_each_factor() -> None:
    found = bisection.picture(samples.three_causes())
    told = dict(zip((*found.sources, *found.consumers), found.outcomes, strict=True))
    assert told["hash-seed"] == "cause"
    assert told["op-determinism"] == "shifts"
    assert told["numpy-global"] == ""
    assert told["initial-weights"] == told["shuffle"] == "draws"
    alone = bisection.picture(samples.one_cause())
    told = dict(zip((*alone.sources, *alone.consumers), alone.outcomes, strict=True))
    assert told["dropout"] == "alternative"
    assert told["onednn"] == "cleared"


def asked_with(arm: str) -> Diagnosis:
    """One question whose trial switched dropout off, or whose trials provoked the hash seed."""
    if arm == "ablated":
        plan = parts.plan(("clock",)) | {"dropout": "ablated"}
        trial = parts.trial(1, plan, "Is it what dropout draws?")
        asked = parts.question("Is it what dropout draws?", ("clock",), "AGREES", ("t01",), "")
    else:
        trial = parts.trial(1, {"hash-seed": "varied"}, "Does another order matter?")
        asked = structs.replace(
            parts.question("Does another order matter?", parts.TITLES, "AGREES", ("t01",), ""),
            free=tuple(name for name in parts.TITLES if name != "hash-seed"),
            varied=("hash-seed",),
        )
    free = parts.question("Does it repeat as it is?", parts.TITLES, "DIVERGES", ("t02",), "")
    return samples.base(verdict="unsure", trials=(trial,), questions=(free, asked))


def test_what_was_switched_off_is_told_from_what_was_pinned() -> None:
    found = bisection.picture(asked_with("ablated"))
    assert [cell.arm for cell in cells(found, "dropout")] == ["free", "ablated"]
    assert [cell.arm for cell in cells(found, "shuffle")] == ["free", "pinned"]
    assert found.uses("ablated")


def test_what_was_provoked_is_no_pin() -> None:
    found = bisection.picture(asked_with("varied"))
    assert [cell.said for cell in cells(found, "hash-seed")] == ["free", "provoked"]
    assert (found.sources, found.consumers) == (("hash-seed",), ())


def test_what_could_not_be_tested_has_no_column() -> None:
    diagnosis = asked_with("ablated")
    found = bisection.picture(
        structs.replace(diagnosis, not_tested=(NotTested(factor="tf32", why="no GPU"),))
    )
    assert "tf32" not in found.sources
    assert "tf32" in bisection.picture(diagnosis).sources


def test_a_factor_that_a_question_does_not_know_has_an_empty_cell() -> None:
    diagnosis = samples.one_cause()
    short = structs.replace(diagnosis.questions[1], pinned=("python-random",))
    found = bisection.picture(structs.replace(diagnosis, questions=(diagnosis.questions[0], short)))
    assert [cell.arm for cell in cells(found, "tf-seed")] == ["free", ""]
    assert cells(found, "tf-seed")[1].said == "not part of it"


def test_no_question_makes_no_row() -> None:
    found = bisection.picture(samples.base(verdict="unsure"))
    assert (found.rows, found.sources, found.idle) == ((), (), 0)
