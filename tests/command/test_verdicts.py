"""Whole diagnoses of small scripts: the verdict, the cause and its place, the trials it took."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nondet.record import EXIT_CODES, Compared, Diagnosis
from tests.command.running import QUICK, SEEDED, UNSEEDED, Project, marked

HASH = """
import nondet
words = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"}
order = list(words)
nondet.checkpoint("order", " ".join(order))
"""
GENERATOR = """
import numpy as np
import nondet
rng = np.random.default_rng()
nondet.checkpoint("value", rng.random(3))
"""
COUNTER = """
import pathlib
import nondet
state = pathlib.Path("state.txt")
before = state.read_text() if state.exists() else ""
nondet.checkpoint("value", 1)
nondet.checkpoint("runs", len(before))
state.write_text(before + "x")
"""
WRITER = """
import pathlib
import nondet
pathlib.Path("model.bin").write_bytes(b"weights")
pathlib.Path("runs").mkdir(exist_ok=True)
pathlib.Path("runs/log.txt").write_text("done")
nondet.checkpoint("value", 1)
"""
TWO = """
import random
import numpy as np
import nondet
nondet.checkpoint("start", random.random())
nondet.checkpoint("end", np.random.rand(4))
"""
LEFT_BEHIND = """
import os
import tempfile
import nondet
handle, path = tempfile.mkstemp()
nondet.checkpoint("name", os.path.basename(path))
"""
HALF = """
import random
import nondet
nondet.checkpoint("coin", random.random() < 0.5)
"""
ENTROPY = """
import nondet
nondet.checkpoint("value", 1)
# Below Python, where no pin reaches.
nondet.checkpoint("entropy", open("/proc/sys/kernel/random/uuid").read())
"""


def factors(diagnosis: Diagnosis) -> list[str]:
    return [cause.factor for cause in diagnosis.causes]


def sites(diagnosis: Diagnosis) -> list[tuple[str, int]]:
    return [(site.file, site.line) for cause in diagnosis.causes for site in cause.sites[:1]]


def test_a_reproducible_script_takes_six_trials(project: Project) -> None:
    project.write(SEEDED)
    ran = project.diagnose()
    assert ran.code == 0
    diagnosis = ran.diagnosis
    assert diagnosis.verdict == "reproducible"
    assert [trial.outcome for trial in diagnosis.trials] == ["completed"] * 6
    assert diagnosis.causes == ()
    assert diagnosis.prescription is None
    assert diagnosis.confidence is not None
    assert diagnosis.confidence.agreeing_trials == 6
    assert diagnosis.confidence.divergence_probability_bound < 0.5
    assert "Reproducible so far" in ran.out


@pytest.mark.parametrize(
    ("script", "factor", "line"),
    [
        (UNSEEDED, "python-random", 7),
        (HASH, "hash-seed", 4),
        (GENERATOR, "numpy-generator", 4),
    ],
)
def test_one_cause_with_its_line(project: Project, script: str, factor: str, line: int) -> None:
    project.write(script)
    ran = project.diagnose()
    assert ran.code == 1
    diagnosis = ran.diagnosis
    assert diagnosis.verdict == "causes-found"
    assert factors(diagnosis) == [factor]
    assert sites(diagnosis) == [("train.py", line)]
    assert f"train.py:{line}" in ran.out
    (cause,) = diagnosis.causes
    assert len(cause.trials) >= 2
    assert len(cause.agreeing) >= 6
    assert not set(cause.trials) & set(cause.agreeing)
    assert diagnosis.prescription is not None
    assert diagnosis.prescription.verified
    assert diagnosis.prescription.pins == (factor,)
    assert diagnosis.first_divergence is not None
    assert diagnosis.first_divergence.kind == "value"
    held = {trial.id for trial in diagnosis.trials if trial.plan[factor] == "pinned"}
    assert set(cause.agreeing) <= held
    assert not set(cause.trials) & held


def test_a_script_that_goes_on_from_the_former_run(project: Project) -> None:
    project.write(COUNTER)
    ran = project.diagnose()
    assert ran.code == 1
    assert factors(ran.diagnosis) == ["leftovers"]
    assert ran.diagnosis.first_divergence is not None
    assert ran.diagnosis.first_divergence.model == "runs"
    assert not (project.folder / "state.txt").exists()


def test_writing_files_is_no_fault(project: Project) -> None:
    project.write(WRITER)
    # Of six side by side, none would start from what another one left.
    ran = project.diagnose("--jobs", "2", "train.py")
    assert ran.code == 0
    assert len(ran.diagnosis.trials) == 6
    assert "leftovers" in {entry.factor for entry in ran.diagnosis.cleared}


def test_two_causes_and_files_that_nobody_reads(project: Project) -> None:
    project.write(WRITER + TWO)
    ran = project.diagnose()
    assert ran.code == 1
    assert set(factors(ran.diagnosis)) == {"python-random", "numpy-global"}
    assert set(sites(ran.diagnosis)) == {("train.py", 12), ("train.py", 13)}
    assert ran.diagnosis.prescription is not None
    assert set(ran.diagnosis.prescription.pins) == {"python-random", "numpy-global"}


def test_a_source_that_shows_in_half_of_the_runs(project: Project) -> None:
    project.write(HALF)
    for _ in range(4):  # six runs agree by chance in one of 32 diagnoses
        ran = project.diagnose("--force", "train.py")
        if ran.code != 0:
            break
    assert ran.code == 1
    assert factors(ran.diagnosis) == ["python-random"]


def test_what_nothing_holds(project: Project) -> None:
    project.write(ENTROPY)
    ran = project.diagnose()
    assert ran.code == 3
    diagnosis = ran.diagnosis
    assert diagnosis.verdict == "unresolved"
    assert diagnosis.causes == ()
    assert diagnosis.prescription is None
    assert diagnosis.first_divergence is not None
    assert diagnosis.first_divergence.model == "entropy"


def test_a_factor_left_out_is_neither_held_nor_accused(project: Project) -> None:
    project.write(UNSEEDED)
    ran = project.diagnose("--skip", "python-random,leftovers", "train.py")
    assert ran.code == 3
    left_out = {entry.factor: entry.why for entry in ran.diagnosis.not_tested}
    assert left_out["python-random"] == "left out by --skip"
    for trial in ran.diagnosis.trials:
        assert trial.plan.get("python-random", "free") == "free"


NOISY = """
import multiprocessing
import os
import sys

