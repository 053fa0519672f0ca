"""What the page says of the fix's proof, its place and its cost, and how to repeat a trial."""

from __future__ import annotations

import io

import pytest
from msgspec import structs
from rich.console import Console

from nondet.record import Arm, Diagnosis, Prescription, Program, Slowdown
from nondet.report import html, markdown
from nondet.report.console import print_fix
from nondet.report.page import words
from tests.report import parts, samples
from tests.report.test_console import printed
from tests.report.test_html import page


def fix(**changes: object) -> Prescription:
    found = samples.one_cause().prescription
    assert found is not None
    return structs.replace(found, **changes)


@pytest.mark.parametrize(
    ("changes", "badges"),
    [
        ({"patch": None}, [("Pins verified by 6 runs", "good")]),
        ({}, [("Pins verified by 6 runs", "good"), ("Patched script not run", "warn")]),
        (
            {"patch_trials": ("t20", "t21")},
            [("Pins verified by 6 runs", "good"), ("Patched script not verified", "warn")],
        ),
        (
            {"patch_trials": ("t20", "t21", "t22"), "patch_verified": True},
            [("Patched script verified by 3 runs", "good")],
        ),
        (
            {
                "patch": None,
                "launch": "A=1 python x.py",
                "patch_trials": ("t1",),
                "patch_verified": True,
            },
            [("Launch line verified by 1 run", "good")],
        ),
        ({"verified": False}, [("Not verified", "warn")]),
    ],
)
def test_a_badge_says_what_was_run(
    changes: dict[str, object], badges: list[tuple[str, str]]
) -> None:
    assert words.badges(fix(**changes)) == badges


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Put this near the top of `train.py`, behind its imports and before anything draws"),
        (
            {"drawing": ("data",)},
            "Put this near the top of `train.py`, before it imports `data`, which draws while it "
            "is imported",
        ),
        (
            {"drawing": ("data", "model")},
            "Put this near the top of `train.py`, before it imports `data` and `model`, which draw "
            "while they are imported",
        ),
        ({"top": (), "patch": None}, "Write it like this in `train.py`"),
    ],
)
def test_where_the_code_belongs(changes: dict[str, object], said: str) -> None:
    assert words.placing(fix(**changes), "train.py") == said


@pytest.mark.parametrize("note", ["ValueError: Got (16,) instead.", "ValueError: oh"])
def test_what_is_told_of_a_patch_has_one_full_stop(note: str) -> None:
    said = words.patched(fix(patch_note=note))
    assert said == f"Not verified: {note.rstrip('.')}."


def test_the_page_shows_place_and_proof() -> None:
    said = page(samples.one_cause()).said("fix")
    assert (
        "Put this near the top of train.py, behind its imports and before anything draws:" in said
    )
    assert "Pins verified by 6 runs Patched script not run" in said
    assert "Not verified: the patched script was not run." in said
    diagnosis = samples.one_cause()
    proven = fix(patch_trials=("t14", "t15"), patch_verified=True)
    said = page(structs.replace(diagnosis, prescription=proven)).said("fix")
    assert "Patched script verified by 2 runs" in said
    assert "Pins verified" not in said
    assert "Verified: 2 runs of the patched script, with nothing pinned, agree" in said


def test_a_launch_line_that_was_run_is_told_as_such() -> None:
    found = fix(
        top=(), snippet="", patch=None, launch="A=1 python train.py",
        patch_trials=("t14", "t15"), patch_verified=True,
    )  # fmt: skip
    diagnosis = structs.replace(samples.one_cause(), prescription=found)
    told = "Verified: 2 runs started like this, with nothing pinned, agree bit for bit."
    assert told in page(diagnosis).said("fix")
    assert told in " ".join(printed(diagnosis).split())
    assert told in markdown.render(diagnosis)
    out, notes = (Console(file=io.StringIO(), width=100) for _ in range(2))
    print_fix(out, notes, diagnosis)
    assert notes.file.getvalue() == f"Start it with: A=1 python train.py\n{told}\n"  # type: ignore[attr-defined]


def test_the_page_shows_code_for_each_script() -> None:
    cause = structs.replace(samples.one_cause().causes[0], fix="import random\nrandom.seed(42)")
    program = Program(file="tools/make.py", top=(cause.fix,))
    found = fix(snippet="", top=(), patch=None, programs=(program,))
    shown = page(structs.replace(samples.one_cause(), causes=(cause,), prescription=found))
    said = shown.said("fix")
    assert (
        "Put this near the top of tools/make.py, behind its imports and before anything draws:"
        in said
    )
    assert "random.seed(42)" in said
    assert words.tops(found) == ["", cause.fix]


def test_a_patch_that_does_not_hold_is_no_fix() -> None:
    note = "the patched script still gives different results"
    failed = structs.replace(
        samples.one_cause(), prescription=fix(patch_trials=("t14", "t15"), patch_note=note)
    )
    shown = page(failed)
    said = shown.said("fix")
    assert said.startswith("Tried Pins verified by 6 runs Patched script not verified")
    assert f"This is no fix yet: {note}." in said
    assert "This was put near the top of train.py, behind its imports" in said
    assert "The fix" not in said and "Put this" not in said
    told = printed(failed)
    assert "Tried at the top of the script  no fix yet" in told
    assert "pins verified" not in told and "Put at" not in told
    assert "**Tried** (no fix yet)" in markdown.render(failed)


