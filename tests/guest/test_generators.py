"""Generators of Python and NumPy: drawn from, made without a seed, held."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.guest.generators import library, run, seen

PYTHON = """
    import copy, pickle, random, tempfile
    loose = random.Random()
    late = random.Random(); late.seed(4)
    kept = random.Random(5)
    copied = copy.deepcopy(kept)
    loaded = pickle.loads(pickle.dumps(kept))
    class Own(random.Random):
        pass
    own = Own()
    secure = random.SystemRandom()
    tempfile.NamedTemporaryFile().close()
    print(loose.random(), own.random())
"""
NUMPY = """
    import copy, pickle
    import numpy as np
    loose = np.random.default_rng()
    none = np.random.RandomState(None)
    sequence = np.random.SeedSequence()
    spawned = sequence.spawn(2)
    bits = np.random.PCG64(3).jumped()
    seeded = np.random.RandomState(4)
    copied = copy.deepcopy(loose)
    loaded = pickle.loads(pickle.dumps(seeded))
    children = np.random.default_rng(5).bit_generator.seed_seq.spawn(1)
    print(loose.random(), none.random_sample(), spawned[0].generate_state(1), copied.random())
"""
LIBRARY = """
    import random
    import numpy as np
    shared = random.Random()

    def augment():
        return random.Random().random(), np.random.default_rng().random(), shared.random()
"""
USING = """
    import noisy
    print(noisy.augment())
    print(noisy.augment())
