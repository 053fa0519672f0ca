"""``nondet check``: whether a script repeats, and whether it has left a recorded run."""

from __future__ import annotations

import json

import pytest

from tests.command.running import Project


def flat(text: str) -> str:
    return " ".join(text.split())


SAME = "import nondet\nnondet.checkpoint('value', {})\n"
DRAWN = "import random\nimport nondet\nnondet.checkpoint('value', random.random())\n"


def test_a_script_that_repeats_passes(project: Project) -> None:
    project.write(SAME.format(1))
    ran = project.run("check", "--runs", "3", "train.py")
    assert ran.code == 0, ran.err
    assert flat(ran.out) == (
        "It repeats: 3 runs agree bit for bit in the value value given to nondet.checkpoint, at 1 "
        "checkpoint. 95 % sure that fewer than 78 % would differ."
    )
    assert sorted(path.name for path in project.folder.iterdir()) == ["train.py"]


WRITING = SAME.format(1) + "open('made.txt', 'a').close()\n"
READING = "import os\n" + DRAWN.replace("random.random()", "os.path.exists('made.txt')")


@pytest.mark.parametrize(("runs", "jobs"), [("2", "2"), ("3", "4")])
def test_so_many_runs_as_were_asked_for(project: Project, runs: str, jobs: str) -> None:
    project.write(WRITING)
    ran = project.run("check", "--json", "--runs", runs, "--jobs", jobs, "train.py")
    found = json.loads(ran.out)
    assert (ran.code, found["runs"]) == (0, int(runs)), ran.err
    assert f"{runs} runs agree" in found["summary"]


def test_the_second_of_two_runs_starts_from_what_the_first_left(project: Project) -> None:
    project.write(READING + "open('made.txt', 'a').close()\n")
    ran = project.run("check", "--json", "--runs", "2", "--jobs", "2", "train.py")
    assert (ran.code, json.loads(ran.out)["verdict"]) == (1, "parts"), ran.err


BY_HAND = """\
import numpy as np
from sklearn.preprocessing import StandardScaler
x = StandardScaler().fit_transform(np.arange(6.0).reshape(3, 2))
print("weights", x @ np.random.normal(size=(2,)))
"""


def test_a_scaler_beside_what_is_trained_by_hand_passes_no_gate(project: Project) -> None:
    pytest.importorskip("sklearn")
    project.write(BY_HAND)
    ran = project.run("check", "--json", "--runs", "2", "train.py")
    found = json.loads(ran.out)
    assert (ran.code, found["verdict"]) == (5, "broken"), ran.err
    assert "only `StandardScaler` was seen" in found["summary"]
    assert found["compared"] is None
    (warning,) = found["warnings"]
    assert "t01 and t02, first at line 1" in warning


def test_by_default_as_many_runs_as_a_diagnosis_asks_for(project: Project) -> None:
    project.write(SAME.format(1))
    ran = project.run("check", "--json", "train.py")
    found = json.loads(ran.out)
    assert (found["verdict"], found["runs"]) == ("agrees", 6)
    assert found["divergence_probability_bound"] == pytest.approx(0.451, abs=0.01)


def test_a_script_that_does_not_repeat_fails(project: Project) -> None:
    project.write(DRAWN)
    ran = project.run("check", "--json", "train.py", "--its-own")
    found = json.loads(ran.out)
    assert ran.code == 1
    assert found["verdict"] == "parts"
    assert found["first"]["model"] == "value"
    assert found["divergence_probability_bound"] is None
    told = project.run("check", "--quiet", "train.py", "--its-own")
    assert "It does not repeat. Runs part at checkpoint value." in told.out
    assert "nondet diagnose train.py --its-own" in told.out
    told = project.run("check", "--quiet", "train.py", *["--of-its-own"] * 20)
    assert f"nondet diagnose train.py{' --of-its-own' * 20}\n" in told.out, "in one piece, to copy"


def test_the_command_to_go_on_with_names_a_module_as_such(project: Project) -> None:
    project.write(DRAWN)
    for command in (["check", "--quiet"], ["repeat", "--by-source"]):
        told = project.run(*command, "-m", "train", "two words")
        assert "nondet diagnose -m train 'two words'" in flat(told.out + told.err)
    for name in ("a.nd", "b.nd"):
        assert project.run("record", "-o", name, "-m", "train", "two words").code == 0
    told = project.run("diff", "a.nd", "b.nd")
    assert "nondet diagnose -m train 'two words'" in flat(told.out)


