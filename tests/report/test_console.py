"""The summary in the terminal."""

from __future__ import annotations

import io
import re

import pytest
from msgspec import structs
from rich.console import Console

from nondet.record import (
    Cause,
    Compared,
    Confidence,
    Diagnosis,
    Dormant,
    Failure,
    Horizon,
    Kernel,
    NotTested,
    Prescription,
    Program,
    Refusal,
    Seeding,
    Sensitivity,
    Stress,
    Suspect,
)
from nondet.report import html, markdown
from nondet.report.console import print_factors, print_fix, print_summary
from tests.report import inside
from tests.report.console_samples import (
    ALL,
    HOSTILE,
    LATE,
    LISTING,
    REFUSAL,
    REPORT,
    SLOW,
    SNIPPET,
    START,
    cause,
    diagnosis,
    late_seed,
    looked_into,
    one_cause,
    shortened,
    site,
    stressed,
    unresolved,
)


def printed(
    record: Diagnosis, *, width: int = 80, report: str = REPORT, colour: bool = False
) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        legacy_windows=False,
    )
    print_summary(console, record, report)
    return stream.getvalue()


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", [name for name in ALL if name != "many-causes"])
def test_it_fits_one_screen(name: str) -> None:
    lines = printed(ALL[name]()).splitlines()
    assert len(lines) <= 23, "80x24 less the line of the prompt"
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("width", [20, 80, 200])
@pytest.mark.parametrize("name", ALL)
def test_every_verdict_prints_at_every_width(name: str, width: int) -> None:
    assert REPORT in printed(ALL[name](), width=width)


def test_one_cause_says_what_where_and_what_to_change() -> None:
    text = printed(one_cause())
    for part in (
        "Causes found.",
        "python-random  Python's random module",
        "train.py:30",
        "(3 times)",
        "consumed by initial-weights, dropout",
        "free: t01, t02 part; pinned: t03",
        "at the start, before the first step",
        "by up to 1.62 relative, 0.771 absolute",
        "verified by 6 trials",
        "2 factors (no GPU here): cudnn, device",
        "10 trials in 1 min 3 s; one run takes 8.9 s",
    ):
        assert part in flat(text) or part in text
    assert (
        "6 runs with the causes pinned agreed bit for bit. 95 % sure that fewer than 46 % of"
        in flat(text)
    )


def test_agreement_with_the_causes_pinned_names_what_agreed() -> None:
    found = one_cause()
    assert found.confidence is not None
    named = Compared(models=("sequential", "a\nb"), checkpoints=13)
    sure = structs.replace(found.confidence, compared=named)
    found = structs.replace(found, confidence=sure)
    agreed = "bit for bit in the weights of `sequential` and `a\\nb` at 13 checkpoints"
    assert f"pinned agreed {agreed}. 95 %" in flat(printed(found))
    assert "at 13 checkpoints; 95 %" in markdown.render(found)
    assert "bit for bit in the weights of <code>sequential</code>" in html.render(found)
    # Without causes, the summary names it.
    alone = structs.replace(diagnosis(verdict="reproducible"), confidence=sure)
    assert "13 checkpoints" not in printed(alone)


def rows(text: str, *labels: str) -> list[str]:
    """The lines of these rows, with what wraps or stands below them."""
    found: list[str] = []
    inside = False
    for line in text.splitlines():
        if line[:13].strip():
            inside = line.startswith(labels)
        if inside and line.strip():
            found.append(line.rstrip())
    return found


def test_a_faulty_seed_stands_above_the_draws_and_one_in_time_does_not() -> None:
    lines = [line.strip() for line in printed(late_seed()).splitlines()]
    start = lines.index("numpy-global  Python's random module")
    assert lines[start + 1 : start + 5] == [
        "train.py:20  np.random.seed comes too late: train.py:12 had drawn before it",
        "train.py:9  random.seed is given another seed in every run",
        "train.py:30  random.randint for Dropout dropout_1 (3 times)",
        "consumed by initial-weights, dropout",
    ]
    assert "tf.random.set_seed" not in "\n".join(lines)


