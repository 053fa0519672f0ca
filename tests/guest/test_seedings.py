"""Seeds that a script gives: noted at the user's line, with what was drawn before them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.guest.generators import digests, given, library, run, seen


def test_each_seed_is_told_with_its_call_and_line(tmp_path: Path) -> None:
    script = """
        import random
        import numpy as np
        random.seed(1)
        np.random.seed(1)
        random.Random(2)
        np.random.default_rng(3)
        np.random.RandomState(4)
        np.random.Generator(np.random.PCG64(5))
        np.random.default_rng(np.random.SeedSequence([1, 2]))
    """
    shown = run(tmp_path / "s", script, pinned=("python-random", "numpy-global"))
    assert given(shown, "python-random") == [("random.seed", 4, []), ("random.Random", 6, [])]
    assert given(shown, "numpy-global") == [("np.random.seed", 5, [])]
    assert given(shown, "numpy-generator") == [
        ("np.random.default_rng", 7, []),
        ("np.random.RandomState", 8, []),
        ("np.random.PCG64", 9, []),
        ("np.random.SeedSequence", 10, []),
    ]


def test_a_late_seed_tells_what_was_drawn_before_which_stays_suspect(tmp_path: Path) -> None:
    script = """
        import random
        import numpy as np
        print(random.random(), np.random.normal())
        random.Random()
        random.seed(1)
        np.random.seed(1)
        print(random.random(), np.random.normal())
    """
    shown = run(tmp_path / "s", script)
    assert given(shown, "python-random") == [("random.seed", 6, ["random.random"])]
    assert given(shown, "numpy-global") == [("np.random.seed", 7, ["np.random.normal"])]
    assert seen(shown, "numpy-global") == {
        ("np.random.normal", True, 4),
        ("np.random.normal", False, 8),
    }
    held = ("python-random", "numpy-global")
    outs = {run(tmp_path / n, script, pinned=held).out for n in "ab"}
    assert len(outs) == 1


def test_the_same_line_of_two_files_is_two_places(tmp_path: Path) -> None:
    """Code is equal to code with the same text, whichever file it is from."""
    folder = tmp_path / "s"
    folder.mkdir()
    for name in ("one", "other"):
        (folder / f"{name}.py").write_text(
            "import random\ndef draw(): return random.random()\ndef seed(x): random.seed(x)\n"
        )
    script = """
        import one, other
        one.draw(); other.draw(); other.draw()
        one.seed(1); other.seed(2)
    """
    shown = run(folder, script)
    [finished] = shown.of("finished")
    drawn, seeds = (
        {Path(row["site"]["file"]).name: row for row in finished[what]}
        for what in ("sightings", "seedings")
    )
    assert {name: row["count"] for name, row in drawn.items()} == {"one.py": 1, "other.py": 2}
    assert seeds.keys() == drawn.keys()
    assert seeds["one.py"]["digest"] != seeds["other.py"]["digest"]


def test_a_seed_for_an_object_is_not_late_for_what_another_drew(tmp_path: Path) -> None:
    script = """
        import random
        import numpy as np
        random.random(); np.random.default_rng()
        random.Random(1)
        np.random.default_rng(2)
    """
    shown = run(tmp_path / "s", script)
    assert given(shown, "python-random") == [("random.Random", 5, [])]
    assert given(shown, "numpy-generator") == [("np.random.default_rng", 6, [])]


@pytest.mark.parametrize(
    ("seed", "equal"),
    [("7", True), ("'seven'", True), ("os.getpid()", False), ("time.time_ns() % 2**32", False)],
)
def test_seeds_that_differ_between_runs_have_other_digests(
    seed: str, equal: bool, tmp_path: Path
) -> None:
    script = f"""
        import os, random, time
        random.seed({seed})
        random.Random({seed})
    """
    first, second = (digests(run(tmp_path / n, script)) for n in "ab")
    assert len(first) == 2
    assert [a == b for a, b in zip(first, second, strict=True)] == [equal] * 2


def test_a_seed_given_again_counts_and_changes_the_digest(tmp_path: Path) -> None:
    script = """
        import random
        for number in range({}):
            random.seed(number)
    """
    shown = [run(tmp_path / n, script.format(n)) for n in "23"]
    rows = [s.of("finished")[0]["seedings"] for s in shown]
    assert [[row["count"] for row in found] for found in rows] == [[2], [3]]
    assert rows[0][0]["digest"] != rows[1][0]["digest"]


def test_an_object_as_a_seed_is_known_by_its_kind_and_not_by_its_address(tmp_path: Path) -> None:
    script = """
        import random, warnings
        warnings.simplefilter("ignore")
        class Thing:
            def __repr__(self):
                raise RuntimeError
        try:
            random.seed(Thing())
        except TypeError:
            pass
        random.seed(b"bytes")
    """
    first, second = (digests(run(tmp_path / n, script)) for n in "ab")
    assert first == second


def test_seed_without_a_number_lets_go_again(tmp_path: Path) -> None:
    script = """
        import random
        import numpy as np
        random.seed(1); np.random.seed(1)
        print(random.random(), np.random.random())
        random.seed(); np.random.seed()
        print(random.random(), np.random.random())
    """
    shown = run(tmp_path / "s", script)
    assert seen(shown, "python-random") == {
        ("random.random", False, 5),
        ("random.seed() without a number", True, 6),
        ("random.random", True, 7),
    }
    assert [call for call, _, _ in given(shown, "python-random")] == ["random.seed"]
    held = ("python-random", "numpy-global")
    assert len({run(tmp_path / n, script, pinned=held).out for n in "ab"}) == 1


def test_a_library_seeds_at_the_users_line_by_its_own_name_and_not_on_its_way_in(
    tmp_path: Path,
) -> None:
    environ = library(
        tmp_path,
        "helpful",
        """
        import random
        random.seed(9)

        def seed_all(number):
            random.seed(number)
            return random.Random(number)
        """,
    )
    shown = run(tmp_path / "s", "import helpful\nhelpful.seed_all(3)\n", environ=environ)
    assert given(shown, "python-random") == [("helpful.seed_all", 2, [])]


@pytest.mark.subject
@pytest.mark.long
def test_keras_and_tensorflow(tmp_path: Path) -> None:
    script = """
        import keras
        import tensorflow as tf
        print(float(tf.random.normal(())))
        generator = tf.random.Generator.from_non_deterministic_state()
        tf.random.Generator.from_seed(4)
        tf.random.stateless_uniform((2,), seed=(1, 2))
        keras.layers.Dense(2)
        keras.utils.set_random_seed(1)
        print(float(generator.normal(())), float(tf.random.normal(())))
        tf.random.set_seed(None)
        print(float(tf.random.normal(())))
        tf.random.set_seed(2)
        with tf.Graph().as_default():
            tf.random.normal(())
    """
    shown = run(tmp_path / "s", script)
    name = "keras.utils.set_random_seed"
    assert given(shown, "python-random") == [(name, 9, ["random.randint"])]
    assert given(shown, "numpy-global") == [(name, 9, [])]
    assert given(shown, "tf-seed") == [
        ("tf.random.Generator.from_seed", 6, []),
        (name, 9, ["tf.random (random_normal)"]),
        ("tf.random.set_seed", 13, ["tf.random (random_normal)"] * 2),
    ]
    assert seen(shown, "tf-seed") == {
        ("tf.random (random_normal)", True, 4),
        ("an unseeded tf.random.Generator", True, 5),
        ("tf.random (random_normal)", False, 10),
        ("tf.random (random_normal)", True, 12),
        ("tf.random (random_normal)", True, 15),
    }
    # TensorFlow's own `random.Random(None)`, made for a seed of None, is no generator of anyone's.
    assert not any("Random()" in row[0] for row in seen(shown, "python-random") if row[1])
    held = ("python-random", "tf-seed")
    pinned = [run(tmp_path / n, script, pinned=held) for n in "ab"]
    assert pinned[0].out == pinned[1].out != shown.out
    assert given(pinned[0], "tf-seed")[0][0] == "tf.random.Generator.from_seed"
