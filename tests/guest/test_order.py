"""Orders that no seed holds: of listings, of sets, of what a former run left."""

from __future__ import annotations

import re
import sys
import textwrap
import types
from pathlib import Path
from typing import Any

import pytest

from nondet.guest import hash_lines
from nondet.guest.factors import file_order
from nondet.guest.factors.base import Unbound
from nondet.guest.os_functions import kept_references
from tests.guest.running import Shown, guided, plain

LISTINGS = """
    import glob, os, pathlib, shutil, sys, tempfile
    names = ["b", "d", "a", "e", "c"]
    folder = pathlib.Path("data")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "z").mkdir(parents=True)
    (folder / "one").mkdir()
    (folder / "one" / "alone").touch()
    for name in names:
        (folder / "z" / name).touch()
    inner = folder / "z"
    def told(found):
        return "".join(str(name)[-1] for name in found)
    print(told(os.listdir(inner)))                                          # os.listdir
    print(told(entry.name for entry in os.scandir(inner)))                  # os.scandir
    with os.scandir(str(inner)) as entries:                                 # os.scandir
        print(told([next(entries).path, *(e.name for e in entries)]))
    print(told([files[0] for _, _, files in os.walk(inner) if files]))      # os.walk
    print(told(glob.glob("data/z/*")))                                      # glob.glob
    print(told(list(glob.iglob("data/**/z/?", recursive=True))))          # glob.iglob
    print(told(list(inner.iterdir())))                                      # Path.iterdir
    print(told(list(folder.glob("z/*"))))                                   # Path.glob
    print(told(list(inner.rglob("*"))))                                     # Path.rglob
    print(os.listdir("data/one"), len(os.listdir(b"data/one")))
    with tempfile.TemporaryDirectory() as room:
        for name in names:
            pathlib.Path(room, name).touch()
    print(os.listdir in os.supports_fd, os.scandir in os.supports_fd)
    shutil.rmtree("data")
"""


def started(folder: Path, script: str, name: str = "train.py", **options: Any) -> Shown:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(textwrap.dedent(script))
    shown = guided(folder, name, **options)
    assert shown.code == 0, shown.err
    assert shown.of("guest-error") == []
    return shown


def sightings(shown: Shown, factor: str) -> list[tuple[int, str, bool | None]]:
    """Those with a line of the script's behind them."""
    found = [e for e in shown.of("finished")[0]["sightings"] if e["factor"] == factor]
    return sorted((e["site"]["line"], e["detail"], e["unseeded"]) for e in found if e["site"])


# -- file-order


def test_every_listing_is_noted_at_its_line_by_its_name(tmp_path: Path) -> None:
    seen = started(tmp_path / "subject", LISTINGS)
    lines = textwrap.dedent(LISTINGS).splitlines()
    marked = [(n, line.split("# ")[1]) for n, line in enumerate(lines, 1) if "# " in line]
    if sys.version_info >= (3, 13):
        marked = [(n, name.replace("rglob", "glob")) for n, name in marked]
    # Those of a folder with a single file, of `shutil` and of `tempfile` are not.
    assert sightings(seen, "file-order") == [(line, name, None) for line, name in marked]


@pytest.mark.parametrize("arm", ["pinned", "varied"])
def test_listings_come_in_a_fixed_order(arm: str, tmp_path: Path) -> None:
    # The system's own order, which may be any.
    before = started(tmp_path / "subject", LISTINGS).out.splitlines()[0]
    seen = started(tmp_path / "subject", LISTINGS, arms={"file-order": arm})
    order = {"pinned": "abcde", "varied": before[::-1]}[arm]
    assert seen.out.splitlines() == [
        *[order] * 3,
        order[0],
        *[order] * 5,
        "['alone'] 1",
        "True True",
    ]
    assert [pin["ok"] for pin in seen.of("pin")] == [True] * (arm == "pinned")


