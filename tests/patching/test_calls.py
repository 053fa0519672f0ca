"""Calls are rewritten where they stand, and all around them stays as it was."""

from __future__ import annotations

import ast

import libcst as cst
import pytest

from nondet.patching.calls import Rewrite, rewritten


def changed(text: str, *rewrites: Rewrite) -> str:
    module, missing = rewritten(cst.parse_module(text), rewrites)
    assert missing == []
    ast.parse(module.code)
    return module.code


@pytest.mark.parametrize(
    ("before", "call", "template", "after"),
    [
        ("for p in os.listdir(d):  # all\n    p", "listdir", "sorted({call})",
         "for p in sorted(os.listdir(d)):  # all\n    p"),
        ("rng = np.random.default_rng()", "default_rng", "{function}(42)",
         "rng = np.random.default_rng(42)"),
        ("rng = default_rng( None )", "default_rng", "{function}(42)", "rng = default_rng(42)"),
        ("key = os.urandom(n * 2)", "urandom", "RANDOM.randbytes({args})",
         "key = RANDOM.randbytes(n * 2)"),
        ("for f in as_completed(futures, timeout=3): f", "as_completed", "{first}",
         "for f in futures: f"),
        ("for r in pool.imap_unordered(work, tasks, chunksize=2): r", "imap_unordered",
         "{owner}.imap({args})", "for r in pool.imap(work, tasks, chunksize=2): r"),
        ("data = data.shuffle(100)", "shuffle", "+seed=42", "data = data.shuffle(100, seed=42)"),
        ("data = data.shuffle( 9 )", "shuffle", "+seed=42", "data = data.shuffle( 9, seed=42 )"),
        ("layer = Dropout(.5, seed = None)", "Dropout", "+seed=42",
         "layer = Dropout(.5, seed = 42)"),
        ("super().__init__()", "__init__", "+workers=1", "super().__init__(workers=1)"),
        ("x = load(a, workers=4, **more)", "load", "+workers=1, in_order=True",
         'x = load(a, workers=1, **{**more, "in_order": True})'),
        ("d.map(f, **{'ordered': False})", "map", "+ordered=True, name='x'",
         """d.map(f, **{**{**{'ordered': False}, "ordered": True}, "name": 'x'})"""),
        ("@tf.function(jit_compile=True)\ndef f(): pass", "function", "+jit_compile=False",
         "@tf.function(jit_compile=False)\ndef f(): pass"),
        ("d.map(f, num_parallel_calls=4, deterministic=False)", "map",
         "-num_parallel_calls, deterministic", "d.map(f)"),
        ("d.map(f, num_parallel_calls=4, name='x')", "map", "-num_parallel_calls",
         "d.map(f, name='x')"),
        ("value = (time.time()) + 1", "time", "0.0", "value = (0.0) + 1"),
    ],
)  # fmt: skip
def test_a_call(before: str, call: str, template: str, after: str) -> None:
    assert changed(before, Rewrite(1, call, template)) == after


def test_arguments_of_one_a_line_stay_so() -> None:
    before = "loader = DataLoader(\n    data,\n    shuffle=True,  # each epoch\n)\n"
    after = "loader = DataLoader(\n    data,\n    shuffle=True,  # each epoch\n    seed=42,\n)\n"
    for line in (1, 2, 3, 4):
        assert changed(before, Rewrite(line, "DataLoader", "+seed=42")) == after


def test_all_calls_of_a_line_and_none_of_another() -> None:
    text = "a = glob(x) + glob(y)\nb = glob(z)\n"
    expected = "a = sorted(glob(x)) + sorted(glob(y))\nb = glob(z)\n"
    assert changed(text, Rewrite(1, "glob", "sorted({call})")) == expected


def test_one_call_within_another() -> None:
    text = "x = f(\n    default_rng(),\n    listdir(listdir(a)),\n)\n"
    found = changed(
        text, Rewrite(2, "default_rng", "{function}(42)"), Rewrite(3, "listdir", "sorted({call})")
    )
    assert found == "x = f(\n    default_rng(42),\n    sorted(listdir(sorted(listdir(a)))),\n)\n"


def test_the_line_of_the_name_counts_in_a_chain() -> None:
    text = "data = (\n    load()\n    .shuffle(9)\n    .batch(4)\n)\n"
    expected = text.replace("shuffle(9)", "shuffle(9, seed=42)")
    assert changed(text, Rewrite(3, "shuffle", "+seed=42")) == expected


def test_what_is_not_there_is_told() -> None:
    rewrites = [Rewrite(2, "listdir", "sorted({call})"), Rewrite(1, "scandir", "sorted({call})")]
    text = "os.listdir(a)\nos.walk(b)\n"
    module, missing = rewritten(cst.parse_module(text), rewrites)
    assert (module.code, missing) == (text, rewrites)
