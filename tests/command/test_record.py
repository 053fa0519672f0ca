"""``nondet record`` and ``nondet diff``: two runs, here or elsewhere, compared by their files."""

from __future__ import annotations

import io
import json
import os
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.command.running import Project, Ran

SAME = """\
import nondet
import numpy as np
nondet.checkpoint("start", np.arange(4.0))
nondet.checkpoint("end", np.arange(4, dtype="float32") / 3)
"""
OTHER = SAME.replace("/ 3", "/ 3 + np.float32(1e-7) * (np.arange(4) == 3)")


def recorded(project: Project, name: str, text: str = SAME, **more: Any) -> None:
    project.write(text)
    ran = project.run("record", "-o", name, "train.py", **more)
    assert ran.code == 0, ran.err
    assert f"nondet: written {name}\n" in ran.err


def compared(project: Project, one: str = "a.nd", other: str = "b.nd") -> tuple[Ran, Any]:
    ran = project.run("diff", "--json", one, other)
    assert ran.code in (0, 1), ran.err
    return project.run("diff", one, other), json.loads(ran.out)


def test_runs_that_agree(project: Project) -> None:
    recorded(project, "a.nd")
    recorded(project, "b.nd")
    ran, found = compared(project)
    assert ran.code == 0
    assert found["agree"]
    assert found["compared"] == 2
    assert "The runs agree bit for bit in all 2 checkpoints: the values" in ran.out
    assert not found["gaps"]
    assert (project.folder / "a.nd").stat().st_mode & 0o077 == 0


def test_where_runs_part_and_how_far(project: Project) -> None:
    recorded(project, "a.nd")
    recorded(project, "b.nd", OTHER)
    ran, found = compared(project)
    assert ran.code == 1
    assert not found["agree"]
    first = found["first"]
    assert (first["checkpoint"], first["label"]) == ("user", "end")
    (far,) = first["apart"]
    assert far["share"] == 0.25
    assert far["max_ulp"] == 1
    assert "The runs part at end" in ran.out
    (gap,) = found["gaps"]
    assert gap["kind"] == "script"


def test_the_comparison_as_a_page(project: Project) -> None:
    recorded(project, "a.nd")
    recorded(project, "b.nd", OTHER)
    ran = project.run("diff", "--html", "diff.html", "a.nd", "b.nd")
    assert ran.code == 1
    page = (project.folder / "diff.html").read_text()
    assert "They part" in page and "a.nd" in page and "b.nd" in page
    assert (project.folder / "diff.html").stat().st_mode & 0o777 == 0o600
    project.run("diff", "--html", "no/such/diff.html", "a.nd", "b.nd").refused(
        "output-not-writable", "diff.html"
    )


def test_what_was_around_them_is_told_with_its_effect(project: Project) -> None:
    drawn = SAME.replace("/ 3", "/ 3 + __import__('random').random()")
    recorded(project, "a.nd", drawn, environ={"OMP_NUM_THREADS": "1", "API_TOKEN": "hidden-1"})
    more = {"OMP_NUM_THREADS": "2", "TF_API_KEY": "hidden-2", "MY_OWN": "hidden-3"}
    recorded(project, "b.nd", drawn, environ=more)
    ran, found = compared(project)
    assert [(gap["name"], gap["one"], gap["other"]) for gap in found["gaps"]] == [
        ("OMP_NUM_THREADS", "1", "2")
    ]
    assert "OMP_NUM_THREADS (1 and 2) differs" in ran.out
    assert "threads" in found["gaps"][0]["effect"]
    for name in ("a.nd", "b.nd"):
        with zipfile.ZipFile(project.folder / name) as archive:
            every = b"".join(archive.read(member) for member in archive.namelist())
        assert b"hidden" not in every


def test_where_nothing_around_them_differs_the_script_is_suspected(project: Project) -> None:
    drawn = SAME.replace("/ 3", "/ 3 + __import__('random').random()")
    recorded(project, "a.nd", drawn)
    recorded(project, "b.nd", drawn)
    ran, found = compared(project)
    assert ran.code == 1
    assert not found["gaps"]
    assert "nondet diagnose train.py" in found["summary"]
    held = ["--pin", "python-random"]
    for name in ("c.nd", "d.nd"):
        assert project.run("record", "-o", name, *held, "train.py").code == 0
    ran, found = compared(project, "c.nd", "d.nd")
    assert ran.code == 0
    assert found["one"]["pins"] == {"python-random": "pinned"}
    assert compared(project, "a.nd", "c.nd")[1]["gaps"][0]["kind"] == "pins"


def test_what_only_one_has_is_told(project: Project) -> None:
    recorded(project, "a.nd")
    recorded(project, "b.nd", SAME + "nondet.checkpoint('more', 1)\n")
    ran, found = compared(project)
    assert ran.code == 1
    assert found["first"] is None
    assert found["shape"] == ["only the second has more"]
    assert "agree bit for bit in all 2 checkpoints that both have" in ran.out


def test_runs_with_nothing_in_common_do_not_agree(project: Project) -> None:
    recorded(project, "a.nd", "import nondet\nnondet.checkpoint('a', 1)\n")
    recorded(project, "b.nd", "import nondet\nnondet.checkpoint('b', 1)\n")
    ran, found = compared(project)
    assert ran.code == 1
    assert found["compared"] == 0
    assert "nothing in common" in ran.out


