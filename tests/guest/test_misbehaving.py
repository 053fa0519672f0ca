"""What a script does to its process blinds nothing: a draw after it is seen, and in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command.misbehaving import CASES, script, surroundings
from tests.guest.running import guided

ENDS_BEFORE = {
    "leaves by os._exit": "it is over",
    "goes on as a daemon": "what goes on is a child process",
    "only starts another script": "that one is what is recorded",
    "runs another script in its own process": "it draws there itself",
}
"""Cases with a verdict in which no line after the misdeed can draw, with the reason."""
IMPORTS_BEFORE = {
    "has no room for more files": "no module can be read any more",
    "forgets all modules": "a second `sys` is not like the first, and importing needs that",
}
DRAW = "nondet.checkpoint('drawn', chance.random())\n"
GOOD = [name for name, (_, case) in CASES.items() if case.code in (0, 1)]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.long if CASES[name][1].needs else [])
        for name in GOOD
        if name not in ENDS_BEFORE
    ],
)
def test_a_draw_after_the_misdeed_is_seen(name: str, tmp_path: Path) -> None:
    text, case = CASES[name]
    environ = surroundings(case, tmp_path)
    folder = tmp_path / "subject"
    folder.mkdir()
    for module in ("events", "nondet_guest", "record", "session"):
        (folder / f"{module}.py").write_text(f"WHO = {module!r}\n")
    (folder / "data.txt").write_text("kept")
    first, last = ("", "import random as chance\n")
    if name in IMPORTS_BEFORE:
        first, last = last, first
    # Children that stay hold what it prints open, and no supervisor ends them here.
    text = text.replace("600", "1")
    lines = (first + script(text) + last + DRAW).splitlines()
    (folder / "train.py").write_text("\n".join(lines) + "\n")
    shown = guided(folder, "train.py", environ=environ)
    assert (shown.code, shown.of("guest-error")) == (0, []), shown.err
    assert [one["model"] for one in shown.of("checkpoint")].count("drawn") == 1
    (finished,) = shown.of("finished")
    for sightings in (shown.of("exercised"), finished["sightings"]):
        draws = [one for one in sightings if one["factor"] == "python-random"]
        found = [(one["detail"], one["unseeded"], one["site"]["line"]) for one in draws]
        assert found.count(("random.random", True, len(lines))) == 1, found


OWN_MODULE = """
import nondet
import numpy as np
from sklearn.linear_model import LinearRegression
LinearRegression().fit(np.eye(3), np.arange(3.0))
print(nondet.WHO)
"""


@pytest.mark.parametrize("path", ["nondet.py", "nondet/__init__.py"])
def test_a_module_of_our_name_is_the_users(path: str, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    folder = tmp_path / "subject"
    (folder / path).parent.mkdir(parents=True)
    (folder / path).write_text("WHO = 'the user'\n")
    (folder / "train.py").write_text(OWN_MODULE)
    shown = guided(folder, "train.py")
    assert (shown.code, shown.out, shown.of("guest-error")) == (0, "the user\n", []), shown.err
    assert [one["kind"] for one in shown.of("checkpoint")] == ["fit"]
