"""What the host reads of a plugin, without running it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from nondet.host import plugins
from nondet.host.errors import UsageError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "plugins.md"
GOOD = """
MODULE = "dice.random"
ADVICE = "dice.random.reseed(42)"
DRAWS = ("roll", "Cup.shake")
SEEDS = ["reseed"]


def seed(module, number):
    module.reseed(number)


def draw(module):
    return [module.roll() for _ in range(8)]


raise SystemExit("only trials run it")
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "dice_plugin.py"
    path.write_text(text)
    return path


def test_a_plugin_is_read_and_not_run(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    plugin = plugins.read(path)
    assert plugin.path == path
    assert plugin.module == "dice.random"
    assert plugin.advice == "dice.random.reseed(42)"
    assert plugin.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()
    assert plugin.edits[0] == ("dice.random.", "dice.random.reseed(42)  # before the first draw")


def test_without_advice_the_first_seeding_function_is_advised(tmp_path: Path) -> None:
    text = GOOD.replace('ADVICE = "dice.random.reseed(42)"\n', "")
    assert plugins.read(written(tmp_path, text)).advice == "dice.random.reseed(42)"
    text = text.replace('SEEDS = ["reseed"]\n', "")
    assert plugins.read(written(tmp_path, text)).advice == "# seed dice.random here"


def test_a_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, GOOD)
    monkeypatch.chdir(tmp_path)
    assert plugins.read(Path("dice_plugin.py")).path == tmp_path / "dice_plugin.py"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('MODULE = "dice.random"', "", "MODULE ="),
        ('"dice.random"', "2", "MODULE is to be a text"),
        ('"dice.random"', '"dice random"', "MODULE ="),
        ('"dice.random.reseed(42)"', "None", "ADVICE is to be a text"),
        ("def seed", "def sow", "no function seed(module, number)"),
        ("def draw(module)", "def draw()", "draw is to take (module)"),
        ("def seed(module, number)", "def seed(module)", "seed is to take (module, number)"),
        ('("roll", "Cup.shake")', '"roll"', "DRAWS is to hold names"),
        ('["reseed"]', "[reseed]", "SEEDS is to hold names"),
        ("def draw(module):", "def draw(module)", "not Python"),
        ("import", "\0", "not Python"),
    ],
)
def test_what_is_no_plugin_is_told_with_its_fault(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    text = f"import dice\n{GOOD}"
    assert old in text
    with pytest.raises(UsageError) as caught:
        plugins.read(written(tmp_path, text.replace(old, new, 1)))
    assert caught.value.slug == "not-a-plugin"
    assert told in caught.value.message
    assert "dice_plugin.py" in caught.value.message


@pytest.mark.parametrize("name", ["missing.py", "."])
def test_what_can_not_be_read_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        plugins.read(tmp_path / name)
    assert caught.value.slug == "plugin-unreadable"


def test_the_example_of_the_docs_is_a_plugin(tmp_path: Path) -> None:
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    plugin = plugins.read(written(tmp_path, found.group(1)))
    assert (plugin.module, plugin.advice) == ("dicey.random", "dicey.random.set_seed(42)")