def test_a_varied_listing_is_another_one_whatever_order_the_system_has(tmp_path: Path) -> None:
    script = """
        import os
        places = [f"data/{number}" for number in range(12)]
        for number, place in enumerate(places):
            os.makedirs(place)
            for name in ("abc", "cba")[number % 2]:
                open(f"{place}/{name}{number}", "w").close()
        def told(found):
            return "".join(name[0] for name in found if name[0] != "b")
        print(*[told(os.listdir(place)) for place in places])
        print(*[told(entry.name for entry in os.scandir(place)) for place in places])
        print(*[told(next(os.walk(place))[2]) for place in places])
    """
    free, varied = (
        started(tmp_path / arm, script, arms={"file-order": arm}).out.split()
        for arm in ("free", "varied")
    )
    assert varied == [names[::-1] for names in free]


def test_a_listing_left_alone_is_the_scripts_own(tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    script = "import os\nprint(type(os.scandir('.')), os.scandir.__name__, os.listdir.__module__)\n"
    seen = started(folder, script)
    assert seen.visible == plain(folder, "train.py").visible


def test_references_that_classes_took_before_are_replaced() -> None:
    def listing() -> None: ...
    def instead() -> None: ...

    # As pathlib does up to Python 3.10, and glob in 3.13.
    class Accessor:
        listdir = len
        scandir = staticmethod(listing)

    class Other:
        listdir = max

    module = types.ModuleType(__name__)
    vars(module).update(Accessor=Accessor, Other=Other, listdir=len)
    kept_references(module, {len: Unbound(instead), listing: instead}, file_order.LISTING)
    assert isinstance(Accessor.listdir, Unbound)
    assert Accessor().scandir is instead
    assert Other.listdir is max


GFILE = """
    import os
    import tensorflow as tf
    import keras
    os.makedirs("data/one")
    os.makedirs("data/two")
    for name in "cab":
        open(f"data/one/{name}.txt", "w").write("x")
        open(f"data/two/{name}.txt", "w").write("y")
    def told(found):
        return "".join(name[-5] for name in found)
    print(told(tf.io.gfile.listdir("data/one")))                              # tf.io.gfile.listdir
    print(told(tf.io.gfile.glob("data/one/*.txt")))                           # tf.io.gfile.glob
    print([told(files) for _, _, files in tf.io.gfile.walk("data")])          # tf.io.gfile.walk
    keras.utils.text_dataset_from_directory("data", seed=1, verbose=False)    # inside
    names = tf.data.Dataset.list_files("data/one/*", shuffle=False)
    print(told(name.numpy().decode() for name in names))
"""


@pytest.mark.subject
@pytest.mark.long
def test_listings_of_tensorflow_are_seen_and_held(tmp_path: Path) -> None:
    lines = textwrap.dedent(GFILE).splitlines()
    marked = [(n, line.split("# ")[1]) for n, line in enumerate(lines, 1) if "# " in line]
    free = started(tmp_path / "free", GFILE)
    found = sightings(free, "file-order")
    # Keras sorts what it lists.
    assert found == [
        *((line, name, None) for line, name in marked[:3]),
        (marked[3][0], "a listing inside a library", False),
    ]
    held = started(tmp_path / "held", GFILE, pinned=("file-order",))
    assert held.out.splitlines() == ["abc", "abc", "['', 'abc', 'abc']", "abc"]
    assert [pin["ok"] for pin in held.of("pin")] == [True, True]
    varied = started(tmp_path / "varied", GFILE, arms={"file-order": "varied"})
    *before, last = free.out.splitlines()
    *after, same = varied.out.splitlines()
    for one, other in zip(before, after, strict=True):
        assert re.findall(r"\w+", other) == [names[::-1] for names in re.findall(r"\w+", one)]
    assert last == same == "abc", "sorted by TensorFlow itself"


# -- leftovers


USING = """
    import os, pathlib
    if os.path.exists("state.txt"):
        print(open("state.txt").read())
    print(len(os.listdir(".")))
    with open("state.txt", "w") as file:
        file.write("mine")
    print(open("state.txt").read(), os.path.exists("state.txt"), os.path.exists("other.txt"))
    for name in "abc":
        pathlib.Path(name).write_text("x")
    os.replace("a", "moved.txt")
    open(os.devnull, "w")
    if pathlib.Path("helper.py").exists():
        import helper
"""


def test_a_chained_trial_shows_who_reads_what_was_left(tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    folder.mkdir()
    (folder / "state.txt").write_text("former")
    (folder / "helper.py").touch()
    left = [str(folder / name) for name in ("state.txt", "helper.py", "gone.txt")]
    seen = started(folder, USING, left=left)
    assert seen.out == "former\n3\nmine True False\n"
    found = sightings(seen, "leftovers")
    # Not what this run has written itself, nor what the import system reads.
    assert [(line, detail) for line, detail, unseeded in found if unseeded is None] == [
        (3, "finds state.txt"),
        (4, "reads state.txt"),
        (5, "lists the folder that holds state.txt"),
        (13, "finds helper.py"),
    ]
    assert {e["unseeded"] for e in seen.of("exercised") if "writes" in e["detail"]} == {False}


def test_lines_that_write_are_known_from_the_first_run(tmp_path: Path) -> None:
    seen = started(tmp_path / "subject", USING)
    assert sightings(seen, "leftovers") == [
        (6, "writes state.txt", False),
        (10, "writes a", False),
        (11, "writes moved.txt", False),
    ]


DATABASES = """
    import sqlite3
    names = (":memory:", "", b":memory:", "file::memory:", "file::memory:?cache=shared")
    for name in (*names, "file:x?mode=memory"):
        sqlite3.connect(name, uri=True).close()
    sqlite3.connect("kept.db").close()
"""


def test_databases_in_memory_are_no_files(tmp_path: Path) -> None:
    pytest.importorskip("sqlite3")
    seen = started(tmp_path / "subject", DATABASES)
    assert sightings(seen, "leftovers") == [(6, "writes kept.db", False)]


CHECKPOINTS = """
    import os, sys
    import h5py
    import keras
    import numpy as np
    import tensorflow as tf
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    if os.path.exists("m.weights.h5"):
        model.load_weights("m.weights.h5")                     # reads m.weights.h5
        model = keras.models.load_model("m.keras")             # reads m.keras
        np.load("x.npy")                                       # reads x.npy
        latest = tf.train.latest_checkpoint("tf")              # reads tf/checkpoint
        tf.train.Checkpoint(model=model).restore(latest)       # reads tf/c-1.index
        h5py.File("d.h5")                                      # reads d.h5
        sys.exit()
    model.save_weights("m.weights.h5")                         # writes m.weights.h5
    model.save("m.keras")                                      # writes m.keras
    np.save("x.npy", np.ones(3))                               # writes x.npy
    tf.train.Checkpoint(model=model).save("tf/c")              # writes tf/checkpoint
    h5py.File("d.h5", "w").close()                             # writes d.h5
"""


@pytest.mark.subject
@pytest.mark.long
def test_checkpoints_of_keras_and_tensorflow_are_seen(tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    lines = textwrap.dedent(CHECKPOINTS).splitlines()
    marked = {(n, line.split("# ")[1]) for n, line in enumerate(lines, 1) if "# " in line}
    first = sightings(started(folder, CHECKPOINTS), "leftovers")
    assert {f[:2] for f in first} >= {m for m in marked if "writes" in m[1]}
    assert {f[2] for f in first} == {False}
    left = [str(path) for path in folder.rglob("*") if path.name != "train.py"]
    found = sightings(started(folder, CHECKPOINTS, left=left), "leftovers")
    assert {f[:2] for f in found} >= {m for m in marked if "reads" in m[1]}
    assert {f[2] for f in found} == {None}


# -- hash-seed


SENSITIVE = """
    words = set("a b".split())
    for w in words: pass                                   # iterates over a set
    vocab = {w: i for i, w in enumerate(words)}            # enumerates a set
    first = next(iter({"p", "q"}))                         # takes any element of a set
    index = {}
    index.setdefault("k", set()).add("v")
    for k, members in index.items():
        x = list(members)                                  # makes a list of a set
    def joined(names):
        return ",".join(names)                             # joins a set
    joined(words)
    bucket = hash("name") % 5                              # hash()
    class Corpus:
        def __init__(self):
            self.seen = set()
        def go(self):
            return [s for s in self.seen]                  # iterates over a set
    corpus = Corpus()
    for s in corpus.seen: pass                             # iterates over a set
    def several(): return frozenset(words)
    a, b = several()                                       # unpacks a set
    m = [*set(words)]                                      # unpacks a set
    d = dict.fromkeys(set(words))                          # makes a dict of a set
    common = vocab.keys() & d.keys()
    fit(common)                                            # gives a set to fit()
    by_hash = sorted(words, key=hash)                      # hash()
    p = common.pop()                                       # takes any element of a set
    x = np.array(list(set(words)))                         # makes a list of a set
    if a:
        u = set(b)
    else:
        u = list(b)
    for e in u: pass                                       # iterates over a set
    labels: set[str] = load()
    z = (label for label in labels | words)                # iterates over a set
    groups = {k: set(v) for k, v in load()}
    for group in groups.values():
        for member in group: pass                          # iterates over a set
    print([f for f in map(str, words)])                    # gives a set to map()
"""
INDIFFERENT = """
    words = set("a b".split())
    vocab = {w: i for i, w in enumerate(sorted(words))}
    print(len(words), "a" in words, words == {"x"}, max(words), sum({1.5, 2.5}))
    longer = {w + "s" for w in words}
    ordered = sorted(list(longer))
    ordered = sorted(w for w in longer if any(c in words for c in w))
    names = list(words)
    names.sort()
    class Key:
        def __hash__(self):
            return hash(("Key", self.name))
    print(hash(3), hash(-1.5), list({1, 2, 3}), list(set(range(9))))
    words = sorted(words)
    for w in words: pass
    def f(words):
        for w in words: pass
    f(["a", "b"])
    for k in {"a": {"x"}}: pass
    import os.path
    class Folder:
        def __init__(self):
            self.path, self.near, self.far = set(), set(), []
        def clear(self):
            self.far = set()
    for p in os.path, folder.far: pass
    for p in os.path: pass
    for f in folder.far: pass
    seen = set()
    for w in words:
        if w not in seen:
            seen.add(w)
    flags = 1 | 2
    for n in (flags, 3): pass
"""


def test_lines_that_take_up_a_hash_order_are_found() -> None:
    source = textwrap.dedent(SENSITIVE)
    lines = source.splitlines()
    marked = [(n, line.split("# ")[1]) for n, line in enumerate(lines, 1) if "# " in line]
    found = hash_lines.read(source.encode(), "x.py")
    assert [(line, what) for line, _, what in found] == marked
    assert {function for _, function, _ in found} == {"<module>", "joined", "go"}


def test_uses_of_a_set_whose_order_makes_no_difference_are_left_out() -> None:
    assert hash_lines.read(textwrap.dedent(INDIFFERENT).encode(), "x.py") == []


def test_hash_lines_are_told_of_the_script_and_its_own_modules(tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "words.py").write_text("\ndef f(x):\n    return list(set(x))\n")
    (tmp_path / "elsewhere.py").write_text("print(list({'a', 'b'}) == 0)\n")
    script = """
        import sys
        sys.path.append("..")
        import elsewhere
        from inner import words
        import os
        os.chdir("inner")
        print([n for n in ("ast", "inspect") if n in sys.modules], hash("a") == 0)
    """
    seen = started(folder, script)
    assert seen.out == "False\n[] False\n"
    found = [e for e in seen.of("exercised") if e["factor"] == "hash-seed"]
    assert [(e["site"], e["detail"], e["unseeded"]) for e in found] == [
        (
            {"file": str(folder / "train.py"), "line": 8, "function": "<module>"},
            "hash()",
            None,
        ),
        (
            {"file": str(folder / "inner" / "words.py"), "line": 3, "function": "f"},
            "makes a list of a set",
            None,
        ),
    ]


def test_a_hash_seed_given_outside_settles_it(tmp_path: Path) -> None:
    seen = started(tmp_path / "subject", "x = hash('a')\n", environ={"PYTHONHASHSEED": "5"})
    assert sightings(seen, "hash-seed") == [(1, "hash()", False)]