"""
WITHOUT = "random.Random() without a seed"
FREE = ("a NumPy generator without a seed", True)


def test_python_generators_are_told_where_they_are_made_and_stay_unseeded(tmp_path: Path) -> None:
    shown = run(tmp_path / "s", PYTHON)
    assert seen(shown, "python-random") == {
        (WITHOUT, True, 3),
        ("Own() without a seed", True, 10),
    }


def test_numpy_generators_are_told_and_their_copies_and_children_are_not(tmp_path: Path) -> None:
    shown = run(tmp_path / "s", NUMPY)
    assert seen(shown, "numpy-generator") == {
        (*FREE, 4),
        ("a NumPy RandomState without a seed", True, 5),
        (*FREE, 6),
        ("a NumPy RandomState with a seed", False, 9),
    }


@pytest.mark.parametrize("script", [PYTHON, NUMPY, USING])
def test_pinned_generators_draw_the_same_in_every_trial_and_vary_when_free(
    script: str, tmp_path: Path
) -> None:
    environ = library(tmp_path, "noisy", LIBRARY)
    held = ("python-random", "numpy-generator")
    # Each trial may run in a copy of the folder: where that lies must not matter.
    pinned = [run(tmp_path / n, script, pinned=held, environ=environ) for n in "ab"]
    free = [run(tmp_path / n, script, environ=environ) for n in "cd"]
    assert pinned[0].out == pinned[1].out
    assert free[0].out != free[1].out


def test_generators_made_inside_a_library_are_told_at_the_users_line(tmp_path: Path) -> None:
    shown = run(tmp_path / "s", USING, environ=library(tmp_path, "noisy", LIBRARY))
    assert seen(shown, "python-random") >= {
        (f"{WITHOUT}, inside a library", True, 3),
        (f"{WITHOUT}, while noisy is imported", None, 2),
    }
    assert (f"{FREE[0]}, inside a library", True, 4) in seen(shown, "numpy-generator")


def test_a_draw_by_any_of_its_names_is_seen_once_and_held(tmp_path: Path) -> None:
    script = """
        import numpy as np
        from numpy.random import sample
        print(np.random.sample(2))
        print(np.random.ranf(2))
        print(np.random.random(2))
        print(np.random.random_sample(2))
        print(sample())
    """
    shown = run(tmp_path / "s", script)
    [finished] = shown.of("finished")
    rows = [row for row in finished["sightings"] if row["factor"] == "numpy-global"]
    names = ["sample", "ranf", "random", "random_sample", "sample"]
    assert [(row["detail"], row["site"]["line"], row["count"]) for row in rows] == [
        (f"np.random.{name}", line, 1) for line, name in enumerate(names, 4)
    ]
    assert all(row["unseeded"] for row in rows)
    held = {run(tmp_path / n, script, pinned=("numpy-global",)).out for n in "ab"}
    assert len(held) == 1


def test_call_sites_have_streams_of_their_own(tmp_path: Path) -> None:
    script = """
        import random
        first = random.Random()
        second = random.Random()
        print(second.random())
    """
    outs = [run(tmp_path / n, script, pinned=("python-random",)).out for n in "ab"]
    changed = script.replace("first = random.Random()", "first = None")
    outs.append(run(tmp_path / "c", changed, pinned=("python-random",)).out)
    assert len(set(outs)) == 1
    assert outs[0] != run(tmp_path / "d", script, arms={"python-random": "varied"}).out


def test_a_state_taken_before_any_seed_is_unseeded_again_when_it_is_set(tmp_path: Path) -> None:
    script = """
        import random
        import numpy as np
        states = random.getstate(), np.random.get_state()
        random.seed(1); np.random.seed(1)
        seeded = random.getstate(), np.random.get_state()
        random.setstate(states[0]); np.random.set_state(states[1])
        random.random(); np.random.random()
        random.setstate(seeded[0]); np.random.set_state(seeded[1])
        random.random(); np.random.random()
    """
    shown = run(tmp_path / "s", script)
    assert seen(shown, "python-random") == {
        ("random.random", True, 8),
        ("random.random", False, 10),
    }
    assert {row[1:] for row in seen(shown, "numpy-global")} == {(True, 8), (False, 10)}


def test_a_forked_process_is_a_lead_and_draws_the_same_when_held(tmp_path: Path) -> None:
    script = """
        import multiprocessing, random
        random.seed(1)
        def draw(_):
            return random.random()
        if __name__ == "__main__":
            for _ in range(2):
                with multiprocessing.get_context("fork").Pool(1) as pool:
                    print(pool.map(draw, range(2)))
    """
    free = [run(tmp_path / n, script) for n in "ab"]
    assert free[0].out != free[1].out
    assert (None, 8) in {row[1:] for row in seen(free[0], "python-random")}
    pinned = [run(tmp_path / n, script, pinned=("python-random",)) for n in "cd"]
    assert pinned[0].out == pinned[1].out
    first, second = pinned[0].out.splitlines()
    assert first != second


def test_what_scipy_and_sklearn_draw_without_a_generator_is_numpys(tmp_path: Path) -> None:
    script = """
        import numpy as np
        from scipy import stats
        from sklearn.utils import check_random_state
        stats.norm.rvs(size=2)
        stats.norm(1, 2).rvs()
        stats.multivariate_normal.rvs([0, 0])
        stats.norm.rvs(size=2, random_state=3)
        stats.multivariate_normal.rvs([0, 0], random_state=3)
        check_random_state(None)
        stats.qmc.Sobol(2)
        stats.qmc.Sobol(2, rng=3)
    """
    shown = run(tmp_path / "s", script)
    found = {row[1:] for row in seen(shown, "numpy-global") if row[1] is not False}
    assert found == {(True, line) for line in (5, 6, 7, 10)}
    loose = {row[1:] for row in seen(shown, "numpy-generator") if row[1] is not False}
    assert loose == {(True, 11)}


def test_what_is_made_without_a_seed_is_told_by_the_next_checkpoint(tmp_path: Path) -> None:
    """A trial that is stopped there, as it has parted from another, tells no more."""
    script = """
        import random
        import numpy as np
        import nondet
        nondet.checkpoint("data", 1)
        loose, own = random.Random(), np.random.RandomState()
        late = random.Random(); late.seed(4)
        seeded = np.random.RandomState(4)
        nondet.checkpoint("step", 2)
    """
    shown = run(tmp_path / "s", script)
    *_, last = (n for n, event in enumerate(shown.events) if event["event"] == "checkpoint")
    told = [event for event in shown.events[:last] if event["event"] == "exercised"]
    assert {(event["detail"], event["site"]["line"]) for event in told if event["unseeded"]} == {
        (WITHOUT, 6),
        ("a NumPy RandomState without a seed", 6),
    }


def test_what_another_thread_is_about_to_seed_is_not_told_before_that(tmp_path: Path) -> None:
    script = """
        import random, threading
        import nondet
        made, checked = threading.Event(), threading.Event()

        def work():
            late = random.Random()
            made.set()
            checked.wait()
            late.seed(4)

        thread = threading.Thread(target=work)
        thread.start()
        made.wait()
        nondet.checkpoint("data", 1)
        checked.set()
        thread.join()
    """
    assert seen(run(tmp_path / "s", script), "python-random") == set()