def test_a_late_seed_without_a_known_draw_and_many_seeds() -> None:
    unknown = Seeding(call="s", site=site(20), fault="late")
    others = [structs.replace(LATE, site=site(line)) for line in (40, 50, 60)]
    text = printed(one_cause(causes=(cause(seedings=(unknown, *others)),)))
    assert "s comes too late: something had drawn before it" in text
    assert "... and 2 more such seeds in the report" in text


def test_one_call_that_seeds_several_generators_is_one_line() -> None:
    given = Seeding(call="set_seed", site=site(9), fault="varies", factor="python-random")
    other = structs.replace(given, factor="tf-seed", before=(site(3),))
    found = one_cause(causes=(cause(seedings=(given, other)),))
    assert printed(found).count("set_seed is given another seed in every run") == 1
    assert html.render(found).count("is given another seed in every run") == 1


def test_lines_of_one_place_are_one() -> None:
    same = tuple(site(30) for _ in range(3))
    text = printed(one_cause(causes=(Cause(factor="x", sites=same),)))
    assert text.count("train.py:30  random.randint for Dropout dropout_1 (9 times)") == 1


def test_dormant_sources_stand_apart_in_a_line_or_two() -> None:
    assert rows(printed(stressed()), "Shifts", "Dormant", "Stress") == [
        "Shifts       onednn (by up to 1.62 relative): another result, the same in every",
        "             run",
        "Dormant      file-order (train.py:12): breaks once provoked (directories are",
        "             listed in reverse)",
        "Stress       incomplete: the budget was spent before python-workers had been",
        "             provoked",
    ]
    many = stressed(stress=Stress(dormant=(LISTING, Dormant(factor="hash-seed"), LISTING)))
    assert rows(printed(many), "Dormant", "Stress") == [
        "Dormant      file-order (train.py:12), hash-seed and 1 more: break once provoked"
    ]


def test_a_quiet_stress_test_says_so_and_none_says_nothing() -> None:
    quiet = stressed(stress=Stress(quiet=("clock", "hash-seed")))
    assert rows(printed(quiet), "Stress") == ["Stress       2 factors provoked without effect"]
    assert not rows(printed(stressed(stress=None)), "Dormant", "Stress")


def test_what_could_not_be_controlled_is_told_when_unresolved() -> None:
    assert rows(printed(unresolved()), "Uncontrolled") == [
        "Uncontrolled a thread started by the script (train.py:12)",
        "             an open of /dev/urandom",
    ]
    many = tuple(Suspect(what=f"thread {place}") for place in range(5))
    assert rows(printed(unresolved(suspects=many)), "Uncontrolled") == [
        "Uncontrolled thread 0",
        "             thread 1",
        "             ... and 3 more suspects in the report",
    ]
    assert not rows(printed(one_cause(suspects=many)), "Uncontrolled")


def test_a_refusal_is_one_line_first_of_all_when_the_script_asked_for_it() -> None:
    row = "Refused      UnsortedSegmentSum in deterministic mode (train.py:24)"
    assert rows(printed(late_seed()), "Refused") == [row]
    two = one_cause(refusals=(REFUSAL, REFUSAL))
    assert rows(printed(two), "Refused")[1].strip() == "... and 1 more operation in the report"
    lines = printed(ALL["refused"]()).splitlines()
    assert lines[3:5] == ["exit code 1", "Refused      an op of XLA in deterministic mode"]


def test_a_shortened_horizon_is_told() -> None:
    text = printed(shortened())
    assert rows(text, "Horizon", "Cost") == [
        "Horizon      up to the end of epoch 1; not later training, evaluation, saving",
        "Cost         10 trials in 1 min 3 s; one run up to there takes 8.9 s",
    ]
    never = printed(shortened(horizon=Horizon(unit="step", count=9)))
    assert rows(never, "Horizon") == ["Horizon      no run came to step 9: nothing was cut short"]
    assert "one run takes 8.9 s" in never


