"""``--epochs`` and ``--steps`` through the command, with a script of one's own and with Keras."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nondet.record import Diagnosis
from tests.command.running import QUICK, Project

OWN = """
import nondet
for epoch in range(3):
    nondet.checkpoint("epoch", epoch)
"""
LATE = """
import random
import time

import keras
import numpy as np

keras.utils.set_random_seed(1)
x = np.random.normal(size=(32, 2)).astype("float32")
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile(optimizer="sgd", loss="mse")


class Nudge(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:  # the third
            random.seed()
            weights = self.model.get_weights()
            self.model.set_weights([w + random.random() for w in weights])


model.fit(x, x[:, :1], epochs=4, batch_size=8, verbose=0, callbacks=[Nudge()])
time.sleep(60)  # whoever is to end it at the horizon has the time
print("trained to the end", flush=True)
"""


def untested(diagnosis: Diagnosis) -> dict[str, str]:
    return {item.factor: item.why for item in diagnosis.not_tested}


@pytest.mark.parametrize("option", ["--epochs", "--steps"])
def test_a_script_without_epochs_runs_to_its_end(project: Project, option: str) -> None:
    project.write(OWN)
    ran = project.diagnose(*QUICK, option, "2", "train.py")
    assert ran.code == 0, ran.err
    diagnosis = ran.diagnosis
    assert diagnosis.horizon is not None
    assert (diagnosis.horizon.unit, diagnosis.horizon.reached) == (option[2:-1], "")
    assert {trial.outcome for trial in diagnosis.trials} == {"completed"}
    assert not any(trial.at_horizon for trial in diagnosis.trials)
    assert "shortened horizon" in untested(diagnosis)["leftovers"]
    assert diagnosis.summary.endswith("given to `nondet.checkpoint`, at 3 checkpoints.")
    assert "nothing was cut short" in ran.out
    assert ran.out.strip().startswith("Reproducible so far.")
    whole = project.diagnose("--force", *QUICK, "train.py").diagnosis
    assert whole.horizon is None
    assert "leftovers" not in untested(whole)


def test_another_horizon_is_another_diagnosis(project: Project) -> None:
    project.write(OWN)
    assert project.diagnose(*QUICK, "--epochs", "2", "train.py").code == 0
    again = project.diagnose("--resume", *QUICK, "--epochs", "2", "train.py")
    assert "resumed: 3 finished trials" in again.err
    other = project.diagnose("--resume", *QUICK, "--epochs", "1", "train.py")
    assert "no finished trial there fits" in other.err
    assert len(other.diagnosis.trials) == 3


@pytest.mark.long
@pytest.mark.subject
@pytest.mark.xdist_group("subjects")
def test_what_acts_late_shows_behind_the_horizon_only(project: Project) -> None:
    project.write(LATE)
    ran = project.diagnose(*QUICK, "--epochs", "2", "train.py")
    assert ran.code == 0, ran.err
    diagnosis = ran.diagnosis
    assert diagnosis.verdict == "reproducible"
    assert diagnosis.summary.endswith("at 3 checkpoints, up to the end of epoch 2.")
    assert ran.out.strip().startswith("Reproducible up to the end of epoch 2.")
    assert [(t.outcome, t.at_horizon, t.checkpoints) for t in diagnosis.trials] == [
        ("stopped-early", True, 3)
    ] * 3
    assert diagnosis.trials[0].note == "ended at the horizon, epoch 2"
    plan: dict[str, Any] = json.loads(project.trial_files("plan.json")["t01"])
    assert plan["granularity"] == "auto"
    assert "up to the end of epoch 2" in (project.output / "report.html").read_text()

    ran = project.diagnose("--force", *QUICK, "--epochs", "3", "train.py")
    assert ran.code == 1, ran.err
    diagnosis = ran.diagnosis
    assert [cause.factor for cause in diagnosis.causes] == ["python-random"]
    assert diagnosis.first_divergence is not None
    assert diagnosis.first_divergence.epoch == 3
    assert diagnosis.summary.endswith("Runs were followed up to the end of epoch 3.")
    assert not any("trained to the end" in trial.stdout_tail for trial in diagnosis.trials)


@pytest.mark.subject
@pytest.mark.xdist_group("subjects")
def test_steps_are_recorded_and_end_the_trials(project: Project) -> None:
    project.write(LATE)
    ran = project.diagnose(*QUICK, "--steps", "6", "train.py")
    assert ran.code == 0, ran.err
    diagnosis = ran.diagnosis
    assert diagnosis.horizon is not None
    assert diagnosis.horizon.reached == "step 6"
    # The initial weights, six steps, and the end of the first epoch among them.
    assert {trial.checkpoints for trial in diagnosis.trials} == {8}
    assert ran.out.strip().startswith("Reproducible up to step 6.")
