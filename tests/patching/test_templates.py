"""What the factors put into a script: with the script's own names, and as Python that runs."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from nondet import record
from nondet.guest.factors import REGISTRY, by_name
from nondet.patching.patch import Patch, patch

REWRITES = {
    (call, template): top
    for factor in REGISTRY
    for _, call, template, top in factor.rewrites
    if template
}
SYSTEM = "random.SystemRandom (shuffle)"
ARGUMENTS = (
    *("", "a", "None", "1, b", "*a", "**a", "x=a, y=b", "a if b else c", "x := a", "lambda: a"),
    *("a, num_parallel_calls=4", "a, **b, deterministic=False", "a, 2"),
    *("x for x in a", "\n    a,  # all\n", "\n    a  # all\n", "\n    a\n    .b\n"),
)
PLACES = (
    *("x = {}", "for x in {}: x", "[x for x in {} if x]", "x = {}.y", "x = next({})"),
    *("with {} as x: x", "x = f'{{{}}}'", "def f():\n  return {}", "x = (\n  {}\n  .y\n)"),
)


def made(text: str, *edits: tuple[int, str, str, str], snippets: tuple[str, ...] = ()) -> Patch:
    """`edits`: line, call, template and top."""
    records = [
        record.Edit(file="train.py", line=line, code="", call=call, template=template, top=top)
        for line, call, template, top in edits
    ]
    return patch("train.py", snippets, records, (), lambda file: text)


def rewrite(factor: str, detail: str) -> tuple[str, str, str]:
    """Call, template and top for what was seen."""
    return next(rest for start, *rest in by_name(factor).rewrites if detail.startswith(start))  # type: ignore[return-value]


@pytest.mark.parametrize(("call", "template"), REWRITES)
def test_a_change_is_python_or_is_left(call: str, template: str) -> None:
    name = "made" if call.startswith("{") else call
    pairs = {*((a, PLACES[0]) for a in ARGUMENTS), *(("a", place) for place in PLACES)}
    changed = 0
    for arguments, place in sorted(pairs):
        text = f"import os\n{place.format(f'own.{name}({arguments})')}\n"
        compile(text, "before", "exec")
        line = text[: text.index(f".{name}(")].count("\n") + 1
        found = made(text, (line, name, template, REWRITES[call, template]))
        assert found.files or found.left
        for file in found.files:
            compile(file.after, "after", "exec")
            changed += 1
    assert changed


@pytest.mark.parametrize(
    ("head", "call", "detail", "after"),
    [
        ("import uuid as u", "u.uuid4()", "uuid.uuid4",
         "u.UUID(int=FIXED.getrandbits(128), version=4)"),
        ("import random as rnd", "rnd.SystemRandom()", SYSTEM, "rnd.Random(42)"),
        ("import random", "random.SystemRandom()", SYSTEM, "random.Random(42)"),
        ("from random import SystemRandom, random", "SystemRandom()", SYSTEM,
         "random_module.Random(42)"),
        ("FIXED = 3; import os", "os.urandom(FIXED)", "os.urandom", "FIXED_2.randbytes(FIXED)"),
        ("import os", "[os.urandom(4) for FIXED in x]", "os.urandom",
         "[FIXED_2.randbytes(4) for FIXED in x]"),
    ],
)  # fmt: skip
def test_a_change_has_the_script_s_own_names(head: str, call: str, detail: str, after: str) -> None:
    (file,) = made(f"{head}\nx = {call}\n", (2, *rewrite("os-entropy", detail))).files
    assert file.after.endswith(f"x = {after}\n")
    assert file.after.startswith(f"{head}\n")


def test_a_script_that_takes_a_module_s_name_runs_with_its_patch() -> None:
    text = "from random import random\nimport os\nkey = os.urandom(4), random()\n"
    seed = by_name("python-random").fix
    (file,) = made(text, (3, *rewrite("os-entropy", "os.urandom")), snippets=(seed,)).files
    keys = []
    for _ in range(2):
        scope: dict[str, object] = {}
        exec(file.after, scope)  # noqa: S102
        keys.append(scope["key"])
    assert keys[0] == keys[1]


def test_a_change_that_fails_leaves_nothing_at_the_top() -> None:
    found = made("import random\nx = 3\n", (2, *rewrite("os-entropy", "os.urandom")))
    assert found == Patch((), ("train.py:2: there is no call of urandom.",))


def test_a_file_that_would_be_no_python_stays_as_it_is() -> None:
    found = made(
        "def f():\n    global x\n    x = g()\n", (3, "g", "(x := 3)", ""), snippets=("return",)
    )
    assert found.files == ()
    assert found.left == (
        "train.py: what the patch makes of it is no Python, so it stays as it is.",
    )


@pytest.mark.parametrize(
    "prune", ["dirs.remove('skip')", "dirs[:] = [d for d in dirs if d != 'skip']"]
)
@pytest.mark.parametrize("call", ["os.walk(top)", "next(iter([os.walk(top)]))"])
def test_a_walk_still_leaves_out_what_the_script_takes_off_its_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prune: str, call: str
) -> None:
    for name in ("b/1", "b/0", "a/2", "skip/3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    text = (
        "import os\nfound = []\n"
        f"for root, dirs, files in {call}:\n"
        f"    if 'skip' in dirs: {prune}\n"
        "    found += files\n"
    )
    (file,) = made(text, (3, *rewrite("file-order", "os.walk"))).files
    scandir = os.scandir

    class Reversed(contextlib.AbstractContextManager):  # type: ignore[type-arg]
        def __init__(self, folder: str) -> None:
            with scandir(folder) as entries:
                self.entries = iter(sorted(entries, key=lambda e: e.name, reverse=True))

        def __next__(self) -> os.DirEntry[str]:
            return next(self.entries)

        def __iter__(self) -> Reversed:
            return self

        def __exit__(self, *exception: object) -> None:
            pass

    monkeypatch.setattr(os, "scandir", Reversed)
    before: dict[str, object] = {"top": str(tmp_path)}
    exec(text, before)  # noqa: S102
    assert before["found"] == ["1", "0", "2"]
    after: dict[str, object] = {"top": str(tmp_path)}
    exec(file.after, after)  # noqa: S102
    assert after["found"] == ["2", "0", "1"]


@pytest.mark.parametrize("stage", ["map", "interleave"])
@pytest.mark.parametrize(
    ("seen", "arguments"),
    [
        ("deterministic=False", "f, num_parallel_calls=4, deterministic=True"),
        ("drawing from shared state", "f"),
        # In order or not, they race for what they draw.
        ("deterministic=False, drawing from shared state", "f"),
    ],
)
def test_parallel_stages_that_draw_are_made_serial(stage: str, seen: str, arguments: str) -> None:
    change = rewrite("data-threads", f"Dataset.{stage} in parallel, {seen}")
    text = f"d = d.{stage}(f, num_parallel_calls=4, deterministic=False)\n"
    (file,) = made(text, (1, *change)).files
    assert file.after == f"d = d.{stage}({arguments})\n"
    detail = f"Dataset.{stage} in parallel, {seen}"
    code = next(c for start, c in by_name("data-threads").edits if detail.startswith(start))
    # What the report asks for and what the patch does is the same.
    assert (", deterministic=True)" in code) is ("deterministic=True" in arguments)
