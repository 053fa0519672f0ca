"""Whole repetitions of small scripts: what is measured, counted, kept, and gone on with."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from nondet import repetition
from tests.command.running import QUICK, SEEDED, Gate, Project
from tests.command.test_interrupting import told

SCORES = """
import random
import nondet
score = random.random()
nondet.metric("score", -1)
nondet.metric("score", score)
print(f"epoch 1 val_loss: 9\\nepoch 2 val_loss: {score * 2}")
"""
TWO = """
import random
import numpy as np
import nondet
a, b = random.gauss(0, 10), np.random.normal(0, 1)
nondet.metric("a", a)
nondet.metric("b", b)
nondet.metric("sum", a + b)
nondet.checkpoint("result", [a, b])
"""
# Runs take numbers from a folder that they share: the second one to come fails.
SECOND_FAILS = """
import pathlib
import nondet
for number in range(99):
    try:
        (pathlib.Path({shared!r}) / str(number)).mkdir()
        break
    except FileExistsError:
        pass
nondet.metric("score", number)
if number == 1:
    raise ValueError("a bad batch")
"""
SLOW = """
import random
import time
import nondet
time.sleep(0.3)
nondet.metric("score", random.random())
"""
WAITING = """
import random
import nondet
nondet.checkpoint("start", 1)
{waits}
nondet.metric("score", random.random())
"""


@pytest.fixture
def project(project: Project) -> Project:
    project.output, project.verb = project.folder / "nondet-repeat", "repeat"
    return project


def test_metrics_from_the_script_and_its_output(project: Project) -> None:
    project.write(SCORES)
    ran = project.repeat("-n", "10", "--pattern", r"loss=val_loss: (\S+)")
    assert ran.code == 0, ran.err
    found = ran.repetition
    free = found.free
    assert [run.outcome for run in free.runs] == ["completed"] * 10
    score, loss = free.metrics
    assert (score.label, score.origin, loss.label, loss.origin) == (
        "score",
        "metric",
        "loss",
        "pattern",
    )
    for run in free.runs:
        assert isinstance(run.values["score"], float)
        assert 0 <= run.values["score"] < 1, "the last value of a name counts"
        assert run.values["loss"] == run.values["score"] * 2
    assert score.distinct == loss.distinct == 10
    assert score.mean_interval is not None
    assert (free.compared, free.kind) == ("metrics", "all-different")
    assert "10 different final metrics" in found.summary
    assert "All different." in ran.out
    assert not (project.output / "values").exists()
    assert "<svg" in (project.output / "repeat.html").read_text()


def test_the_script_is_run_as_it_is(project: Project) -> None:
    """The same as without nondet.metric's trial: nothing is pinned, arguments are its own."""
    project.write("import sys, nondet\nnondet.metric('args', len(sys.argv))\n")
    ran = project.run("repeat", "-n", "2", "train.py", "--runs", "9", "-n")
    assert ran.code == 0, ran.err
    assert ran.repetition.free.metrics[0].mean == 4
    assert ran.repetition.subject.args == ("--runs", "9", "-n")


def test_the_record_on_standard_output(project: Project) -> None:
    project.write(SCORES)
    ran = project.repeat("-n", "2", "--json")
    assert repetition.decode(ran.out.encode()) == ran.repetition
    assert ran.err == ""


def test_it_is_rendered_again(project: Project) -> None:
    project.write(SCORES)
    ran = project.repeat("-n", "2")
    page = project.output / "repeat.html"
    before = page.read_text()
    page.unlink()
    again = project.run("report", "nondet-repeat")
    assert (again.code, again.out) == (0, ran.out)
    assert page.read_text() == before
    told = project.run("report", "--format", "json", "nondet-repeat")
    assert repetition.decode(told.out.encode()) == ran.repetition
    project.run("report", "--format", "sarif", "nondet-repeat").refused("format-of-a-diagnosis")
    (project.output / "repeat.json").write_text('{"schema": 99}')
    project.run("report", "nondet-repeat").refused("diagnosis-unreadable", "schema 99")


def test_one_result(project: Project) -> None:
    project.write(SEEDED)
    ran = project.repeat("-n", "3")
    assert ran.code == 0, ran.err
    free = ran.repetition.free
    assert (free.kind, free.results, free.compared, free.metrics) == ("one", (3,), "values", ())


