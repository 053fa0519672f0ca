"""Code that is edited while trials run it is noticed, whatever they have shown."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import time
import types
from pathlib import Path

import pytest

from nondet.host import own_code
from nondet.host.executors.interface import ExecutorError
from nondet.host.own_code import OwnCode
from nondet.host.trials import Trial
from nondet.search.questions import Question
from tests.host.acting import Act, laboratory, settings

QUESTION = Question("same?", {}, 2)


def code(folder: Path, isolated: bool = True) -> OwnCode:
    return OwnCode(settings(folder).subject, isolated)


def learned(own: OwnCode, folder: Path, **told: str) -> dict[str, str]:
    """Of modules by name, with what a trial found in them; the digests that are kept."""
    trial = Trial("t01", {}, "", "", folder, started=time.monotonic() - 60)
    trial.modules = {
        str(folder / f"{name}.py"): hashlib.sha256(text.encode()).hexdigest()
        for name, text in told.items()
    }
    own.learn(trial)
    return {Path(name).stem: digest for name, digest in trial.code.items()}


def test_a_script_that_is_edited(tmp_path: Path) -> None:
    own, script = code(tmp_path), tmp_path / "train.py"
    assert own.edited() is None
    script.write_text("x = 1\n")
    assert own.edited() == script
    script.write_text("")
    assert own.edited() is None
    script.unlink()
    assert own.edited() == script


def test_an_edit_that_leaves_the_time_alone(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("x = 1\n")
    own = code(tmp_path)
    assert own.edited() is None
    before = script.stat()
    script.write_text("x = 2\n")
    os.utime(script, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert own.edited() == script


def test_an_edit_while_the_file_system_s_clock_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For some milliseconds, mostly: all that the system tells of the file is as it was."""
    script = tmp_path / "train.py"
    script.write_text("x = 1\n")
    own = code(tmp_path)
    stamp, digested, read = own_code.stamped(script), own_code.digested, list[Path]()
    assert stamp is not None

    def reading(path: Path) -> str:
        read.append(path)
        return digested(path)

    # However long a busy machine takes over it.
    still = types.SimpleNamespace(time=lambda now=stamp.changed: now)
    monkeypatch.setattr(own_code, "time", still)
    monkeypatch.setattr(own_code, "stamped", lambda path: stamp)
    monkeypatch.setattr(own_code, "digested", reading)
    assert own.edited() is None
    script.write_text("x = 2\n")
    assert own.edited() == script
    # One that has been as it is for a while is not read each time.
    script.write_text("x = 1\n")
    stamp = stamp._replace(changed=stamp.changed - 60)
    assert own.edited() is None
    assert (own.edited(), len(read)) == (None, 3)


def test_modules_that_trials_tell_of(tmp_path: Path) -> None:
    own = code(tmp_path)
    module, gone, made = (tmp_path / name for name in ("data.py", "old.py", "made.py"))
    module.write_text("a = 1\n")
    gone.write_text("")
    kept = learned(own, tmp_path, data="a = 1\n", old="", made="b", train="")
    assert kept == {"data": own_code.digested(module), "old": own_code.digested(gone)}
    module.touch()
    gone.unlink()
    made.write_text("a trial has its own")
    assert own.edited() is None
    module.write_text("a = 2\n")
    assert own.edited() == module


def test_a_module_that_is_edited_before_a_trial_tells_of_it(tmp_path: Path) -> None:
    own, module = code(tmp_path), tmp_path / "data.py"
    module.write_text("a = 2\n")
    learned(own, tmp_path, data="a = 1\n")
    assert own.edited() == module


def test_a_module_that_the_script_writes(tmp_path: Path) -> None:
    own, module = code(tmp_path), tmp_path / "made.py"
    module.write_text("as a run without nondet has left it")
    trial = Trial("t01", {}, "", "", tmp_path, started=time.monotonic() + 60)
    trial.modules = {str(module): hashlib.sha256(b"its own").hexdigest()}
    own.learn(trial)
    assert trial.code == {}
    module.write_text("and another")
    assert own.edited() is None


@pytest.mark.parametrize("age", [0, 120], ids=["made-by-it", "from-before"])
def test_a_module_outside_of_the_folders_that_trials_have(age: float, tmp_path: Path) -> None:
    """One that the script writes itself is another in each trial."""
    folder = tmp_path / "project"
    folder.mkdir()
    own, module = code(folder), tmp_path / "data.py"
    module.write_text("a = 1\n")
    trial = Trial("t01", {}, "", "", folder, started=time.monotonic() - 60 + age)
    trial.modules = {str(module): own_code.digested(module)}
    own.learn(trial)
    module.write_text("a = 2\n")
    assert own.edited() == (module if age else None)
    assert bool(trial.code) == bool(age)


def test_without_folders_of_their_own_modules_may_be_the_trials(tmp_path: Path) -> None:
    own, module = code(tmp_path, isolated=False), tmp_path / "data.py"
    module.write_text("a = 1\n")
    assert learned(own, tmp_path, data="a = 1\n") == {}
    module.write_text("a = 2\n")
    assert own.edited() is None
    (tmp_path / "train.py").write_text("x = 1\n")
    assert own.edited() == tmp_path / "train.py"


def test_a_notebook_that_is_saved_with_other_outputs(tmp_path: Path) -> None:
    path = tmp_path / "train.ipynb"

    def write(source: str, output: str) -> None:
        cell = {"cell_type": "code", "source": source, "outputs": [output]}
        path.write_text(json.dumps({"nbformat": 4, "metadata": {}, "cells": [cell]}))

    write("x = 1", "")
    digest = own_code.digested(path)
    subject = dataclasses.replace(settings(tmp_path).subject, script=path.name, sha256=digest)
    own = OwnCode(subject, isolated=True)
    write("x = 1", "1")
    assert own.edited() is None
    write("x = 2", "1")
    assert own.edited() == path


def test_a_trial_of_a_script_that_was_edited_counts_for_nothing(tmp_path: Path) -> None:
    ended, started = list[str](), list[int]()

    def edit() -> None:
        if made.completed() and not ended:
            ended.extend(trial.id for trial in made.completed())
            started.append(len(executor.launches))
            (tmp_path / "train.py").write_text("x = 1\n")

    made, executor = laboratory(tmp_path, Act("aa"), Act("ab", late=9), jobs=2, check=edit)
    with pytest.raises(ExecutorError) as caught:
        made.ask(QUESTION)
    assert caught.value.slug == "script-changed"
    assert [trial.id for trial in made.trials] == ended
    assert all(trial.end is not None for trial in executor.trials)
    with pytest.raises(ExecutorError, match=r"^train\.py was changed while trials ran"):
        made.ask(QUESTION)
    assert started == [len(executor.launches)]


def test_a_module_that_was_edited_since_an_earlier_session(tmp_path: Path) -> None:
    module = tmp_path / "data.py"
    module.write_text("a = 1\n")
    digest = own_code.digested(module)
    made, _ = laboratory(tmp_path, Act("ab", modules={str(module): digest}))
    made.ask(QUESTION)
    again, _ = laboratory(tmp_path, Act("ab"))
    assert again.restore(made.settings.output / "trials") == 3
    module.write_text("a = 2\n")
    again, _ = laboratory(tmp_path, Act("ab"))
    assert again.restore(made.settings.output / "trials") == 0