def test_a_verdict_that_holds_up_to_there_says_so() -> None:
    found = ALL["reproducible"]()
    assert printed(found).strip().startswith("Reproducible so far. 6 runs")
    there = structs.replace(found, horizon=Horizon(unit="epoch", count=2, reached="epoch 2"))
    assert printed(there).strip().startswith("Reproducible up to the end of epoch 2. 6 runs")
    never = structs.replace(found, horizon=Horizon(unit="epoch", count=2))
    assert printed(never).strip().startswith("Reproducible so far. 6 runs")


def test_a_slow_pin_is_told_beside_its_proof() -> None:
    lines = [line.strip() for line in printed(shortened()).splitlines()]
    place = next(n for n, line in enumerate(lines) if line.startswith("free: t01"))
    told = "takes 1.6 times as long when pinned: slowness alone may hide a race"
    assert lines[place + 1] == told
    together = structs.replace(SLOW, also=("clock", "hash-seed"))
    two = printed(one_cause(causes=(cause("cpu-threads", slowdown=together),)))
    assert "when pinned with clock, hash-seed: slowness alone" in flat(two)
    quick = structs.replace(SLOW, noticeable=False)
    told = printed(one_cause(causes=(cause("cpu-threads", slowdown=quick),)))
    assert "times as long" not in told


def test_what_differs_first_inside_a_step_stands_below_the_first_divergence() -> None:
    lines = printed(looked_into()).splitlines()
    assert rows(printed(looked_into()), "Looked into") == [
        "Looked into  At step 17, the gradient of conv2d_3/kernel is the first thing that",
        "             differs: the model's state, the batch, every layer's output, the",
        "             loss and all gradients computed before it have the same bits.",
        "             Conv2D's backward pass computes it (float32, 3x3x32x32).",
        "             ... and 1 more look in the report",
    ]
    above = next(n for n, line in enumerate(lines) if line.startswith("First parts"))
    below = next(n for n, line in enumerate(lines) if line.startswith("Looked into"))
    assert above < below <= above + 2
    assert not rows(printed(one_cause()), "Looked into")


def test_a_checkpoint_of_the_script_s_own_is_named() -> None:
    found = ALL["unresolved"]()
    assert found.first_divergence is not None
    own = structs.replace(
        found.first_divergence, checkpoint="user", model="pairs", tensor="value", kind="value"
    )
    text = flat(printed(structs.replace(found, first_divergence=own)))
    assert "First parts at a checkpoint of your own, pairs: the value value" in text


def test_where_no_tensor_differs_the_model_is_named() -> None:
    """Of two runs, one alone has that moment."""
    found = ALL["unresolved"]()
    assert found.first_divergence is not None
    alone = structs.replace(
        found.first_divergence,
        checkpoint="end",
        model="net",
        tensor="",
        kind="weights",
        tensors=4,
        tensors_differing=4,
        **dict.fromkeys(("max_abs", "max_rel", "max_ulp", "share"), None),
    )
    found = structs.replace(found, first_divergence=alone)
    moment = "after the last recorded step, at the end of the script"
    assert f"First parts {moment}: the weights of model net " in flat(printed(found)) + " "
    page = html.render(found)
    text = flat(re.sub(r"<[^>]+>", "", page))
    assert f"{moment[1:]}, the weights of model net differ." in text
    first = structs.replace(alone, checkpoint="init", kind="initial-weights")
    found = structs.replace(found, first_divergence=first)
    told = "what is trained first, in one run model net"
    assert f"before the first step: {told} " in flat(printed(found)) + " "
    text = flat(re.sub(r"<[^>]+>", "", html.render(found)))
    assert f"before the first step, {told}, differs." in text


def test_thirty_factors_not_tested_take_a_line() -> None:
    assert rows(printed(late_seed()), "Not tested") == [
        "Not tested   14 factors (no GPU here): factor-1, factor-2, factor-3 and 11 more"
    ]
    reasons = tuple(NotTested(factor=f"long-factor-{n}", why=f"why {n}") for n in range(30))
    (line,) = rows(printed(one_cause(not_tested=reasons)), "Not tested")
    assert line.startswith("Not tested   30 factors (reasons in the report): long-factor-0")


