"""A notebook's cells under the guest: as in a kernel, and each line at its place in its cell."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest

from tests.guest.running import Shown, guided
from tests.notebooks import in_a_kernel, written

SEEN = (
    """
    import asyncio, inspect, os, random, sys
    %matplotlib --list
    print(__name__, "__file__" in globals(), os.getcwd() == os.path.realpath("."))
    import __main__
    print(__main__.__dict__ is globals(), get_ipython().user_module is __main__)
    import beside
    print(beside.NAME)
    """,
    """
    %%capture shown
    print("kept")
    names = !echo one two
    """,
    """
    print(shown.stdout.strip(), names.fields(), In[1][:6], _i2 is not None)
    async def later():
        await asyncio.sleep(0)
        return asyncio.get_running_loop().is_running()
    print(await later())
    task = asyncio.create_task(later())
    try:
        asyncio.run(later())
    except RuntimeError as error:
        print(error)
    """,
    """
    print(await task)
    class Shown:
        def __repr__(self):
            return "shown"
    print(repr(Shown()))
    def double(x):
        # within
        return 2 * x
    print(inspect.getsource(double))
    random.seed(3)
    random.random();
    """,
    """
    print(random.random(), _ == Out.get(7), 7 in Out)
    """,
    """
    %%time
    kept = double(21)
    """,
    """
    print(kept, os.environ["MPLBACKEND"])
    1 / 0
    """,
)


def test_cells_see_and_print_what_they_do_in_a_kernel(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "beside.py").write_text("NAME = 'beside the notebook'\n")
    path = written(folder / "deep" / "seen.ipynb", *SEEN, tags=["raises-exception"])
    shown = guided(folder, "deep/seen.ipynb")
    assert shown.code == 0, shown.err
    assert shown.of("guest-error") == []
    times = ("CPU times", "Wall time", "Available matplotlib backends")
    ours, theirs = (
        [line for line in text.splitlines() if line and not line.startswith(times)]
        for text in (shown.out, in_a_kernel(path))
    )
    assert ours == theirs


def test_nothing_is_left_in_the_folder_or_at_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    folder = tmp_path / "s"
    folder.mkdir()
    written(folder / "a.ipynb", "1 + 1", "display(2)")
    shown = guided(folder, "a.ipynb", environ={"HOME": str(home), "IPYTHONDIR": None})
    assert shown.out == "Out[1]: 2\n2\n"
    assert os.listdir(home) == []
    assert os.listdir(folder) == ["a.ipynb"]


def places(shown: Shown, factor: str) -> set[tuple[str, int, str]]:
    found = [s for s in shown.of("finished")[0]["sightings"] if s["factor"] == factor]
    return {
        (Path(s["site"]["file"]).name, s["site"]["line"], s["site"]["function"])
        for s in found
        if s["site"] is not None
    }


def test_each_draw_is_noted_at_its_line_of_its_cell(tmp_path: Path) -> None:
    cells = (
        """

        import random
        !true \\
          nothing
        def draw():
            return random.random()
        """,
        """
        %%time

        if True:
            draw()
        random.random()
        """,
        """
        # a comment
        %time random.random()
        """,
        """
        %%timeit -n1 -r1
        draw()
        """,
        """
        %%capture
        random.random()
        """,
    )
    folder = tmp_path / "s"
    folder.mkdir()
    # As a cell that begins with blank lines: `written` takes those away.
    path = written(folder / "a.ipynb", *cells)
    path.write_text(path.read_text().replace('"import random\\n"', '"\\n",\n"import random\\n"', 1))
    shown = guided(folder, "a.ipynb")
    assert (shown.code, shown.of("guest-error")) == (0, []), shown.err
    assert places(shown, "python-random") == {
        ("a.ipynb cell 1", 6, "draw"),
        ("a.ipynb cell 2", 5, "<module>"),
        ("a.ipynb cell 3", 2, "<module>"),
        ("a.ipynb cell 5", 2, "<module>"),
    }


def test_sets_are_followed_from_cell_to_cell(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    written(
        folder / "a.ipynb",
        "words = {'a', 'b'}\n!true",
        "import asyncio\nawait asyncio.sleep(0)\nx = list(words)",
        "%time x = ' '.join(words)",
        "%%time\n\nfor word in words:\n    pass",
    )
    shown = guided(folder, "a.ipynb")
    assert places(shown, "hash-seed") == {
        ("a.ipynb cell 2", 3, "<module>"),
        ("a.ipynb cell 3", 1, "<module>"),
        ("a.ipynb cell 4", 3, "<module>"),
    }


def test_libraries_with_a_generator_are_named_at_the_import(tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "dicey"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("def set_seed(number):\n    pass\n")
    folder = tmp_path / "s"
    folder.mkdir()
    written(folder / "a.ipynb", "x = 1", "%time x\nimport dicey")
    shown = guided(folder, "a.ipynb", environ={"PYTHONPATH": str(package.parent)})
    assert places(shown, "unknown") == {("a.ipynb cell 2", 2, "<module>")}


ENDS = {
    "an error": (
        ["x = 0", "!true \\\n  nothing\ndef f(y):\n    return 1 / y\nf(x)", "print('never')"],
        1,
        """
        Traceback (most recent call last):
          File "a.ipynb cell 2", line 5, in <module>
            f(x)
          File "a.ipynb cell 2", line 4, in f
            return 1 / y
        ZeroDivisionError: division by zero
        """,
    ),
    "an error in a timed cell": (
        ["%%time\nx = 0\n1 / x"],
        1,
        """
        Traceback (most recent call last):
          File "a.ipynb cell 1", line 1, in <module>
            get_ipython().run_cell_magic('time', '', 'x = 0\\n1 / x\\n')
          File "a.ipynb cell 1", line 3, in <module>
            1 / x
        ZeroDivisionError: division by zero
        """,
    ),
    "a syntax error": (
        ["x = 0", "!true \\\n  nothing\nx = = 2"],
        1,
        """
          File "a.ipynb cell 2", line 3
            x = = 2
        SyntaxError: invalid syntax
        """,
    ),
    "no such magic": (
        ["x = 0\n%nothing"],
        1,
        """
        Traceback (most recent call last):
          File "a.ipynb cell 1", line 2, in <module>
            get_ipython().run_line_magic('nothing', '')
        IPython.core.error.UsageError: Line magic function `%nothing` not found.
        """,
    ),
    "sys.exit": (["import sys\nsys.exit(3)", "print('never')"], 3, None),
    "exit": (["exit", "print('never')"], 0, ""),
}


@pytest.mark.parametrize(("cells", "code", "told"), ENDS.values(), ids=list(ENDS))
def test_how_it_ends(cells: list[str], code: int, told: str | None, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    written(folder / "a.ipynb", *cells)
    shown = guided(folder, "a.ipynb")
    assert (shown.code, "never" in shown.out) == (code, False)
    lines = [line for line in shown.err.replace(f"{folder}/", "").splitlines() if line.strip()]
    if told is not None:
        wanted = textwrap.dedent(told).strip("\n").splitlines()
        assert [line for line in lines if not set(line) <= set(" ^~")] == wanted
    crashes = shown.of("crashed")
    assert len(crashes) == (1 if code == 1 else 0)
    if crashes:
        assert crashes[0]["traceback"] == shown.err


TRAINING = (
    """
    import hashlib
    import numpy as np
    import keras
    import tensorflow as tf
    keras.utils.set_random_seed(5)
    x = np.random.normal(size=(64, 4)).astype("float32")
    """,
    """
    layers = keras.layers
    model = keras.Sequential([layers.Dense(8), layers.Dropout(0.5), layers.Dense(1)])
    @tf.function
    def loss(y, z):
        # AutoGraph reads the source of the cell.
        if tf.reduce_sum(y) > 1e9:
            return tf.reduce_sum(y)
        return tf.reduce_mean((y - z) ** 2)
    model.compile("adam", loss)
    """,
    """
    %time model.fit(x, x[:, :1], epochs=2, verbose=0)
    bits = b"".join(np.asarray(w).tobytes() for w in model.get_weights())
    print(hashlib.sha256(bits).hexdigest())
    """,
)


@pytest.mark.subject
@pytest.mark.long
def test_training_gives_the_bits_that_a_kernel_gives(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    path = written(folder / "a.ipynb", *TRAINING)
    shown = guided(folder, "a.ipynb")
    assert (shown.code, shown.of("guest-error")) == (0, []), shown.err
    assert "AutoGraph could not" not in shown.err
    assert [(e["kind"], e["epoch"]) for e in shown.of("checkpoint")] == [
        ("init", 0), ("epoch", 1), ("epoch", 2)
    ]  # fmt: skip
    assert shown.out.splitlines()[-1] == in_a_kernel(path).splitlines()[-1]
    consumed = {s["site"]["file"] for s in shown.of("exercised") if s["site"] is not None}
    assert {Path(file).name for file in consumed if ".ipynb" in file} >= {"a.ipynb cell 2"}