def test_what_a_pin_costs_is_told_whether_it_is_much_or_not() -> None:
    slow = Slowdown(
        ratio=1.043, pinned_seconds=9.7, free_seconds=9.3, pinned=("t10",), free=("t01",)
    )
    assert words.price(slow) == (
        "With this pin a whole run takes 9.7 s, without it 9.3 s: 1.04 times as long."
    )
    fast = structs.replace(slow, ratio=0.73, pinned_seconds=6.8)
    assert words.price(fast) == (
        "With this pin a whole run takes 6.8 s, without it 9.3 s: no longer."
    )
    also = structs.replace(slow, also=("hash-seed",))
    assert words.price(also).startswith("With this pin and that of hash-seed a whole run")
    assert words.price(None).startswith("Not measured")
    diagnosis = samples.one_cause()
    cause = structs.replace(diagnosis.causes[0], slowdown=slow)
    said = page(structs.replace(diagnosis, causes=(cause,))).said("price")
    assert said.endswith("1.04 times as long. Trial t10 with it, t01 without.")


def test_the_way_from_source_to_tensor_is_told() -> None:
    assert page(samples.one_cause()).said("chain") == (
        "Source python-random Drawn by initial-weights dropout First to differ the initial weights "
        "of dense/kernel, at the start, before the first step"
    )


def repeating(plan: dict[str, Arm], **changes: object) -> Diagnosis:
    trial = parts.trial(1, plan, "Is it the clock?")
    return structs.replace(samples.base(verdict="unsure", trials=(trial,)), **changes)


@pytest.mark.parametrize(
    ("plan", "command"),
    [
        (
            {"python-random": "pinned", "clock": "free", "dropout": "pinned"},
            "nondet run --pin python-random,dropout train.py --data iris.csv",
        ),
        ({"python-random": "free"}, "nondet run train.py --data iris.csv"),
        (
            {"dropout": "ablated", "shuffle": "ablated", "clock": "pinned", "leftovers": "pinned"},
            "nondet run --pin clock --ablate dropout,shuffle train.py --data iris.csv",
        ),
    ],
)
def test_a_trial_has_the_command_that_repeats_it(plan: dict[str, Arm], command: str) -> None:
    diagnosis = repeating(plan)
    assert words.repeated(diagnosis, diagnosis.trials[0]) == command
    assert words.unrepeatable(diagnosis, diagnosis.trials[0]) == ""
    assert f"To repeat it alone: {command}" in page(diagnosis).said("trials")


@pytest.mark.parametrize(
    ("plan", "changes", "why"),
    [
        ({"clock": "varied"}, {}, "clock was provoked in this run, and `nondet run` only holds."),
        (
            {"clock": "pinned"},
            {"zooms": samples.looked_into().zooms[:1]},
            "It looked inside the steps, which no command does for a single run.",
        ),
        (
            {"clock": "free"},
            {"prescription": fix(patch_trials=("t08",))},
            "It ran the patched script, with nothing pinned. Apply the patch with `nondet fix "
            "--apply`, and it is the script itself that repeats this.",
        ),
    ],
)
def test_a_trial_that_no_command_repeats_says_why(
    plan: dict[str, Arm], changes: dict[str, object], why: str
) -> None:
    diagnosis = repeating(plan, **changes)
    trial = structs.replace(diagnosis.trials[0], id="t08")
    diagnosis = structs.replace(diagnosis, trials=(trial,))
    assert words.repeated(diagnosis, trial) == ""
    assert words.unrepeatable(diagnosis, trial) == why
    said = page(diagnosis).said("trials")
    assert f"No command repeats it alone. {why.replace('`', '')}" in said


def test_a_trial_unlike_others_of_its_plan_is_told_apart() -> None:
    diagnosis = structs.replace(
        samples.looked_into(), prescription=fix(patch_trials=("t01",), patch_verified=True)
    )
    said = page(diagnosis).said("trials")
    assert "t01all free (patched script)" in said
    assert said.count("(patched script)") == 1
    assert said.count("(looked inside steps)") == len(
        {name for zoom in diagnosis.zooms for name in zoom.trials}
        & {trial.id for trial in diagnosis.trials}
    )


def test_hostile_arguments_are_quoted_in_the_command() -> None:
    diagnosis = samples.hostile()
    command = words.repeated(diagnosis, diagnosis.trials[2])
    assert command.startswith("nondet run --pin python-random,")
    assert command.endswith("'$(reboot)'")
    assert "'it'\"'\"'s \"bad\"\n" in command


def test_the_search_is_a_table_with_heads_in_both_directions() -> None:
    read = page(samples.one_cause())
    heads = [known.get("scope") for tag, known in read.elements if tag == "th"]
    assert {"col", "row", "colgroup"} <= set(heads)
    said = read.said("bisection")
    assert "4 Is it Python's random module? Runs partfree, the causepinnedpinned" in said
    assert "Cause: python-random (question 2 shows its other side)" in said
    assert "Cleared: op-determinism and cpu-threads" in said
    assert "18 more factors went along" in said


def test_the_stages_are_told() -> None:
    assert page(samples.looked_into()).said("stages") == (
        "Initial weights same bits Seeds' state same bits Batch same bits Forward same bits Loss "
        "same bits Gradients 1 of 33 differ (the first to differ) Updates 1 of 18 differ Weights "
        "differ after step 17"
    )
    assert "stages" not in page(samples.reproducible()).texts


def test_a_question_without_factors_has_no_key_and_no_run_no_length() -> None:
    broken = samples.broken()
    asked = parts.question("Does it repeat as it is?", parts.TITLES, "BROKEN", ("t01",), "")
    cost = structs.replace(broken.cost, single_run_seconds=0.0)
    diagnosis = structs.replace(broken, questions=(asked,), cost=cost)
    read = page(diagnosis)
    said = read.said("bisection")
    assert "Trials failed t01" in said
    assert "pinned free" not in said
    assert "went along" not in said
    assert "one run takes" not in html.render(diagnosis)
    assert "one run takes 3.4 s" in html.render(broken)