def test_a_name_that_is_no_text_is_told_as_an_escape(project: Project) -> None:
    (project.folder / "tr\udce9in.py").write_text(SAME.format(1))
    ran = project.run("check", "--json", "tr\udce9in.py", "\udcff")
    assert ran.code == 0, ran.err
    subject = json.loads(ran.out)["subject"]
    assert (subject["script"], subject["args"]) == ("tr\\udce9in.py", ["\\udcff"])
    assert project.run("record", "-o", "\udce9.nd", "tr\udce9in.py").code == 0
    told = project.run("diff", "--json", "--html", "diff.html", "\udce9.nd", "\udce9.nd")
    assert told.code == 0, told.err
    assert json.loads(told.out)["files"] == ["\\udce9.nd", "\\udce9.nd"]


def test_a_baseline_is_held(project: Project) -> None:
    project.write(SAME.format(1))
    assert project.run("record", "-o", "base.nd", "train.py").code == 0
    held = project.run("check", "--runs", "2", "--baseline", "base.nd", "train.py")
    assert held.code == 0, held.out
    project.write(SAME.format(2))
    ran = project.run("check", "--runs", "2", "--json", "--baseline", "base.nd", "train.py")
    found = json.loads(ran.out)
    assert ran.code == 1
    assert found["verdict"] == "left-the-baseline"
    assert found["baseline"]["first"]["label"] == "value"


def test_what_repeats_and_left_the_baseline_is_not_to_be_diagnosed(project: Project) -> None:
    project.write(SAME.format("float(open('data').read())"))
    (project.folder / "data").write_text("1")
    assert project.run("record", "-o", "base.nd", "train.py").code == 0
    (project.folder / "data").write_text("2")
    ran = project.run("check", "--baseline", "base.nd", "train.py")
    assert ran.code == 1
    assert "look at the files that the script reads" in flat(ran.out)
    assert "nondet diagnose" not in ran.out


BY_STEP = """\
import torch
torch.manual_seed(0)
layer = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    layer(torch.ones(4, 2)).sum().backward()
    optimizer.step()
"""


@pytest.mark.long
def test_a_baseline_with_every_step_is_compared_at_every_step(project: Project) -> None:
    pytest.importorskip("torch")
    project.write(BY_STEP)
    made = project.run("record", "--granularity", "step", "-o", "base.nd", "train.py")
    assert made.code == 0, made.err
    held = project.run("check", "--runs", "2", "--json", "--baseline", "base.nd", "train.py")
    assert held.code == 0, held.out
    baseline = json.loads(held.out)["baseline"]
    assert baseline["agree"] and baseline["compared"] >= 3


def test_a_broken_script_is_told_from_one_that_does_not_repeat(project: Project) -> None:
    project.write("raise ValueError('its own')\n")
    ran = project.run("check", "--quiet", "train.py")
    assert ran.code == 5
    assert "ValueError: its own" in ran.out
    project.write("def\n")
    ran = project.run("check", "train.py")
    assert ran.code == 5
    assert "[syntax-error]" in ran.err
    ran = project.run("check", "--json", "train.py", "--its-own")
    found = json.loads(ran.out)
    assert ran.code == 5
    assert (found["verdict"], found["error"]["slug"]) == ("broken", "syntax-error")
    assert found["subject"]["args"] == ["--its-own"]


@pytest.mark.parametrize(
    "script", ["print('hello')\n", "import nondet\nnondet.checkpoint('w', {})"]
)
def test_a_script_that_shows_nothing_passes_no_gate(project: Project, script: str) -> None:
    project.write(script)
    ran = project.run("check", "--json", "train.py")
    found = json.loads(ran.out)
    assert ran.code == 5
    assert (found["verdict"], found["error"]["slug"]) == ("broken", "nothing-recorded")
    assert found["divergence_probability_bound"] is None


def test_a_baseline_that_is_none(project: Project) -> None:
    project.write(SAME.format(1))
    project.run("check", "--baseline", "none.nd", "train.py").refused("no-recording", "none.nd")
