"""The sentence that tells what differs first inside a step."""

from __future__ import annotations

import pytest

from nondet.record import First, Moment, Zoom
from nondet.report.page import zooms
from tests.report.inside import at, moment, step, zoom


def single(place: Moment, differs: str = "", number: int = 17, **changes: object) -> Zoom:
    """One pair that parts at `place`; the step is shown when `differs` says where it parts."""
    found = step(differs) if differs else ()
    return zoom(firsts=(at(place, number),), step=number, moments=found, **changes)


OUTPUT = Moment(phase="forward", tensor="output", layer="dropout", kind="Dropout", dtype="float32")
UPDATE = moment(phase="update", kind="Adam")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            zoom(),
            "At step 17, the gradient of `conv2d_3/kernel` is the first thing that differs: the "
            "model's state, the batch, every layer's output, the loss and all gradients computed "
            "before it have the same bits. Conv2D's backward pass computes it (float32, "
            "3×3×32×32).",
        ),
        (
            single(moment(phase="batch", layer="", tensor="x"), "batch//x", 1),
            "At step 1, the batch `x` already differs, before any layer has run: the data pipeline "
            "hands over something else.",
        ),
        (
            single(moment(phase="state", layer="", tensor="seed_generator")),
            "At step 17, the state of the seed generator `seed_generator` already differs, before "
            "the batch arrives and any layer has run.",
        ),
        (
            single(OUTPUT, "forward/dropout/output"),
            "At step 17, the output of `dropout` (Dropout) is the first thing that differs: its "
            "inputs agree, its output doesn't (float32, scalar).",
        ),
        (
            single(moment(phase="forward", tensor="output, call 2", dtype="", shape=())),
            "At step 17, the output of `conv2d_3` (Conv2D, call 2) is the first thing that "
            "differs: its inputs agree, its output doesn't.",
        ),
        (
            single(moment(phase="forward", tensor="input", dtype="", shape=(), op="AddV2")),
            "At step 17, the input of `conv2d_3` is the first thing that differs: all that was "
            "recorded before it has the same bits. It is computed between the layers (AddV2).",
        ),
        (
            single(Moment(phase="loss", tensor="loss", kind="mse"), "loss//loss"),
            "At step 17, the loss is the first thing that differs: the model's state, the batch "
            "and every layer's output have the same bits. mse computes it.",
        ),
        (
            single(UPDATE, "update/conv2d_3/kernel"),
            "At step 17, the update of `conv2d_3/kernel` is the first thing that differs: its "
            "gradient agrees, what Adam makes of it doesn't (float32, 3×3×32×32).",
        ),
        (
            single(moment(phase="update", tensor="moving_mean", kind="", dtype="", shape=())),
            "At step 17, the update of `conv2d_3/moving_mean` is the first thing that differs: all "
            "that was recorded before it has the same bits.",
        ),
    ],
)
def test_one_place(found: Zoom, said: str) -> None:
    assert zooms.sentence(found) == said


def test_a_loss_without_its_targets() -> None:
    loss = Moment(phase="loss", tensor="loss", kind="mse", differs=True)
    given = Moment(phase="batch", tensor="input")
    assert zooms.sentence(zoom(firsts=(at(loss),), moments=(given, loss))) == (
        "At step 17, the loss is the first thing that differs: the batch has the same bits. mse "
        "computes it. What else the loss is computed from, such as targets, was not looked at."
    )


def test_the_optimizer_s_own_state() -> None:
    momentum = Moment(phase="update", tensor="adam/kernel_momentum", kind="Adam", differs=True)
    agreeing = (moment(differs=False),)
    found = zoom(firsts=(at(momentum),), moments=(*agreeing, momentum))
    assert zooms.sentence(found) == (
        "At step 17, the optimizer's state `adam/kernel_momentum` is the first thing that differs: "
        "all gradients agree, what Adam makes of them doesn't."
    )


def test_no_more_is_said_to_agree_than_was_recorded() -> None:
    only = (moment(phase="batch", layer="", tensor="x", differs=False), moment())
    assert ": the batch has the same bits." in zooms.sentence(zoom(moments=only))
    other = zooms.sentence(zoom(step=18))
    assert ": all that was recorded before it has the same bits." in other


