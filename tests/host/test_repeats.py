"""Parts of ``nondet repeat``: patterns, results, labels, sources, and how trials are run."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nondet import record
from nondet.host import planning, repeating
from nondet.host.errors import UsageError
from nondet.host.events import decode
from nondet.host.repeats import measuring, patterns, running, sources, wording
from nondet.host.repeats.measuring import Plan
from nondet.host.repeats.running import Repeater
from nondet.host.trials import Trial
from nondet.host.watching import Silent
from nondet.record import Compared
from nondet.repetition import Bootstrap, Run, Series
from tests.host.acting import Act, ActingExecutor, settings
from tests.report.found import base

FREE = Plan("as-it-is", "the script as it is", {}, 3)
ASKED = Bootstrap(seed=1, resamples=99, level=0.95)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "POLL_SECONDS", 0.0)


# -- patterns


def found(tmp_path: Path, *texts: str, out: str = "", err: str = "") -> patterns.Found:
    (tmp_path / "stdout.log").write_bytes(out.encode())
    (tmp_path / "stderr.log").write_bytes(err.encode())
    return patterns.search(patterns.read(texts), tmp_path)


def test_the_last_match_counts(tmp_path: Path) -> None:
    out = "val_loss: 0.5\nval_loss: 0.25 val_loss: 0.125\nend\n"
    assert found(tmp_path, r"loss=val_loss: (\S+)", out=out).values == {"loss": 0.125}


def test_the_output_goes_before_the_error_output(tmp_path: Path) -> None:
    told = found(tmp_path, r"a=a (\S+)", r"b=b (\S+)", out="a 1\n", err="a 2\nb 3\n")
    assert told.values == {"a": 1.0, "b": 3.0}


def test_named_groups_are_metrics(tmp_path: Path) -> None:
    text = r"loss=(?P<loss>\S+) acc=(?P<accuracy>\S+)"
    told = found(tmp_path, text, out="loss=1e-3 acc=0.9\n")
    assert told.values == {"loss": 0.001, "accuracy": 0.9}


def test_a_pattern_without_a_group_is_the_number(tmp_path: Path) -> None:
    assert found(tmp_path, r"seconds=\d+(?= s)", out="12 s\n").values == {"seconds": 12.0}


def test_bars_and_colours_are_no_hindrance(tmp_path: Path) -> None:
    out = "1/2 loss: 0.5\r2/2 \x1b[32mloss: \x1b[1m0.25\x1b[0m\n"
    assert found(tmp_path, r"loss=loss: (\S+)", out=out).values == {"loss": 0.25}


def test_numbers_that_are_none(tmp_path: Path) -> None:
    told = found(tmp_path, r"a=a (\S+)", r"b=b (\S+)", r"c=c (\S+)", out="a nan\nb -inf\nc ok\n")
    assert math.isnan(told.values["a"])
    assert told.values["b"] == -math.inf
    assert told.no_numbers == {"c": "ok"}
    assert "c" not in told.values


def test_what_is_no_number_in_the_end_has_no_value(tmp_path: Path) -> None:
    told = found(tmp_path, r"a=a (\S+)", out="a 1\na failed\n")
    assert (told.values, told.no_numbers) == ({}, {"a": "failed"})


def test_no_match_and_no_log(tmp_path: Path) -> None:
    assert found(tmp_path, r"a=a (\S+)", out="b 1\n").matched == set()
    assert patterns.search(patterns.read([r"a=(\d)"]), tmp_path / "gone").values == {}


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([r"loss: (\S+)"], "names no metric"),
        ([r"loss="], "one group"),
        ([r"loss=(\d+) of (\d+)"], "one group"),
        ([r"loss=(\d+"], "no regular expression"),
        ([r"a=(\d)", r"(?P<a>\d)"], "'a'"),
    ],
)
def test_patterns_that_are_refused(texts: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        patterns.read(texts)
    assert raised.value.slug == "bad-pattern"


# -- what trials have shown


def trial(folder: Path, name: str, *events: dict[str, Any], outcome: str = "completed") -> Trial:
    """An ended trial that has told these events."""
    place = folder / name
    place.mkdir()
    (place / "stdout.log").write_text(f"{name} out\n")
    made = Trial(name, {}, "plan", "", place)
    for event in events:
        made._take(decode(json.dumps(event).encode()))
    made.outcome = outcome  # type: ignore[assignment]
    return made


def metric(value: float | str, name: str = "loss", model: str = "") -> dict[str, Any]:
    return {"event": "metric", "model": model, "fit": 1, "epoch": 1, "values": {name: value}}


def weights(digest: str, index: int = 0, model: str = "net", step: int = 1) -> list[dict[str, Any]]:
    layout = {"event": "layout", "id": index, "model": model, "index": index}
    kind = "epoch" if index >= 0 else "user"
    checkpoint = {"event": "checkpoint", "kind": kind, "model": model, "index": index}
    checkpoint |= {"layout": index, "fit": 1, "epoch": step, "step": step, "digests": [digest]}
    return [layout | {"tensors": [["kernel", "float32", [1]]]}, checkpoint]


def told(ended: Sequence[Trial], plan: Plan = FREE) -> Series:
    measured = measuring.measure(plan, ended, ())
    return measuring.series(measured, measuring.labels(measured.keys), measured.keys)


def test_results_are_told_apart_by_the_final_weights(tmp_path: Path) -> None:
    ended = [
        trial(tmp_path, "t01", *weights("a"), *weights("c", step=2)),
        trial(tmp_path, "t02", *weights("b"), *weights("c", step=2)),
        trial(tmp_path, "t03", *weights("b"), *weights("d", step=2)),
    ]
    series = told(ended)
    assert series.compared == "weights"
    assert series.results == (2, 1)
    assert [run.result for run in series.runs] == [1, 1, 2]


def test_every_model_and_every_name_counts(tmp_path: Path) -> None:
    same = [*weights("a"), *weights("b", index=1)]
    ended = [
        trial(tmp_path, "t01", *same, *weights("x", -1, "user"), *weights("y", -1, "user")),
        trial(tmp_path, "t02", *same, *weights("y", -1, "user")),
        trial(tmp_path, "t03", *same, *weights("y", -1, "other")),
        trial(tmp_path, "t04", *weights("a"), *weights("z", index=1)),
    ]
    assert [run.result for run in told(ended).runs] == [1, 1, 2, 3]


def test_without_weights_metrics_are_the_result(tmp_path: Path) -> None:
    values: tuple[float | str, ...] = (1.0, 1.0, "NaN", "NaN", 1.0000000000000002)
    ended = [trial(tmp_path, f"t{i}", metric(v)) for i, v in enumerate(values, 1)]
    series = told(ended)
    assert series.compared == "metrics"
    assert series.results == (2, 2, 1)
    assert series.runs[2].values == {"loss": "NaN"}
    assert series.metrics[0].not_finite == {"NaN": 2}
    assert series.metrics[0].distinct == 2


def test_what_went_wrong_in_runs_is_told_in_one_sentence_each(tmp_path: Path) -> None:
    error = {"event": "guest-error", "where": "recording a step", "error": "no", "traceback": ""}
    ended = [trial(tmp_path, name, error) for name in ("t01", "t02", "t03")]
    whose = "an error of nondet's own, recording a step"
    assert list(wording.faults(ended[:1])) == [f"{whose} in 1 run: no"]
    for one in ended[:2]:
        one.alone_again = True
    assert list(wording.faults(ended)) == [
        f"{whose} in 3 runs: no",
        "t01 and t02 were killed while others ran beside them, and are not counted",
    ]
    assert "t01 was killed while others ran beside it, and is" in list(wording.faults(ended[:1]))[1]


def test_of_a_single_source_the_share_is_the_whole_of_what_varies(tmp_path: Path) -> None:
    asked = sources.Sources({"python-random": "pinned"})
    plans = repeating.plans(repeating.Options(output=Path(), runs=3, sources=asked))
    ended = [
        trial(
            tmp_path,
            f"t{i}",
            metric(i, "varies"),
            metric(1.0, "same"),
            metric("NaN", "odd"),
            metric(1.0 if i else "NaN", "one odd"),
        )
        for i in range(3)
    ]
    free, _, alone = (measuring.measure(plan, ended, ()) for plan in plans)
    found = measuring.shares(free, alone, measuring.labels(free.keys))
    assert [(share.metric, share.share) for share in found] == [("varies", 1.0)]


def test_what_a_failed_run_had_told_is_no_result(tmp_path: Path) -> None:
    ended = [
        trial(tmp_path, "t01", metric(1.0)),
        trial(tmp_path, "t02", metric(9.0), outcome="crashed"),
        trial(tmp_path, "t03", metric(9.0), outcome="timed-out"),
    ]
    series = told(ended)
    assert series.metrics[0].mean == 1.0
    assert series.metrics[0].missing == 0
    assert [run.id for run in series.failed] == ["t02", "t03"]
    assert series.runs[1].values == {}
    assert series.runs[1].stdout_tail == "t02 out\n"
    assert series.runs[0].stdout_tail == ""
    assert "2 of 3 runs failed and are in no figure" in wording.failures(series)
    assert "1 of 2 runs failed and is in no figure" in wording.failures(told(ended[:2]))


def test_the_last_fit_counts_and_models_are_told_apart(tmp_path: Path) -> None:
    one = trial(
        tmp_path,
        "t01",
        metric(3.0, model="a"),
        metric(1.0, model="a"),
        metric(2.0, model="b"),
        metric(5.0),
        metric(7.0, "score"),
    )
    values = told([one]).runs[0].values
    assert values == {"loss (a)": 1.0, "loss (b)": 2.0, "loss (nondet.metric)": 5.0, "score": 7.0}


def test_labels_are_never_the_same() -> None:
    keys: list[measuring.Key] = [
        ("history", "a", "loss"),
        ("history", "b", "loss"),
        ("metric", "", "loss (a)"),
    ]
    made = measuring.labels(keys)
    assert len(set(made.values())) == 3


# -- sentences


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ((30,), "same final weights, bit for bit. Fewer than 9.9 % of runs would end otherwise"),
        ((1,) * 30, "30 runs ended with 30 different final weights: accumulated noise"),
        ((1,) * 30, "at least 156 of them (95 % sure)"),
        ((14, 10, 6), "3 different final weights (14, 10 and 6 runs): an order or a choice"),
        ((5, *[1] * 7), "some of them more than once"),
        ((1, 1, 1), "too few runs to tell"),
        ((1,), "says nothing of how others would differ"),
        ((), "No run came to its end"),
    ],
)
def test_what_the_results_may_mean(results: tuple[int, ...], said: str) -> None:
    from nondet import spread

    runs = tuple(Run(id=f"t{i}", outcome="completed", seconds=1.0) for i in range(sum(results)))
    series = Series(
        role="as-it-is",
        text="",
        runs=runs,
        results=results,
        compared="weights",
        kind=spread.kind(results),
    )
    assert said in wording.summary(series, ASKED)
    named = Compared(models=("net", "head"), checkpoints=3)
    assert said.replace("weights,", "weights of `net` and `head`,") in wording.summary(
        series, ASKED, named
    )


# -- sources


def subject(tmp_path: Path) -> Any:
    return settings(tmp_path).subject


def test_named_sources_must_be_held_here() -> None:
    assert sources.named(["shuffle", "tf-seed"], {}).arms == {
        "shuffle": "pinned",
        "tf-seed": "pinned",
    }
    for names, reasons in ((["cudnn"], {"cudnn": "no GPU"}), (["leftovers"], {})):
        with pytest.raises(UsageError) as raised:
            sources.named(names, reasons)
        assert raised.value.slug == "source-not-held"
    with pytest.raises(UsageError) as raised:
        sources.named([], {})
    assert raised.value.slug == "no-sources"


def diagnosis(tmp_path: Path, **changes: Any) -> Path:
    """A folder with a diagnosis of the subject, with causes of both kinds of pins."""
    causes = tuple(
        record.Cause(
            factor=name,
            title="",
            pin="ablating" if name == "dropout" else "faithful",
            trials=("t01",),
            agreeing=("t02",),
            advice="",
            fix="",
        )
        for name in ("python-random", "dropout")
    )
    plan = {"python-random": "pinned", "dropout": "ablated"}
    held = record.Trial(
        id="t02", plan=plan, outcome="completed", seconds=1.0, checkpoints=1  # type: ignore[arg-type]
    )  # fmt: skip
    known: dict[str, Any] = {
        "verdict": "causes-found",
        "subject": subject(tmp_path).to_record(),
        "causes": causes,
        "trials": (held,),
    }
    folder = tmp_path / "diagnosed"
    folder.mkdir(exist_ok=True)
    (folder / "diagnosis.json").write_bytes(record.encode(base(**(known | changes))))
    return folder


def test_causes_are_held_as_the_diagnosis_held_them(tmp_path: Path) -> None:
    told = sources.diagnosed(diagnosis(tmp_path), subject(tmp_path))
    assert told.arms == {"python-random": "pinned", "dropout": "ablated"}
    assert told.diagnosis.endswith("diagnosed")


def test_leftovers_are_left_out(tmp_path: Path) -> None:
    cause = record.Cause(
        factor="leftovers", title="", pin="faithful", trials=(), agreeing=(), advice="", fix=""
    )
    other = record.Cause(
        factor="clock", title="", pin="faithful", trials=(), agreeing=(), advice="", fix=""
    )
    told = sources.diagnosed(diagnosis(tmp_path, causes=(cause, other)), subject(tmp_path))
    assert (told.arms, told.left_out) == ({"clock": "pinned"}, ("leftovers",))
    with pytest.raises(UsageError) as raised:
        sources.diagnosed(diagnosis(tmp_path, causes=(cause,)), subject(tmp_path))
    assert raised.value.slug == "no-sources"


@pytest.mark.parametrize("change", [{"sha256": "1" * 64}, {"args": ("x",)}, {"script": "a.py"}])
def test_a_diagnosis_of_another_subject_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    import msgspec

    other = msgspec.structs.replace(subject(tmp_path).to_record(), **change)
    with pytest.raises(UsageError) as raised:
        sources.diagnosed(diagnosis(tmp_path, subject=other), subject(tmp_path))
    assert raised.value.slug == "other-diagnosis"


def test_without_a_diagnosis_the_command_to_run_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="nondet diagnose train.py") as raised:
        sources.diagnosed(None, subject(tmp_path))
    assert raised.value.slug == "no-sources"


def test_the_series_of_a_repetition_by_source() -> None:
    asked = sources.Sources({"a": "pinned", "b": "ablated", "c": "pinned"})
    plans = repeating.plans(repeating.Options(output=Path(), runs=9, sources=asked))
    assert [(plan.role, plan.factor, dict(plan.held), plan.count) for plan in plans] == [
        ("as-it-is", "", {}, 9),
        ("control", "", {"a": "pinned", "b": "ablated", "c": "pinned"}, 2),
        ("source", "a", {"b": "ablated", "c": "pinned"}, 9),
        ("source", "b", {"a": "pinned", "c": "pinned"}, 9),
        ("source", "c", {"a": "pinned", "b": "ablated"}, 9),
    ]


# -- running


def repeater(
    folder: Path, *acts: Act, jobs: int = 2, **more: Any
) -> tuple[Repeater, ActingExecutor]:
    same = settings(folder, granularity="epoch")
    executor = ActingExecutor(same.output, acts)
    return Repeater(same, executor, Silent(), jobs=jobs, **more), executor


def test_all_runs_go_to_their_end_however_they_differ(tmp_path: Path) -> None:
    lab, executor = repeater(tmp_path, Act("abc"), Act("xyz"))
    lab.repeat("as it is", {}, (), 5)
    assert [trial.outcome for trial in lab.trials] == ["completed"] * 5
    assert len(executor.launches) == 5
    assert not any(launch.keep_leftovers for launch in executor.launches)


def test_failed_runs_are_not_run_again(tmp_path: Path) -> None:
    lab, _ = repeater(tmp_path, Act("a"), Act("a", exit_code=1), Act("a"), jobs=1)
    lab.repeat("as it is", {}, (), 3)
    assert [trial.outcome for trial in lab.trials] == ["completed", "crashed", "completed"]


def test_a_script_that_never_ends_well_is_given_up(tmp_path: Path) -> None:
    lab, executor = repeater(tmp_path, Act("a", exit_code=1), jobs=1)
    lab.repeat("as it is", {}, (), 30)
    assert len(executor.launches) == running.HOPELESS


def test_what_is_useless_ends_at_once(tmp_path: Path) -> None:
    lab, executor = repeater(tmp_path, Act(""), jobs=1)
    lab.repeat("as it is", {}, (), 30, useless=lambda ended: bool(ended))
    assert len(executor.launches) == 1


def test_after_the_deadline_what_runs_goes_on(tmp_path: Path) -> None:
    lab, executor = repeater(tmp_path, Act("abc"), deadline=0.0)
    lab.repeat("as it is", {}, (), 5)
    assert executor.launches == []
    lab.deadline = None
    asked = iter([None] * 3)

    def check() -> None:
        if next(asked, "late") == "late":
            lab.deadline = 0.0

    lab.check = check
    lab.repeat("as it is", {}, (), 5)
    assert {trial.outcome for trial in lab.trials} == {"completed"}
    assert 0 < len(lab.trials) < 5


def test_interrupted_what_runs_is_stopped_and_what_has_ended_is_kept(tmp_path: Path) -> None:
    lab, _ = repeater(tmp_path, Act("a"), Act("a", hangs=True), jobs=1)

    def check() -> None:
        if len(lab.trials) == 2:
            raise KeyboardInterrupt

    lab.check = check
    with pytest.raises(KeyboardInterrupt):
        lab.repeat("as it is", {}, (), 5)
    assert [trial.outcome for trial in lab.trials] == ["completed", "stopped-early"]
    assert [trial.id for trial in lab.ended({})] == ["t01"]


def test_going_on_takes_over_what_ended_by_itself(tmp_path: Path) -> None:
    acts = (Act("a"), Act("b", exit_code=1), Act("c", hangs=True), Act("d"))
    lab, _ = repeater(tmp_path, *acts, jobs=1, timeout=0.0)
    lab.timeout = None

    def check() -> None:
        if len(lab.trials) == 3:
            raise KeyboardInterrupt

    lab.check = check
    with pytest.raises(KeyboardInterrupt):
        lab.repeat("as it is", {}, (), 5)
    again, executor = repeater(tmp_path, Act("d"), jobs=1)
    assert again.restore(again.settings.output / "trials") == 2
    again.repeat("as it is", {}, (), 5)
    assert [trial.id for trial in again.ended({})] == ["t01", "t02", "t04", "t05", "t06"]
    assert len(executor.launches) == 3


def test_a_run_that_is_not_counted_is_not_counted_later_either(tmp_path: Path) -> None:
    """Killed with its supervisor by somebody else, which says nothing of the script."""
    lab, _ = repeater(tmp_path, Act("a", exit_code=None), Act("a"), jobs=1)
    lab.repeat("as it is", {}, (), 2)
    assert [trial.id for trial in lab.ended({})] == ["t02", "t03"]
    again, _ = repeater(tmp_path, Act("a"), jobs=1)
    assert again.restore(again.settings.output / "trials") == 2
    again.repeat("as it is", {}, (), 3)
    assert [trial.id for trial in again.ended({})] == ["t02", "t03", "t04"]
    assert [told.split(" and ")[0] for told in wording.faults(again.trials)] == [
        "t01 was killed while others ran beside it,"
    ]


def test_runs_of_another_plan_or_script_are_not_taken_over(tmp_path: Path) -> None:
    lab, _ = repeater(tmp_path, Act("a"))
    lab.repeat("as it is", {}, (), 2)
    lab.repeat("pinned", {"python-random": "pinned"}, (), 2)
    assert len(lab.ended({})) == 2
    assert len(lab.ended({"python-random": "pinned"})) == 2
    other = settings(tmp_path, "other", granularity="epoch")
    again = Repeater(other, ActingExecutor(other.output, (Act("a"),)), Silent(), jobs=1)
    assert again.restore(other.output / "trials") == 0


def test_no_tensor_values_are_kept(tmp_path: Path) -> None:
    import dataclasses

    same = dataclasses.replace(settings(tmp_path), values_limit=0)
    executor = ActingExecutor(same.output, (Act("a"),))
    assert planning.plan_file(same, {}, "t01", executor)["values_limit"] == 0