import nondet


def square(number):
    print("x" * 100_000, number)
    print("y" * 100_000, file=sys.stderr)
    return number * number


if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        nondet.checkpoint("forked", pool.map(square, range(8)))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        nondet.checkpoint("spawned", pool.map(square, range(2)))
    print("z" * 1_000_000)
"""
EXITING = """
import sys
import nondet
nondet.checkpoint("value", 1)
sys.exit(0)
"""
DISAPPEARING = """
import os
import random
import nondet
nondet.checkpoint("value", random.random())
os._exit(0)
"""
ARGPARSE = """
import argparse
import pathlib
import nondet
from helpers import double


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("data", type=pathlib.Path)
    args = parser.parse_args()
    nondet.checkpoint("value", [double(args.epochs), args.data.read_text()])


if __name__ == "__main__":
    main()
"""
DAEMON = """
import os
import time
import nondet
nondet.checkpoint("value", 1)
if os.fork() == 0:
    os.setsid()
    time.sleep(600)
"""


def test_processes_and_much_output(project: Project) -> None:
    project.write(NOISY)
    ran = project.diagnose("--max-trials", "2", "train.py")
    assert ran.code == 4
    assert [trial.outcome for trial in ran.diagnosis.trials] == ["completed"] * 2
    assert [trial.checkpoints for trial in ran.diagnosis.trials] == [2, 2]
    assert ran.diagnosis.first_divergence is None
    assert (project.output / "trials/t01/stdout.log").stat().st_size > 1_800_000
    assert len((project.output / "diagnosis.json").read_bytes()) < 200_000


def test_leaving_by_sys_exit(project: Project) -> None:
    project.write(EXITING)
    assert project.diagnose(*QUICK, "train.py").code == 0


def test_leaving_without_a_word(project: Project) -> None:
    project.write(DISAPPEARING)
    ran = project.diagnose(*QUICK, "train.py")
    assert ran.code == 1
    assert factors(ran.diagnosis) == ["python-random"]
    assert sites(ran.diagnosis) == [("train.py", 5)]


def test_arguments_modules_and_data_of_the_project(project: Project) -> None:
    (project.folder / "src").mkdir()
    project.write(ARGPARSE, "src/train.py")
    project.write("def double(n):\n    return 2 * n\n", "src/helpers.py")
    project.write("some data", "data file.txt")
    ran = project.diagnose("--max-trials", "2", "src/train.py", "--epochs", "3", "data file.txt")
    assert ran.code == 4
    assert [trial.outcome for trial in ran.diagnosis.trials] == ["completed"] * 2
    usage = project.diagnose("--force", "src/train.py", "--epochs", "three", "data file.txt")
    assert usage.code == 5
    assert usage.diagnosis.error is not None
    assert "invalid int value: 'three'" in usage.diagnosis.error.traceback


def test_what_a_script_leaves_running_is_ended(project: Project) -> None:
    project.write(DAEMON)
    assert project.diagnose("--max-trials", "2", "train.py").code == 4
    assert marked(project.mark) == []


def test_too_few_trials_are_said_to_be_too_few(project: Project) -> None:
    project.write(UNSEEDED)
    ran = project.diagnose("--max-trials", "3", "train.py")
    assert ran.code == 4
    diagnosis = ran.diagnosis
    assert diagnosis.verdict == "unsure"
    assert len(diagnosis.trials) == 3
    assert diagnosis.first_divergence is not None
    assert diagnosis.causes == ()
    assert "the budget was spent" in diagnosis.summary
    more = project.diagnose("--resume", *QUICK, "train.py")
    assert more.code == 1
    assert factors(more.diagnosis) == ["python-random"]


def test_a_rate_asks_for_as_many_trials_as_show_it(project: Project) -> None:
    project.write(SEEDED)
    ran = project.diagnose("--rate", "0.3", "--confidence", "0.9", "--json", "train.py")
    assert ran.code == 0, ran.err
    diagnosis = ran.diagnosis
    assert len(diagnosis.trials) == 8, "seven comparisons: 0.7 ** 7 < 0.1"
    assert diagnosis.confidence is not None
    assert diagnosis.confidence.rate == 0.3
    assert diagnosis.confidence.divergence_probability_bound <= 0.3
    assert diagnosis.warnings == ()


def test_a_rate_that_the_trials_allowed_can_t_show_is_said_at_once(project: Project) -> None:
    project.write(SEEDED)
    ran = project.diagnose("--rate", "0.01", "--max-trials", "3", "train.py")
    assert ran.code == 4
    warning = "to be sure of agreement takes 300 trials"
    assert any(warning in text for text in ran.diagnosis.warnings)
    assert ran.err.index(warning) < ran.err.index("question:")


def test_a_budget_of_time(project: Project) -> None:
    project.write("import nondet, time\nnondet.checkpoint('a', 1)\ntime.sleep(600)\n")
    ran = project.diagnose("--budget", "1s", "train.py")
    assert ran.code == 4
    assert ran.diagnosis.verdict == "unsure"
    assert not ran.diagnosis.interrupted
    # On a busy machine the second may be over before the first trial is due.
    assert {trial.outcome for trial in ran.diagnosis.trials} <= {"stopped-early"}
    assert marked(project.mark) == []


def test_distances_are_in_each_values_own_type(project: Project) -> None:
    project.write(
        "import random\nimport nondet\n"
        'nondet.checkpoint("part", random.random())\nnondet.checkpoint("count", 3)\n'
    )
    first = project.diagnose(*QUICK, "train.py").diagnosis.first_divergence
    assert first is not None
    assert first.max_abs is not None
    assert 0 < first.max_abs < 1
    assert first.mean_abs is not None
    assert 0 < first.mean_abs <= first.max_abs
    assert first.share == 1
    # Two positive numbers.
    assert first.cosine == 1


BUILT_LATE = """
import keras
import numpy as np
keras.utils.set_random_seed(1)
import random
random.seed()
x = np.random.normal(size=(64, 4)).astype("float32")
model = keras.Sequential([keras.layers.Dense(8), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(x, x[:, :1], epochs=3, verbose=0)
"""


@pytest.mark.long
@pytest.mark.subject
@pytest.mark.xdist_group("subjects")
def test_the_growth_of_a_model_that_its_first_batch_builds(project: Project) -> None:
    """Before that batch it has no tensors, and the map shows those that it has then."""
    project.write(BUILT_LATE)
    ran = project.diagnose(*QUICK, "train.py")
    assert ran.code == 1, ran.err
    (grown,) = ran.diagnosis.differences
    assert grown.checkpoints == ("epoch 1", "epoch 2", "epoch 3")
    assert len(grown.tensors) == 4
    pair = {trial.id: trial for trial in ran.diagnosis.trials if trial.id in grown.trials}
    assert [trial.outcome for trial in pair.values()] == ["completed"] * 2
    assert ran.diagnosis.cost.forked_trials == sum(t.forked for t in ran.diagnosis.trials) > 0


def test_a_script_that_fails_behind_the_place_where_runs_part_is_broken(project: Project) -> None:
    """Runs are stopped where they part, and would never show it."""
    project.write(UNSEEDED + "\nimport time\ntime.sleep(1.5)\nraise OSError('no data')\n")
    ran = project.diagnose(*QUICK, "train.py")
    assert ran.code == EXIT_CODES["broken"], ran.out + ran.err
    assert ran.diagnosis.error is not None
    assert ran.diagnosis.error.slug == "crash"
    assert "no data" in ran.diagnosis.error.traceback
    assert ran.diagnosis.cost.trials < 12


def test_temporary_files_that_nobody_removes(project: Project, tmp_path: Path) -> None:
    """Each trial finds the names free that its pin gives."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    project.write(LEFT_BEHIND)
    diagnosis = project.diagnose(*QUICK, "train.py", environ={"TMPDIR": str(temporary)}).diagnosis
    if {trial.isolation for trial in diagnosis.trials} != {"overlay"}:
        pytest.skip("overlay mounts don't work here")
    assert (factors(diagnosis), sites(diagnosis)) == (["process-identity"], [("train.py", 5)])
    # Those of trials that left it free lie where a plain run would have left them.
    assert all(path.name.startswith("tmp") for path in temporary.iterdir())


RENAMED = """
import os, pathlib, tempfile
import nondet
usual = pathlib.Path(tempfile.gettempdir())
with tempfile.NamedTemporaryFile("w", delete=False) as file:
    file.write("whole")
    os.replace(file.name, usual / "cache")
assert (usual / "cache").read_text() == "whole"
os.link(usual / "cache", tempfile.mktemp())
name = tempfile.mkdtemp()
pathlib.Path(name).rename(usual / "folder")
os.rename(dst=name, src=usual / "folder")
for function in (os.rename, os.link):
    try:
        function(name + "-none", str(usual / "cache"))
    except FileNotFoundError as error:
        assert (error.filename, error.filename2) == (name + "-none", str(usual / "cache"))
nondet.checkpoint("name", [ord(letter) for letter in name[-8:]])
"""


def test_temporary_files_that_are_renamed_to_a_place_beside_them(
    project: Project, tmp_path: Path
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    project.write(RENAMED)
    # One by one: what they share is there as without nondet.
    alone = (*QUICK, "--jobs", "1")
    ran = project.diagnose(*alone, "train.py", environ={"TMPDIR": str(temporary)})
    found = factors(ran.diagnosis), sites(ran.diagnosis)
    assert found == (["process-identity"], [("train.py", 5)])
    assert not [trial for trial in ran.diagnosis.trials if trial.outcome == "crashed"], ran.err


NAMED_AND_DRAWN = """
import os, random, tempfile
import nondet
file = tempfile.NamedTemporaryFile()
nondet.checkpoint("both", [os.path.basename(file.name), random.random()])
"""


def test_a_temporary_name_beside_an_unseeded_draw(project: Project) -> None:
    """No seed of the script's reaches the name."""
    project.write(NAMED_AND_DRAWN)
    diagnosis = project.diagnose(*QUICK, "train.py").diagnosis
    assert sorted(factors(diagnosis)) == ["process-identity", "python-random"]


@pytest.mark.long
def test_temporary_names_that_are_taken_are_not_held(project: Project, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    # Nothing can be mounted there.
    (temporary / f"nondet-temporary-{os.geteuid()}" / "full").mkdir(parents=True)
    project.write(LEFT_BEHIND)
    diagnosis = project.diagnose(*QUICK, "train.py", environ={"TMPDIR": str(temporary)}).diagnosis
    assert (diagnosis.verdict, factors(diagnosis)) == ("unresolved", [])
    (reason,) = [each.why for each in diagnosis.not_tested if each.factor == "process-identity"]
    assert "its pin has no effect here" in reason
    assert f"the temporary name a0000001 in {temporary}" in reason


SCALED = """
import random
from sklearn.preprocessing import StandardScaler
StandardScaler().fit([[random.random()], [1.0]])
"""


@pytest.mark.long
def test_where_a_scaler_alone_differs_its_cause_is_told_and_what_was_not_seen(
    project: Project,
) -> None:
    pytest.importorskip("sklearn")
    project.write(SCALED)
    ran = project.diagnose(*QUICK, "train.py")
    assert ran.code == 1, ran.err
    diagnosis = ran.diagnosis
    assert [cause.factor for cause in diagnosis.causes] == ["python-random"]
    assert diagnosis.confidence is not None
    assert diagnosis.confidence.compared == Compared(
        models=("StandardScaler",), checkpoints=1, by_products=True
    )
    assert [w for w in diagnosis.warnings if w.startswith("only `StandardScaler` was seen")]
