"""What a trial does to files stays with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from nondet.host.executors import choice
from nondet.host.executors.choice import CopyLimit, Mode
from nondet.host.executors.interface import ExecutorError
from nondet.host.executors.local import LocalExecutor
from tests.host.executors.trying import Trying, trying

CHANGES = """
import os, shutil
with open("kept.txt") as file: print("kept", file.read())
with open("kept.txt", "a") as file: file.write("!")
os.makedirs("new/deep", exist_ok=True)
with open("new/deep/file.bin", "wb") as file: file.write(b"123")
os.makedirs("new/__pycache__", exist_ok=True)
open("new/__pycache__/m.pyc", "w").close()
if os.path.exists("gone.txt"): os.remove("gone.txt")
shutil.rmtree("data", ignore_errors=True)
os.mkdir("data")
os.chmod("data", 0o500)
print("cwd", os.getcwd())
"""

LIST = """
import os
print(sorted(os.path.join(root, n) for root, d, f in os.walk(".") for n in d + f))
"""


@pytest.fixture(params=["overlay", "copy"])
def one(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Trying]:
    project = tmp_path / "project"
    (project / "data").mkdir(parents=True)
    (project / "kept.txt").write_text("a")
    (project / "gone.txt").write_text("b")
    (project / "data" / "x.txt").write_text("c")
    with trying(tmp_path, request.param) as one:
        yield one


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and "nondet-report" not in path.parts
    }


def test_the_original_stays_as_it_was(one: Trying) -> None:
    before = snapshot(one.project)
    end = one.run(CHANGES)
    assert (end.exit_code, one.said("stderr.log")) == (0, "")
    assert snapshot(one.project) == before
    assert {"gone.txt", "kept.txt", "new/deep/file.bin"} <= set(end.wrote)
    assert not any("pyc" in name or "nondet" in name for name in end.wrote)
    assert list(end.wrote) == sorted(end.wrote)


def test_each_trial_starts_afresh(one: Trying) -> None:
    said = []
    for _ in range(2):
        one.run(CHANGES)
        said.append(one.said().splitlines()[0])
    assert said == ["kept a", "kept a"]


def test_overlay_keeps_the_usual_path(one: Trying) -> None:
    one.run(CHANGES)
    usual = f"cwd {one.project}" in one.said()
    assert usual == (one.executor.isolation == "overlay")


def test_leftovers_pile_up_in_a_chain(one: Trying) -> None:
    script = (
        "import os\nn = len([x for x in os.listdir() if x.startswith('run')])\n"
        "open(f'run{n}', 'w').close()\nopen('kept.txt', 'a').write(str(n))\n"
        "if n == 1: os.remove('gone.txt')\n"
        "if n == 2: print(os.path.exists('gone.txt'))\n"
        "print(sorted(os.listdir()), open('kept.txt').read())\n"
    )
    first = one.run(script, keep_leftovers=True)
    second = one.run(script, keep_leftovers=True, leftovers=first.leftovers)
    third = one.run(script, leftovers=second.leftovers)
    assert one.said().splitlines() == [
        "False",
        "['data', 'kept.txt', 'run0', 'run1', 'run2'] a012",
    ]
    assert third.leftovers is None
    assert third.wrote == ("kept.txt", "run2")
    one.run(script, leftovers=first.leftovers)
    assert "run1" in one.said() and "run2" not in one.said()
    one.run(LIST)
    assert "run" not in one.said()
    assert (one.project / "kept.txt").read_text() == "a"


def test_the_output_folder_is_hidden_and_within_reach(one: Trying) -> None:
    one.run("import os\nopen(os.environ['RUNTIME'] + '/from-trial', 'w').write('hello')\n" + LIST)
    assert "nondet-report" not in one.said()
    assert (one.output / "from-trial").read_text() == "hello"


@pytest.mark.parametrize("isolation", ["overlay", "copy"])
def test_a_deeper_output_folder_shows_nothing(tmp_path: Path, isolation: Mode) -> None:
    with trying(tmp_path, isolation) as one:
        one.executor.close()
        one.output = one.project / "out" / "nondet-report"
        one.executor = LocalExecutor(one.output, [one.project], isolation)
        with one.executor:
            one.run(LIST)
            assert "trials" not in one.said()


def test_awkward_names(tmp_path: Path) -> None:
    base = tmp_path / "a, b:c\\d é"
    base.mkdir()
    with trying(base, "overlay") as one:
        end = one.run("open('x', 'w').close()")
        assert (end.exit_code, end.wrote) == (0, ("x",))
        assert not (one.project / "x").exists()


def test_arguments_are_mapped(one: Trying) -> None:
    script = one.project / "show.py"
    script.write_text("import os, sys\nprint(open(sys.argv[1]).read(), os.environ['PWD'])\n")
    argv = (sys.executable, "-S", str(script), str(one.project / "kept.txt"))
    one.run("", argv=argv, env={"PWD": str(one.project)})
    place = one.executor.map_path("t01", one.project)
    assert one.said().split() == ["a", str(place)]


def test_the_folder_looks_as_before(one: Trying) -> None:
    one.project.chmod(0o710)
    os.utime(one.project, (1e9, 1e9))
    one.run("import os\ns = os.stat('.')\nprint(oct(s.st_mode), s.st_mtime)\n")
    assert one.said().split() == ["0o40710", "1000000000.0"]


def test_a_copy_links_what_is_large(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "venv").mkdir(parents=True)
    (project / "venv" / "pyvenv.cfg").touch()
    (project / ".git").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (project / "out").symlink_to("../elsewhere")
    (project / "real").mkdir()
    (project / "absolute").symlink_to(project / "real")
    os.mkfifo(project / "pipe")
    with trying(tmp_path, "copy") as one:
        one.run("import os\nfor n in sorted(os.listdir()): print(n, os.path.realpath(n))\n")
        place = os.path.realpath(one.executor.map_path("t01", project))
        seen = dict(line.split() for line in one.said().splitlines())
    assert seen == {
        ".git": str(project / ".git"),
        "absolute": f"{place}/real",
        "out": str(tmp_path / "elsewhere"),
        "real": f"{place}/real",
        "venv": str(project / "venv"),
    }


def test_in_place_is_said(tmp_path: Path) -> None:
    with trying(tmp_path, "in-place") as one:
        end = one.run("open('made', 'w').close()", keep_leftovers=True)
        assert "share" in one.executor.warning
        assert (end.wrote, end.leftovers) == ((), None)
    assert (tmp_path / "project" / "made").exists()


def test_falls_back_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "try_overlay", lambda *_: (None, "unshare: not permitted"))
    (tmp_path / "a").write_bytes(b"12345")
    for size, expected in ((100, "copy"), (2, "in-place")):
        limit = CopyLimit(size=size)
        with LocalExecutor(tmp_path / "out", [tmp_path], limit=limit) as executor:
            assert executor.isolation == expected
            assert "unshare: not permitted" in executor.warning
    with pytest.raises(ExecutorError) as caught:
        LocalExecutor(tmp_path / "out", [tmp_path], "copy", CopyLimit(files=0))
    assert caught.value.slug == "copy-too-large"


def test_refuses_an_output_folder_around_the_subject(tmp_path: Path) -> None:
    for isolation in get_args(Mode):
        with pytest.raises(ExecutorError) as caught:
            LocalExecutor(tmp_path, [tmp_path / "project"], isolation)
        assert caught.value.slug == "output-holds-subject"


def test_works_in_a_user_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variants = [variant for variant in choice.OVERLAYS if variant[0]]
    monkeypatch.setattr(choice, "OVERLAYS", variants)
    with trying(tmp_path, "overlay") as one:
        (one.project / "kept.txt").write_text("a")
        (one.project / "data").mkdir()
        first = one.run(CHANGES, keep_leftovers=True)
        assert (first.exit_code, first.wrote) == (0, ("kept.txt", "new/deep/file.bin"))
        one.run(LIST, leftovers=first.leftovers)
        assert "file.bin" in one.said() and "nondet-report" not in one.said()
        assert (one.project / "kept.txt").read_text() == "a"


def test_a_trial_may_have_files_of_its_own(one: Trying) -> None:
    before = snapshot(one.project)
    read = (
        "import os\nprint(open('data/x.txt').read(), open('kept.txt').read(), os.listdir('data'))"
    )
    own = ((one.project / "data" / "x.txt", b"other"), (one.project / "kept.txt", b"too"))
    end = one.run(read, files=own)
    assert (end.exit_code, one.said()) == (0, "other too ['x.txt']\n")
    assert end.wrote == ()
    one.run(read)
    assert one.said() == "c a ['x.txt']\n"
    assert snapshot(one.project) == before


def test_where_all_share_a_folder_none_has_files_of_its_own(tmp_path: Path) -> None:
    with trying(tmp_path, "in-place") as one:
        with pytest.raises(ExecutorError) as raised:
            one.run("", files=((one.project / "train.py", b""),))
        assert raised.value.slug == "files-shared"


def test_only_what_is_kept_apart_can_be_a_trial_s_own(one: Trying, tmp_path: Path) -> None:
    with pytest.raises(ExecutorError) as raised:
        one.run("", files=((tmp_path / "elsewhere.py", b""),))
    assert raised.value.slug == "file-not-protected"