def test_code_is_printed_so_that_it_can_be_copied() -> None:
    long = "value = " + "1 + " * 60 + "1"
    snippet = f"{SNIPPET}\nif True:\n    {long}"
    lines = printed(
        one_cause(
            prescription=Prescription(snippet=snippet, launch="A=1 " * 40 + "python train.py")
        )
    ).splitlines()
    for line in [*snippet.splitlines(), "A=1 " * 40 + "python train.py"]:
        assert line in lines


def test_code_for_other_scripts_stands_below_their_names() -> None:
    programs = (Program(file="tools/make.py", top=("import random\nrandom.seed(42)",)),)
    lines = printed(
        one_cause(prescription=Prescription(snippet="", programs=programs))
    ).splitlines()
    (title,) = (n for n, line in enumerate(lines) if line.startswith("Put at the top of"))
    assert lines[title].startswith("Put at the top of tools/make.py  not verified")
    assert lines[title + 1 : title + 3] == ["import random", "random.seed(42)"]
    both = printed(one_cause(prescription=Prescription(snippet=SNIPPET, programs=programs)))
    assert "Put at the top of the script  not verified" in both
    assert "\nAnd at the top of tools/make.py " in both


def test_a_patch_has_the_encoding_of_its_files_whatever_the_output_has() -> None:
    patch = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-# caf\u00e9\r\n+# th\u00e9\r\n"
    held = one_cause(prescription=Prescription(snippet=SNIPPET, patch=patch))
    for encoding in ("ascii", "latin-1"):
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        print_fix(Console(file=out), Console(file=io.StringIO()), held)
        out.flush()
        assert out.buffer.getvalue() == patch.encode()


def test_what_is_not_verified_is_not_called_verified() -> None:
    assert "not verified" in printed(one_cause(prescription=Prescription(snippet=SNIPPET)))


def test_a_cause_without_prescription_shows_its_advice() -> None:
    text = printed(one_cause(prescription=None))
    assert "Seed it before the first model is built." in text


def test_long_lists_say_how_much_is_left_out() -> None:
    text = printed(ALL["many-causes"]())
    assert "... and 3 more causes in the report" in text
    assert "... and 4 more places in the report" in text
    assert "... and 18 more lines in the report" in text
    assert "... and 2 more notes in the report" in text
    assert "factor-4" not in text


def test_a_bound_is_rounded_up() -> None:
    for bound, words in ((0.4507, "46 %"), (0.0951, "9.6 %"), (0.5, "50 %")):
        sure = Confidence(agreeing_trials=3, divergence_probability_bound=bound, level=0.999)
        text = flat(printed(diagnosis(confidence=sure)))
        assert f"99.9 % sure that fewer than {words} of runs" in text


def test_broken_shows_the_end_of_the_traceback() -> None:
    text = printed(ALL["broken"]())
    assert "The script did not run." in text
    assert flat(text).count("it ended with exit code 1") == 1
    assert "ValueError: \\x1b[31mbad[/]" in text
    assert "... 33 lines before, in the report" in text
    assert "in f0" not in text
    assert "python3 train.py" in text


def test_next_commands() -> None:
    assert "\n  nondet diagnose --resume train.py\n" in printed(ALL["unsure"]())
    elsewhere = printed(ALL["unsure"](), report="out/report.html")
    assert "\n  nondet diagnose --resume --output out train.py\n" in elsewhere
    assert "--granularity step --force train.py" in printed(ALL["unresolved"]())
    assert "Interrupted: this is the best diagnosis so far." in printed(ALL["unsure"]())


def test_no_command_is_named_that_would_show_no_more() -> None:
    found = ALL["unresolved"]()
    assert found.first_divergence is not None
    own = structs.replace(found.first_divergence, checkpoint="user", kind="value")
    assert "--granularity step" not in printed(structs.replace(found, first_divergence=own))
    broken = ALL["broken"]()
    assert broken.error is not None
    error = structs.replace(broken.error, slug="nothing-recorded", traceback="")
    said = flat(printed(structs.replace(broken, error=error)))
    assert "see it fail" not in said
    assert "with nondet.checkpoint, then diagnose again" in said


