"""`nondet.Recorder`: what it has compared in a trial, and that it does nothing outside."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from tests.guest.running import guided, plain

DOCS = Path(__file__).parents[2] / "docs" / "library.md"
TRAINING = """
    import hashlib, sys
    import numpy as np
    import keras
    import nondet
    keras.utils.set_random_seed(1)
    x = np.random.normal(size=(40, 4)).astype("float32")
    layers = keras.layers
    model = keras.Sequential([layers.Dense(8), layers.Dropout(0.5), layers.Dense(1)])
    model.compile("adam", "mse", steps_per_execution=int(sys.argv[1]))
    def predictions(model):
        print("predicting", file=sys.stderr)
        return model(x[:4], training=False)
    values = {"predictions": predictions, "lr": lambda model: model.optimizer.learning_rate}
    watch = nondet.Recorder(values, every=int(sys.argv[2]) or None)
    for _ in range(2):
        model.fit(x, x[:, :1], batch_size=8, epochs=2, verbose=0, callbacks=[watch])
    bits = b"".join(np.asarray(weights).tobytes() for weights in model.get_weights())
    print(hashlib.sha256(bits).hexdigest())
"""


@pytest.mark.subject
@pytest.mark.parametrize(
    ("backend", "together", "every", "times"),
    [
        ("tensorflow", 5, 3, 4),
        pytest.param("jax", 1, 0, 4, marks=pytest.mark.long),
        pytest.param("torch", 1, 3, 6, marks=pytest.mark.long),
    ],
)
def test_values_are_recorded_and_weights_keep_their_bits(
    backend: str, together: int, every: int, times: int, tmp_path: Path
) -> None:
    """Of 10 batches a `fit`; five at a time come past a third one twice."""
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "train.py").write_text(textwrap.dedent(TRAINING))
    args = (str(together), str(every))
    environ = {"KERAS_BACKEND": backend}
    alone = plain(folder, "train.py", *args, environ=environ)
    shown = guided(folder, "train.py", *args, environ=environ)
    assert (alone.code, shown.code) == (0, 0), alone.err + shown.err
    assert shown.of("guest-error") == []
    assert shown.out == alone.out
    assert ("predicting" in alone.err, shown.err.count("predicting")) == (False, times)
    told = [(e["model"], e["step"]) for e in shown.of("checkpoint") if e["kind"] == "user"]
    assert told == [(name, step) for step in range(1, times + 1) for name in ("predictions", "lr")]


@pytest.mark.subject
def test_the_example_of_the_docs_takes_part(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
    (example,) = [block for block in blocks if "Recorder" in block]
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "train.py").write_text(example)
    shown = guided(folder, "train.py")
    assert (shown.code, shown.of("guest-error")) == (0, []), shown.err
    told = [e["model"] for e in shown.of("checkpoint") if e["kind"] == "user"]
    assert told == ["predictions"] * 4


WRONG = """
import keras
import nondet

for values, every in ((print, 1), ({"x": 3}, 1), (["x"], 1), (None, None), ({}, 0)):
    try:
        nondet.Recorder(values, every=every)
    except (TypeError, ValueError) as error:
        print(type(error).__name__, str(error).partition(",")[0])
print(isinstance(nondet.Recorder({}), keras.callbacks.Callback))
"""


@pytest.mark.subject
def test_what_it_does_not_take(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(WRONG)
    shown = plain(tmp_path, "train.py")
    refused = "TypeError expected functions of the model by their names"
    assert shown.out.splitlines() == [
        *[refused] * 4, "ValueError expected 1 or more batches", "True"
    ]  # fmt: skip