def test_metrics_need_not_be_finite(project: Project) -> None:
    """As the loss of a training that goes wrong."""
    measured = SAME + "nondet.metric('loss', float({!r}))\n"
    recorded(project, "a.nd", measured.format("nan"))
    recorded(project, "b.nd", measured.format("nan"))
    ran, found = compared(project)
    assert (ran.code, found["metrics"]) == (0, [])
    assert found["one"]["metrics"] == {"loss": "NaN"}
    assert project.run("check", "--baseline", "a.nd", "--runs", "2", "train.py").code == 0
    recorded(project, "b.nd", measured.format("-inf"))
    ran, found = compared(project)
    assert found["metrics"] == [{"name": "loss", "one": "NaN", "other": "-Infinity"}]
    assert "loss NaN | -Infinity" in " ".join(ran.out.split())
    project.run("diff", "--html", "diff.html", "a.nd", "b.nd")
    assert '<td class="n">-Infinity</td>' in (project.folder / "diff.html").read_text()


def test_values_may_be_left_out(project: Project) -> None:
    for name, text in (("a.nd", SAME), ("b.nd", OTHER)):
        project.write(text)
        assert project.run("record", "-o", name, "--values", "0", "train.py").code == 0
    ran, found = compared(project)
    assert ran.code == 1
    assert found["first"]["apart"][0]["max_abs"] is None
    assert found["one"]["values_omitted"]


def test_a_script_that_fails_is_not_recorded(project: Project) -> None:
    project.write(SAME + "raise SystemExit(3)\n")
    ran = project.run("record", "-o", "a.nd", "train.py")
    assert ran.code == 3
    assert "no file was written, since the script failed [not-recorded]" in ran.err
    assert not (project.folder / "a.nd").exists()


def test_a_script_that_shows_nothing_is_not_recorded(project: Project) -> None:
    project.write("print('hello')\n")
    ran = project.run("record", "train.py")
    assert ran.code == 2
    assert "[nothing-recorded]" in ran.err
    assert not list(project.folder.glob("*.nd*"))


def test_a_place_that_can_not_be_written_is_told_before_the_script_runs(project: Project) -> None:
    project.write("open('ran', 'w').close()\n" + SAME)
    taken = project.folder / "pipe.nd"
    os.mkfifo(taken)
    for name in ("no/such/a.nd", "pipe.nd"):
        project.run("record", "-o", name, "train.py").refused("output-not-writable", name)
    assert not (project.folder / "ran").exists()
    recorded(project, "a.nd")
    project.run("diff", "--html", "pipe.nd", "a.nd", "a.nd").refused(
        "output-not-writable", "no regular file"
    )
    assert taken.is_fifo(), "what is no file, as /dev/null, is not replaced by one"


def test_the_file_is_named_after_the_script(project: Project) -> None:
    project.write(SAME)
    assert project.run("record", "train.py", "-o", "its own").code == 0
    assert (project.folder / "train.nd").exists()


def test_files_that_are_not_there_or_something_else(project: Project) -> None:
    recorded(project, "a.nd")
    project.run("diff", "a.nd", "b.nd").refused("no-recording", "b.nd")
    project.write("no archive", "b.nd")
    project.run("diff", "a.nd", "b.nd").refused("recording-unreadable", "b.nd")


# -- files of strangers


def altered(project: Project, **members: bytes | None) -> None:
    """b.nd: a.nd with some members replaced, added, or left out."""
    changed = {name.replace("__", "/"): data for name, data in members.items()}
    with zipfile.ZipFile(project.folder / "a.nd") as archive:
        every = {name: archive.read(name) for name in archive.namelist()}
    every |= {name: data for name, data in changed.items() if data is not None}
    with zipfile.ZipFile(project.folder / "b.nd", "w") as archive:
        for name, data in every.items():
            if changed.get(name, data) is not None:
                archive.writestr(name, data)


@pytest.mark.parametrize(
    "members",
    [
        {"run.json": b"{}"},
        {"run.json": b"[" * 10_000},
        {"run.json": None},
        {"run.json": b'{"schema": 99}'},
        {"trial/trial.json": None},
        {"trial/trial.json": b"null"},
        {"trial/events.jsonl": b'{"event": "started", "trial": "t09"}\n'},
        {"trial/events.jsonl": b"\xff\xfe\n"},
    ],
    ids=lambda members: str(members)[:40],
)
def test_damaged_files_are_refused(project: Project, members: dict[str, bytes | None]) -> None:
    recorded(project, "a.nd")
    altered(project, **members)
    project.run("diff", "a.nd", "b.nd").refused("recording-unreadable", "b.nd")


def test_nothing_is_unpacked_elsewhere(project: Project, tmp_path: Path) -> None:
    recorded(project, "a.nd")
    room = tmp_path / "room"
    room.mkdir()
    strange = {f"../../{tmp_path.name}/escaped": b"x", "trial/../../up": b"x", "/abs": b"x"}
    altered(project, **strange, **{"trial/evil.py": b"raise SystemExit"})
    ran = project.run("diff", "a.nd", "b.nd", environ={"TMPDIR": str(room)})
    assert ran.code == 0, ran.err
    assert not list(room.iterdir())
    assert not list(tmp_path.rglob("escaped"))
    assert not list(tmp_path.rglob("up"))


def test_cut_and_flipped_files_end_in_one_line(project: Project) -> None:
    recorded(project, "a.nd")
    data = (project.folder / "a.nd").read_bytes()
    generator = random.Random(7)
    for _ in range(6):
        broken = bytearray(data)
        for _ in range(generator.randrange(1, 8)):
            broken[generator.randrange(len(broken))] ^= 1 << generator.randrange(8)
        length = generator.randrange(len(data)) if generator.random() < 0.5 else len(data)
        (project.folder / "b.nd").write_bytes(io.BytesIO(broken[:length]).read())
        ran = project.run("diff", "a.nd", "b.nd")
        assert ran.code in (0, 1, 2), ran.err
        assert "Traceback" not in ran.err
        if ran.code == 2:
            assert ran.err.count("\n") == 1