def test_hostile_text_is_shown_literally() -> None:
    evil = structs.replace(site(3, HOSTILE), detail=HOSTILE, what=f"{HOSTILE} `{HOSTILE}`")
    seedings = (
        Seeding(call=HOSTILE, site=evil, fault="late", before=(evil,), factor=HOSTILE),
        Seeding(call=HOSTILE, site=evil, fault="varies", factor=HOSTILE),
    )
    guilty = cause(
        HOSTILE, title=HOSTILE, consumers=(HOSTILE,), trials=(HOSTILE,), seedings=seedings
    )
    odd = inside.moment(layer=HOSTILE, tensor=HOSTILE, kind=HOSTILE, op=HOSTILE, dtype=HOSTILE)
    hostile = one_cause(
        zooms=(inside.zoom(firsts=(inside.at(odd),)),),
        summary=HOSTILE,
        causes=(structs.replace(guilty, sites=(evil,)),),
        stress=Stress(
            dormant=(Dormant(factor=HOSTILE, provoked=HOSTILE, sites=(evil,)),), note=HOSTILE
        ),
        sensitivities=(Sensitivity(factor=HOSTILE, first_divergence=START),),
        refusals=(
            Refusal(op=HOSTILE, message=HOSTILE, advice=HOSTILE, site=evil),
            Refusal(op=HOSTILE, message=HOSTILE, advice=HOSTILE, own=True),
        ),
        suspects=(Suspect(what=HOSTILE, site=evil),),
        verdict="unresolved",
        warnings=(HOSTILE,),
        not_tested=(NotTested(factor=HOSTILE, why=HOSTILE),),
        prescription=Prescription(snippet=HOSTILE, launch=HOSTILE),
        error=Failure(slug="x", message=HOSTILE + "!", traceback=HOSTILE),
    )
    text = printed(hostile, width=400, report=HOSTILE)
    text.encode("utf-8")
    assert "\x1b" not in text and "\x9b" not in text and "\u202e" not in text
    assert text.count("[red]a\\nb\\x1b[31mc\\x9b2J\\u202e\\udc80.py") >= 33


def test_hostile_file_names_are_shown_literally() -> None:
    record = one_cause(causes=(Cause(factor="x", sites=(site(3, HOSTILE),)),))
    assert "[red]a\\nb\\x1b[31mc\\x9b2J\\u202e\\udc80.py:3" in printed(record, width=200)


def test_a_terminal_without_unicode_gets_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    print_summary(Console(file=stream, width=80), one_cause(summary="caf\u00e9.py"), REPORT)
    stream.flush()
    assert b"caf\\xe9.py" in raw.getvalue()


def test_no_meaning_hangs_on_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[1;31m" in printed(one_cause(), colour=True)
    monkeypatch.setenv("NO_COLOR", "1")
    text = printed(one_cause(), colour=True)
    assert "31m" not in text and "Causes found." in text


def test_the_catalogue() -> None:
    stream = io.StringIO()
    factors = [("dropout", "consumers", "Dropout", HOSTILE), ("shuffle", "consumers", "S", "e")]
    print_factors(Console(file=stream, width=80), factors)
    assert stream.getvalue().count("consumers") == 1
    assert "\x1b" not in stream.getvalue() and "dropout" in stream.getvalue()


def test_the_operation_behind_a_cause_is_named_with_what_does_the_same() -> None:
    kernel = Kernel(words="scatter-add in the update of `Embedding`", instead="one-hot rows")
    text = printed(one_cause(kernels=(kernel, kernel)))
    assert rows(text, "Operation") == [
        "Operation    scatter-add in the update of `Embedding`",
        "             the same repeatably: one-hot rows",
        "             ... and 1 more operation in the report",
    ]