def test_a_run_that_fails_is_counted_and_no_result(project: Project, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    project.write(SECOND_FAILS.format(shared=str(shared)))
    ran = project.repeat("-n", "5", "--sources", "python-random")
    assert ran.code == 4, ran.err
    free = ran.repetition.free
    (failed,) = free.failed
    assert failed.values == {}
    assert "a bad batch" in failed.note
    assert "a bad batch" in failed.stderr_tail
    assert free.metrics[0].count == 4
    assert "1 of 5 runs failed" in ran.repetition.warnings[0]
    assert sum(" failed " in warning for warning in ran.repetition.warnings) == 1, "told once"
    again = project.repeat("-n", "5", "--resume")
    assert again.code == 4, "it failed, and is not run again until it doesn't"
    assert again.repetition.free.runs == free.runs


def test_a_script_that_always_fails(project: Project) -> None:
    project.write("raise ValueError('no')\n")
    ran = project.repeat("-n", "30", "--jobs", "1")
    assert ran.code == 5
    found = ran.repetition
    assert found.error is not None
    assert found.error.slug == "crash"
    assert "ValueError: no" in found.error.traceback
    assert len(found.free.runs) == 3
    assert "Broken." in ran.out


def test_a_script_that_is_not_python(project: Project) -> None:
    project.write("def\n")
    ran = project.repeat()
    assert ran.code == 5
    assert ran.repetition.error is not None
    assert ran.repetition.error.slug == "syntax-error"
    assert (project.output / "repeat.html").exists()


@pytest.mark.parametrize("script", ["print('done')\n", "import nondet\nnondet.checkpoint('w', {})"])
def test_nothing_to_measure(project: Project, script: str) -> None:
    project.write(script)
    ran = project.repeat("-n", "30", "--jobs", "1", "--pattern", r"loss=loss (\S+)")
    assert ran.code == 5
    assert ran.repetition.error is not None
    assert ran.repetition.error.slug == "nothing-measured"
    assert len(ran.repetition.free.runs) == 1


def test_a_pattern_without_a_match_is_told(project: Project) -> None:
    project.write(SCORES)
    ran = project.repeat("-n", "2", "--pattern", r"acc=accuracy (\S+)")
    assert ran.code == 0
    assert any("matched no line" in warning for warning in ran.repetition.warnings)
    assert "matched no line" in ran.out


def test_a_metric_that_is_no_number_is_told(project: Project) -> None:
    project.write("import nondet\nnondet.metric('a', 'high')\nnondet.metric('b', 1)\n")
    ran = project.repeat("-n", "2")
    assert ran.code == 0
    assert [metric.label for metric in ran.repetition.free.metrics] == ["b"]
    assert any("nondet.metric('a') in 2 runs" in text for text in ran.repetition.warnings)


def test_a_budget_starts_no_more_runs(project: Project) -> None:
    project.write(SLOW)
    # On a busy machine the time may be up before any of the session's own runs is due.
    assert project.repeat("-n", "1").code == 0
    ran = project.repeat("-n", "200", "--budget", "1s", "--jobs", "1", "--resume")
    assert ran.code == 4, ran.err
    free = ran.repetition.free
    assert 0 < len(free.runs) < 200
    assert {run.outcome for run in free.runs} == {"completed"}
    assert "--resume" in ran.out


# -- by source


@pytest.mark.long
def test_each_source_alone_leaves_the_others_as_they_are(project: Project) -> None:
    project.write(TWO)
    ran = project.repeat("-n", "10", "--sources", "python-random,numpy-global")
    assert ran.code == 0, ran.err
    found = ran.repetition
    free, control, python, numpy = found.series
    assert [s.factor for s in (python, numpy)] == ["python-random", "numpy-global"]
    assert found.holds is True
    assert control.results == (2,)

    def distinct(series: repetition.Series) -> dict[str, int]:
        return {metric.label: metric.distinct for metric in series.metrics}

    assert distinct(free) == {"a": 10, "b": 10, "sum": 10}
    assert distinct(python) == {"a": 10, "b": 1, "sum": 10}
    assert distinct(numpy) == {"a": 1, "b": 10, "sum": 10}
    shares = {(share.factor, share.metric): share for share in found.shares}
    assert len(shares) == 6
    assert shares["numpy-global", "a"].share == shares["python-random", "b"].share == 0
    # A hundred times the variance: ten runs of each can't show it the other way round.
    large, small = shares["python-random", "sum"], shares["numpy-global", "sum"]
    assert large.share > small.share
    for share in (large, small):
        assert share.interval is not None
        assert 0 < share.interval.low <= share.share <= share.interval.high
    assert found.sums["sum"] == pytest.approx(large.share + small.share)
    assert "only python-random free" in ran.out


def test_pins_that_don_t_hold_together_are_told(project: Project) -> None:
    project.write(TWO)
    ran = project.repeat("-n", "2", "--sources", "python-random")
    assert ran.repetition.holds is False
    # The runs with the one source free are those of the script as it is: they are counted once.
    free, control, alone = ran.repetition.series
    assert alone.runs == free.runs
    assert ran.repetition.cost.runs == len(free.runs) + len(control.runs) == 4
    seconds = sum(run.seconds for run in (*free.runs, *control.runs))
    assert ran.repetition.cost.subject_seconds == pytest.approx(seconds)
    assert any("runs still part" in warning for warning in ran.repetition.warnings)


@pytest.mark.long
def test_the_causes_of_a_diagnosis(project: Project) -> None:
    project.write(TWO)
    assert project.diagnose(*QUICK, "train.py").code == 1
    ran = project.repeat("-n", "2", "--by-source")
    assert ran.code == 0, ran.err
    found = ran.repetition
    sources = [series.factor for series in found.series if series.role == "source"]
    assert sorted(sources) == ["numpy-global", "python-random"]
    assert found.diagnosis == "nondet-report"
    assert any("are guesses" in warning for warning in found.warnings)
    assert found.holds is True
    other = project.run("repeat", "--force", "--by-source", "train.py", "other")
    other.refused("other-diagnosis", "nondet diagnose train.py other")
    assert ran.repetition == found, "what is refused replaces nothing"


def test_by_source_asks_for_a_diagnosis(project: Project) -> None:
    project.write(TWO)
    project.repeat("--by-source").refused("no-sources", "`nondet diagnose train.py`")
    project.repeat("--from", "gone").refused("no-diagnosis", "gone")
    project.repeat("--sources", "leftovers").refused("source-not-held", "fresh folder")
    assert not project.output.exists()


# -- usage


def test_what_is_refused(project: Project) -> None:
    project.write(SCORES)
    project.repeat("--pattern", "(").refused("bad-pattern")
    project.repeat("-n", "0").refused("usage", "--help")
    project.repeat("--sources", "clock", "--from", "x").refused("usage", "give one")
    assert project.repeat("-n", "1").code == 0
    project.repeat("-n", "1").refused("output-exists", "--resume")
    project.diagnose("--output", "nondet-repeat", "--force", "train.py").refused(
        "output-of-another-kind", "repetition"
    )
    assert project.diagnose(*QUICK, "train.py").code == 5
    project.repeat("--output", "nondet-report", "--force").refused(
        "output-of-another-kind", "diagnosis"
    )
    assert project.repeat("-n", "2", "--force").repetition.free.asked == 2


# -- interrupted, and gone on with


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_and_gone_on_with(project: Project, number: int) -> None:
    gate = Gate(project.folder.parent / "gate")
    gate.shut(passing=2)
    project.write(WAITING.format(waits=gate.lines))
    options = ("-n", "6", "--jobs", "1")
    ran = project.interrupted(lambda: told(project, "start", "t03"), number, *options)
    before = project.trial_files()
    assert sorted(name for name, data in before.items() if b"completed" in data) == ["t01", "t02"]
    if number == signal.SIGINT:
        assert ran.code == 130, ran.err
        assert ran.repetition.interrupted
        assert [run.id for run in ran.repetition.free.runs] == ["t01", "t02"]
        assert "--resume" in ran.out
    gate.open()
    again = project.repeat(*options, "--resume")
    assert again.code == 0, again.err
    assert "resumed: 2 runs" in again.err
    found = again.repetition
    assert [run.id for run in found.free.runs][:2] == ["t01", "t02"]
    assert len(found.free.runs) == 6
    assert (found.cost.runs, found.cost.earlier) == (6, 2)
    assert not found.interrupted
    after = project.trial_files()
    assert {name: after[name] for name in before} == before


def test_more_runs_and_other_patterns_later(project: Project) -> None:
    project.write(SCORES)
    first = project.repeat("-n", "2").repetition
    more = project.repeat("-n", "4", "--resume", "--pattern", r"loss=val_loss: (\S+)").repetition
    assert [run.id for run in more.free.runs] == ["t01", "t02", "t03", "t04"]
    assert more.free.runs[0].values["score"] == first.free.runs[0].values["score"]
    assert more.free.summary("loss") is not None
    other = project.run("repeat", "-n", "1", "--resume", "train.py", "other")
    assert "no run there fits" in other.err
    assert [run.id for run in other.repetition.free.runs] == ["t05"]


@pytest.mark.subject
@pytest.mark.long
def test_a_history_of_keras(project: Project) -> None:
    project.write(
        "import os\nos.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'\nimport keras\nimport numpy as np\n"
        "x = np.arange(8.0).reshape(-1, 1)\n"
        "model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])\n"
        "model.compile('sgd', 'mse', metrics=['mae'])\n"
        "model.fit(x, x, epochs=2, validation_split=0.5, verbose=0)\n"
    )
    ran = project.repeat("-n", "2")
    assert ran.code == 0, ran.err
    free = ran.repetition.free
    assert free.compared == "weights"
    assert len(free.results) == 2
    assert {metric.label for metric in free.metrics} == {"loss", "mae", "val_loss", "val_mae"}
    assert {metric.model for metric in free.metrics} == {"sequential"}
