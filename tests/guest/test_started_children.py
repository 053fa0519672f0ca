"""Children in a Python of their own, started in each of the ways that there are."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

from nondet.guest import restarting
from nondet.guest.suspicions import CHILD
from tests.guest.running import Shown, guided

TELLING = """
import os, pathlib, sys
import nondet
pathlib.Path(sys.argv[1]).write_text(" ".join(sys.argv))
if "--train" in sys.argv:
    nondet.checkpoint("fold", sys.argv[1])
sys.exit(len(sys.argv))
"""
TOGETHER = """
import sys
from subprocess import Popen
children = [Popen([sys.executable, "child.py", name]) for name in "abc"]
print([child.wait() for child in children])
"""
SPAWNED = """
import os, sys
python = sys.executable
print([os.spawnv(os.P_WAIT, python, [python, "child.py", name]) for name in "abc"])
"""
SPAWNED_TOGETHER = """
import os, sys
python = sys.executable
pids = [os.spawnl(os.P_NOWAIT, python, python, "child.py", name) for name in "abc"]
print([os.waitpid(pid, 0)[1] >> 8 for pid in pids])
"""
FORKED = """
import os, sys
ended = []
for name in "abc":
    pid = os.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "child.py", name])
    ended.append(os.waitpid(pid, 0)[1] >> 8)
print(ended)
"""
SCRIPTS = {
    "together": TOGETHER,
    "spawned": SPAWNED,
    "spawned together": SPAWNED_TOGETHER,
    "forked": FORKED,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "project"
    place.mkdir()
    (place / "child.py").write_text(TELLING)
    return place


def trial(folder: Path, script: str) -> Shown:
    (folder / "train.py").write_text(textwrap.dedent(script))
    shown = guided(folder, "train.py")
    assert (shown.code, shown.err) == (0, "")
    assert shown.of("guest-error") == []
    return shown


@pytest.mark.parametrize("way", SCRIPTS)
def test_each_child_has_arguments_of_its_own(way: str, folder: Path) -> None:
    shown = trial(folder, SCRIPTS[way])
    assert shown.out == "[2, 2, 2]\n"
    for name in "abc":
        assert (folder / name).read_text() == f"child.py {name}"
    # What was given a guest is seen.
    details = [one["detail"] for one in shown.of("exercised") if one["factor"] == "unknown"]
    assert details == ([CHILD] if way == "forked" else [])


@pytest.mark.parametrize("way", ["spawned", "spawned together"])
def test_where_several_spawned_children_train_none_is_compared(way: str, folder: Path) -> None:
    shown = trial(
        folder,
        SCRIPTS[way]
        .replace(" name]", " name, '--train']")
        .replace(" name) for", " name, '--train') for"),
    )
    assert shown.out == "[3, 3, 3]\n"
    assert {one["kind"] for one in shown.of("crashed")} == {"SeveralCourses"}
    assert len(shown.of("checkpoint")) <= 1


def test_a_spawned_child_that_trains_alone_is_the_trial(folder: Path) -> None:
    shown = trial(
        folder,
        """
        import os, sys
        environ = dict(os.environ, OWN="7")
        command = [sys.executable, "child.py", "a", "--train"]
        assert os.spawnve(os.P_WAIT, sys.executable, command, environ) == 3
        """,
    )
    assert [one["event"] for one in shown.events].count("started") == 2
    assert [one["script"] for one in shown.of("launched")] == [str(folder / "child.py")]
    assert [one["model"] for one in shown.of("checkpoint")] == ["fold"]
    assert shown.of("crashed") == []


def test_a_forked_child_that_runs_the_script_again_is_no_restart_of_it(folder: Path) -> None:
    shown = trial(
        folder,
        """
        import os, sys
        import nondet
        nondet.checkpoint("value", len(sys.argv))
        if len(sys.argv) == 1:
            pid = os.fork()
            if pid == 0:
                os.execv(sys.executable, [sys.executable, __file__, "again"])
            assert os.waitpid(pid, 0)[1] == 0
        """,
    )
    assert len(shown.of("started")) == len(shown.of("checkpoint")) == 1


def test_each_plan_for_a_child_is_a_whole_file_of_its_own(tmp_path: Path) -> None:
    session = SimpleNamespace(plan={"script": "train.py", "args": []})
    first = str(tmp_path / "plan.json")
    paths = [restarting.written(session, first, {"args": [name]}) for name in "ab"]
    paths.append(restarting.written(session, paths[0], {"args": ["c"]}))
    assert sorted(paths) == sorted(str(path) for path in tmp_path.iterdir())
    for path, name in zip(paths, "abc", strict=True):
        assert path.rpartition("-")[0] == paths[0].rpartition("-")[0]
        plan = json.loads(Path(path).read_text())
        assert plan == {"script": "train.py", "args": [name], "restarted": True}