@pytest.mark.parametrize(
    ("pairs", "of", "said"),
    [
        (5, 5, "At step 17, in all 5 pairs of runs, the gradient"),
        (2, 5, "At step 17, in 2 of 5 pairs of runs, the gradient"),
        (1, 1, "At step 17, the gradient"),
    ],
)
def test_in_how_many_pairs(pairs: int, of: int, said: str) -> None:
    found = zoom(pairs=of, firsts=(at(moment(), 17, pairs),))
    assert zooms.sentence(found).startswith(said)


OTHER = moment(layer="conv2d_2")


@pytest.mark.parametrize(
    ("firsts", "said"),
    [
        (
            (at(moment(), 17, 3), at(OTHER, 18, 2)),
            "In 3 of 5 pairs of runs, the gradient of `conv2d_3/kernel` at step 17 is the first "
            "thing that differs; in 2, the gradient of `conv2d_2/kernel` at step 18. As a race "
            "does, it strikes at another place each time.",
        ),
        (
            (at(moment(), 17, 3), at(moment(), 18, 2)),
            "The gradient of `conv2d_3/kernel` is always the first thing that differs, at step 17 "
            "in 3 of 5 pairs of runs and at step 18 in 2. Conv2D's backward pass computes it "
            "(float32, 3×3×32×32).",
        ),
        (
            (at(moment(phase="batch", layer="", tensor="x"), 2, 4), at(OUTPUT, 1, 1)),
            "In 4 of 5 pairs of runs, the batch `x` at step 2 is the first thing that differs; "
            "in 1, the output of `dropout` at step 1.",
        ),
    ],
)
def test_several_places(firsts: tuple[First, ...], said: str) -> None:
    assert zooms.sentence(zoom(pairs=5, firsts=firsts)) == said


def test_calls_of_one_layer_are_different_places() -> None:
    calls = tuple(at(moment(tensor=f"gradient of its output, call {n}")) for n in (1, 2))
    said = zooms.sentence(zoom(pairs=2, firsts=calls))
    assert "`conv2d_3` (call 1) at step 17" in said
    assert "`conv2d_3` (call 2) at step 17" in said


def test_very_many_places_are_summed_up() -> None:
    places = tuple(at(moment(layer=f"conv2d_{n}"), 17, 2) for n in range(6))
    said = zooms.sentence(zoom(pairs=12, firsts=places))
    assert "; in 6, something else. As a race does" in said
    assert "conv2d_3" not in said
    steps = tuple(at(moment(), n, 2) for n in range(1, 7))
    assert "at step 3 in 2 and at other steps in 6." in zooms.sentence(zoom(pairs=12, firsts=steps))


def test_none_parted() -> None:
    found = zoom(pairs=0, firsts=(), step=0, pair=None, moments=())
    assert zooms.sentence(found) == (
        "None of the 4 runs looked into parted in steps 1 to 32, so what differs first inside a "
        "step is not known."
    )
    assert zooms.heading(found) == "Inside steps 1 to 32"


def test_parted_where_nothing_was_recorded() -> None:
    found = zoom(pairs=1, firsts=(), first_step=17, last_step=17)
    assert zooms.sentence(found) == (
        "1 pair of runs looked into parted in step 17, and nothing that was recorded inside a step "
        "tells where."
    )
    assert zooms.heading(found) == "Inside step 17"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {},
            "Looked into as the compiled graph; over the 16 steps before, weights have the same "
            "bits as in runs that were not looked into, so looking changed nothing so far.",
        ),
        ({"mode": "xla", "unchanged_steps": 0}, "Looked into as XLA compiles it."),
        ({"mode": "jit", "unchanged_steps": 0}, "Looked into as JAX compiles it."),
        (
            {"mode": "", "unchanged_steps": 1, "note": "No gradients."},
            "Over the step before, weights have the same bits as in runs that were not looked "
            "into, so looking changed nothing so far. No gradients.",
        ),
        ({"mode": "eager", "unchanged_steps": 0}, "Looked into as it runs eagerly."),
        ({"mode": "", "unchanged_steps": 0}, ""),
    ],
)
def test_how_it_was_looked_into(changes: dict[str, object], said: str) -> None:
    assert zooms.conditions(zoom(**changes)) == said
