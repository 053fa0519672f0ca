"""Libraries with a generator of their own: those of the table, and those that a plugin names."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.guest.generators import given, library, run, seen
from tests.guest.running import guided

DICE = """
    import random as _random
    _generator = _random.Random()

    def roll():
        return _generator.randint(1, 6)

    def reseed(number=None):
        _generator.seed(number)

    class Cup:
        @staticmethod
        def shake():
            return [roll() for _ in range(5)]
"""
PLUGIN = """
    MODULE = "dice"
    ADVICE = "dice.reseed(42)"
    DRAWS = ("roll", "Cup.shake")
    SEEDS = ("reseed",)


    def seed(module, number):
        module.reseed(number)


    def draw(module):
        return [module.roll() for _ in range(20)]
"""
SCRIPT = """
    import sys
    import dice
    print([dice.roll() for _ in range(10)], dice.Cup.shake())
    dice.reseed(4)
    print(dice.roll())
    print(sys.path[1:2] == sys.path[1:2], [m for m in sys.modules if m == "dice_plugin"])
"""


def plugged(folder: Path, plugin: str, **options: object) -> dict[str, object]:
    """Options of a trial with that plugin and the library it is about."""
    if not (folder / "site-packages").exists():
        library(folder, "dice", DICE)
    path = folder / "plugins" / "dice_plugin.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(plugin))
    environ = {"PYTHONPATH": str(folder / "site-packages")}
    return {"environ": environ, "plugins": [str(path)], **options}


def test_a_plugin_seeds_its_library_and_sees_it_draw(tmp_path: Path) -> None:
    free = [run(tmp_path / n, SCRIPT, **plugged(tmp_path, PLUGIN)) for n in "ab"]
    assert free[0].out != free[1].out
    assert seen(free[0], "third-party-rng") == {
        ("dice.roll", True, 4),
        ("dice.Cup.shake", True, 4),
        ("dice.roll", False, 6),
    }
    [(call, line, before)] = given(free[0], "third-party-rng")
    assert (call, line, set(before)) == ("dice.reseed", 5, {"dice.roll", "dice.Cup.shake"})
    # What the library makes is the plugin's to hold, and no lead of python-random's.
    assert not any("Random()" in row[0] for row in seen(free[0], "python-random"))
    held = plugged(tmp_path, PLUGIN, pinned=("third-party-rng",))
    pinned = [run(tmp_path / n, SCRIPT, **held) for n in "cd"]
    assert pinned[0].out == pinned[1].out
    assert [pin["expected"][0] for pin in pinned[0].of("pin")] == ["dice"]
    assert not (tmp_path / "plugins" / "__pycache__").exists()


def test_without_drawing_functions_the_import_is_a_lead(tmp_path: Path) -> None:
    plugin = PLUGIN.replace("DRAWS", "UNUSED")
    shown = run(tmp_path / "s", SCRIPT, **plugged(tmp_path, plugin))
    assert seen(shown, "third-party-rng") == {("dice is imported", None, 3)}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("module.roll()", "4", "pin"),
        ("module.reseed(number)", "pass", "pin"),
        ("module.reseed(number)", "module.no_such()", "seeding dice"),
        ('MODULE = "dice"', "MODULE = None", "loading the plugin"),
        ("def draw", "def sow", "loading the plugin"),
        ("ADVICE", "raise SystemError #", "loading the plugin"),
    ],
)
def test_a_plugin_that_does_not_hold_makes_the_trial_count_for_nothing(
    old: str, new: str, told: str, tmp_path: Path
) -> None:
    options = plugged(tmp_path, PLUGIN.replace(old, new), pinned=("third-party-rng",))
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "train.py").write_text(textwrap.dedent(SCRIPT))
    shown = guided(folder, "train.py", **options)  # type: ignore[arg-type]
    assert shown.code == 0
    if told == "pin":
        assert [pin["ok"] for pin in shown.of("pin")] == [False]
    else:
        [error] = shown.of("guest-error")
        assert error["where"].startswith(told)
        assert error["lost"]


LIBRARIES = {
    "polars": (
        """
        import polars as pl
        rows = pl.DataFrame({"x": list(range(50))})
        print(rows.sample(fraction=1.0, shuffle=True)["x"].to_list())
        rows.sample(3, seed=1)
        rows["x"].shuffle(2)
        pl.set_random_seed(3)
        print(rows["x"].shuffle().to_list())
        """,
        {("polars.DataFrame.sample", True, 4)},
        [("polars.set_random_seed", 7, ["polars.DataFrame.sample"])],
    ),
    "faker": (
        """
        from faker import Faker
        fake = Faker()
        print([fake.name() for _ in range(9)])
        Faker.seed(3)
        print(fake.name())
        """,
        {("Faker's own generator", True, 4)},
        [("faker.Faker.seed", 5, ["Faker's own generator"])],
    ),
    "mimesis": (
        """
        import mimesis
        print(mimesis.Person().full_name(), mimesis.Person().full_name())
        seeded = mimesis.Person(seed=4)
        print(seeded.full_name())
        """,
        {("an unseeded mimesis generator", True, 3)},
        [("mimesis.Person", 4, [])],
    ),
    "albumentations": (
        """
        import albumentations as A
        import numpy as np
        image = np.zeros((4, 4, 3), "uint8")
        parts = [A.HorizontalFlip(p=0.5), A.OneOf([A.Blur(), A.GaussNoise()])]
        loose = A.Compose(parts)
        seeded = A.Compose(parts, seed=5)
        late = A.Compose([A.HorizontalFlip(p=0.5)])
        late.set_random_seed(6)
        around = A.Compose([A.Compose([A.HorizontalFlip(p=0.5)])], seed=7)
        unused = A.Compose([A.HorizontalFlip(p=0.5)])
        alone = A.HorizontalFlip(p=0.5)
        loose = A.Compose([A.HorizontalFlip(p=0.5)])
        for augment in (loose, seeded, late, around, alone):
            augment(image=image)
        print(loose.py_random.random(), alone.py_random.random())
        """,
        {
            ("an albumentations pipeline without a seed", True, 13),
            ("an albumentations transform without a seed", True, 15),
        },
        [
            ("albumentations.Compose", 7, []),
            ("albumentations.Compose.set_random_seed", 9, []),
            ("albumentations.Compose", 10, []),
        ],
    ),
    "numba": (
        """
        import numba
        import numpy as np
        @numba.njit
        def noise():
            return np.random.normal()
        print(noise())
        """,
        {("numba is imported", None, 2), ("numba compiles a function that draws", True, 6)},
        [],
    ),
}


LONG = ("albumentations", "numba")
"""Those whose import alone takes seconds."""


@pytest.mark.subject
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.long] if name in LONG else []) for name in LIBRARIES],
)
def test_a_library_of_the_table(name: str, tmp_path: Path) -> None:
    script, sightings, seeds = LIBRARIES[name]
    free = run(tmp_path / "a", script)
    found = {row for row in seen(free, "third-party-rng") if row[1] is not False}
    assert found == sightings
    assert given(free, "third-party-rng") == seeds
    # None of it is laid at the door of the generators that the library is made of.
    assert not any(row[1] is True for row in seen(free, "python-random"))
    assert not any(row[1] is True for row in seen(free, "numpy-generator"))
    pinned = [run(tmp_path / n, script, pinned=("third-party-rng",)) for n in "bc"]
    assert pinned[0].out == pinned[1].out != free.out
    assert pinned[0].of("pin")
    varied = run(tmp_path / "d", script, arms={"third-party-rng": "varied"})
    assert varied.out != pinned[0].out
