"""Lines inside `tf.function` are named where the user wrote them, and not in AutoGraph's copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.guest.running import guided

pytestmark = pytest.mark.subject

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
