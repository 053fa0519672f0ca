"""Lines inside `tf.function` are named where the user wrote them, and not in AutoGraph's copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.guest.generators import library
from tests.guest.running import guided

SCRIPT = """
import tensorflow as tf

def noise(shape):
    # Called from the function that is compiled, which AutoGraph then copies as well.
    return tf.random.normal(shape)

@tf.function
def step(x):
    if tf.reduce_sum(x) > 0:

        x = x + tf.random.uniform(
            x.shape
        )
    return x * noise(x.shape)

step(tf.ones(3))
"""


@pytest.mark.subject
def test_draws_inside_a_tf_function_are_seen_at_the_users_lines(tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    folder.mkdir()
    (folder / "train.py").write_text(SCRIPT)
    shown = guided(folder, "train.py")
    assert shown.of("guest-error") == []
    seen = {
        (Path(e["site"]["file"]).name, e["site"]["line"], e["site"]["function"])
        for e in shown.of("exercised")
        if e["factor"] == "tf-seed"
    }
    assert seen == {("train.py", 6, "noise"), ("train.py", 12, "step")}


CONVERTED = """
import collections
import os
import random

Line = collections.namedtuple("Line", "filename lineno")
Origin = collections.namedtuple("Origin", "loc function_name")
LINES = "def tf__%s(draw):", "    os.getpid(), os.urandom(4)", "    return random.random(), draw()"


def converted(original):
    # As AutoGraph does it: a copy in a file of its own, and a map of lines at the function.
    name = original.__name__
    copy = "/tmp/__autograph_generated_file%s.py" % name
    space = {"os": os, "random": random}
    exec(compile("\\n".join(LINES) % name, copy, "exec"), space)
    place = original.__code__.co_filename, original.__code__.co_firstlineno
    lines = {Line(copy, n): Origin(Line(*place), name) for n in (1, 2, 3)}
    made = space["tf__" + name]
    made.ag_source_map = lines
    return made


def call(original, draw):
    converted_f = converted(original)
    return converted_f(draw)


def train():
    pass


def fit(draw):
    return call(train, draw)
"""


def test_a_librarys_copy_is_the_librarys(tmp_path: Path) -> None:
    """Keras 2 has its training function converted: the user's line is that of `fit`, above it."""
    environ = library(tmp_path, "fitting", CONVERTED)
    folder = tmp_path / "subject"
    folder.mkdir()
    (folder / "train.py").write_text(
        "import fitting, random\n"
        "fitting.fit(random.random)\n"
        "def step(): pass\n"
        "fitting.call(step, int)\n"
        "fitting.fit(lambda: random.randint(1, 2))\n"
    )
    shown = guided(folder, "train.py", environ=environ)
    assert shown.code == 0, shown.err
    assert shown.of("guest-error") == []
    told = [
        (e["factor"], e["detail"], Path(e["site"]["file"]).name, e["site"]["line"])
        for e in shown.of("exercised")
    ]
    assert told == [
        ("os-entropy", "os.urandom", "train.py", 2),
        ("python-random", "random.random", "train.py", 2),
        # What is the user's own, in a copy or not, is named where it stands.
        ("process-identity", "os.getpid", "train.py", 3),
        ("os-entropy", "os.urandom", "train.py", 3),
        ("python-random", "random.random", "train.py", 3),
        ("os-entropy", "os.urandom", "train.py", 5),
        ("python-random", "random.random", "train.py", 5),
        ("python-random", "random.randint", "train.py", 5),
    ]
