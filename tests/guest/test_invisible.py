"""A script can't tell that the guest is there."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.guest.running import guided, plain

SCRIPTS = {
    "what it can see": """
        import os, sys
        print(sys.argv, __file__, __name__, __spec__, __package__, __cached__, __doc__)
        print(sys.path[0], os.getcwd(), sorted(k for k in globals() if k != "__builtins__"))
        print(type(__loader__).__name__, __loader__.path, __builtins__.__name__)
        import __main__
        print(__main__.__dict__ is globals(), sys.modules["__main__"] is __main__)
        print(sys.flags, sys.stdin.read(), os.environ.get("PYTHONHASHSEED"))
        print([n for n in ("random", "numpy", "ast", "asyncio", "subprocess") if n in sys.modules])
    """,
    "an uncaught exception": """
        def inner(x):
            return 1 / x
        inner(0)
    """,
    "a chained exception": """
        try:
            {}["a"]
        except KeyError as error:
            raise RuntimeError("no such thing") from error
    """,
    "a syntax error": "x = (1,\n",
    "sys.exit with a number": "import sys\nprint('so far')\nsys.exit(3)\n",
    "sys.exit with a text": "import sys\nsys.exit('that was it')\n",
    "os._exit": "import os\nprint('gone', flush=True)\nos._exit(4)\n",
    "its own excepthook": """
        import sys
        sys.excepthook = lambda kind, error, trace: print("mine:", kind.__name__, error)
        raise ValueError("no")
    """,
    "an exception that can't say what it is": """
        class Refused(Exception):
            def __str__(self):
                return 3
        raise Refused()
    """,
    "what stands in for a function": """
        import copy, os, pickle, random, time
        import numpy as np
        print(random.random.__self__ is random._inst, random.randint.__self__ is random._inst)
        print(random.random.__text_signature__, random.randint.__func__ is random.Random.randint)
        print(np.random.rand.__self__ is np.random.mtrand._rand, time.time.__self__ is time)
        for function in (random.random, time.time, os.getpid):
            print(copy.copy(function) is function, copy.deepcopy([function]) == [function])
            print(hasattr(function, "no_such"), pickle.loads(pickle.dumps(function)).__name__)
        print(pickle.loads(pickle.dumps(os.getpid)) is os.getpid)
        print(copy.deepcopy(random.randint).__self__ is random._inst)
        try:
            random.random.no_such
        except AttributeError as error:
            print(error)
    """,
    "exit functions and threads": """
        import atexit, threading
        atexit.register(print, "at exit")
        def work():
            threading.main_thread().join()
            print("thread done")
        threading.Thread(target=work).start()
        print("main done")
    """,
    "argparse and a main guard": """
        import argparse
        def main():
            parser = argparse.ArgumentParser()
            parser.add_argument("--epochs", type=int)
            parser.add_argument("rest", nargs="*")
            print(parser.parse_args())
        if __name__ == "__main__":
            main()
    """,
    "multiprocessing": """
        import multiprocessing
        def square(x):
            return x * x
        if __name__ == "__main__":
            for method in ("fork", "spawn"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    print(method, pool.map(square, range(5)))
    """,
    "pickling what it defines": """
        import pickle
        class Thing:
            pass
        print(type(pickle.loads(pickle.dumps(Thing()))) is Thing)
    """,
    "a module named like one of ours": """
        import events, hooks, session
        print(events.WHO, hooks.WHO, session.WHO)
    """,
    "generators as values": """
        import copy, functools, multiprocessing, pickle, random
        random.seed(3)
        draw = pickle.loads(pickle.dumps(functools.partial(random.randint, 0, 9)))
        class Holder:
            draw = random.random
            spread = random.gauss
        print(draw(), Holder().draw(), Holder().spread(0, 1), copy.copy(random.random)())
        print(random.random.__name__, random.randint.__module__)
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(1) as pool:
                print(pool.starmap(random.randint, [(5, 5)]))
    """,
    "arguments by name": """
        import os, sys
        if len(sys.argv) > 2:
            os.execve(sys.executable, argv=[sys.executable, sys.argv[0]], env=dict(os.environ))
        print("again", sys.argv)
    """,
    "starting itself again": """
        import os, sys
        if os.environ.get("PYTHONHASHSEED") != "42":
            os.environ["PYTHONHASHSEED"] = "42"
            os.execv(sys.executable, [sys.executable] + sys.argv)
        print(sys.argv, hash("a"), __file__)
    """,
    "closing every descriptor": """
        import os
        os.closerange(3, 256)
        with open("mine.txt", "w") as file:
            file.write("only mine")
        print(open("mine.txt").read())
    """,
    "seeded draws": """
        import random
        random.seed(5)
        print(random.random(), random.sample(range(99), 5), random.gauss(0, 1))
        state = random.getstate()
        first = random.random()
        random.setstate(state)
        print(first == random.random(), repr(random.Random(4).random()))
    """,
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_with_and_without_the_guest_a_script_shows_the_same(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "sub ject"
    folder.mkdir()
    (folder / "train é.py").write_text(textwrap.dedent(SCRIPTS[name]), encoding="utf-8")
    for module in ("events", "hooks", "session"):
        (folder / f"{module}.py").write_text(f"WHO = 'the user {module}'\n")
    args = ("train é.py", "--epochs", "3", "--", "-x")
    expected = plain(folder, *args)
    (folder / "mine.txt").unlink(missing_ok=True)
    seen = guided(folder, *args)
    assert seen.visible == expected.visible
    assert seen.of("guest-error") == []
    assert seen.of("started")


def test_a_script_that_starts_itself_again_is_still_a_trial(tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    folder.mkdir()
    (folder / "train.py").write_text(textwrap.dedent(SCRIPTS["starting itself again"]))
    seen = guided(folder, "train.py", "a", pinned=("hash-seed",), environ={"PYTHONHASHSEED": "0"})
    assert [e["plan"] for e in seen.of("started")] == ["h", "h"]
    assert [e["ok"] for e in seen.of("pin")] == [True, True]
    assert len(seen.of("finished")) == 1


def test_the_script_may_lie_elsewhere(tmp_path: Path) -> None:
    folder, other = tmp_path / "here", tmp_path / "there"
    folder.mkdir()
    other.mkdir()
    (other / "helper.py").write_text("NAME = 'helper'\n")
    (other / "train.py").write_text(
        "import sys, os, helper\nprint(__file__, sys.path[0], os.getcwd(), helper.NAME, sys.argv)\n"
    )
    expected = plain(folder, "../there/train.py", "a")
    assert guided(folder, "../there/train.py", "a").visible == expected.visible


def test_a_crash_is_told_with_the_scripts_own_traceback(tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    folder.mkdir()
    (folder / "train.py").write_text("def f():\n    raise ValueError('no')\nf()\n")
    crash = guided(folder, "train.py").of("crashed")[0]
    assert crash["kind"] == "ValueError"
    assert crash["message"] == "no"
    assert "train.py" in crash["traceback"]
    assert "nondet" not in crash["traceback"].replace(str(tmp_path), "")


def test_a_crash_is_told_whatever_the_exception_says(tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    folder.mkdir()
    script = SCRIPTS["an exception that can't say what it is"]
    (folder / "train.py").write_text(textwrap.dedent(script))
    [crash] = guided(folder, "train.py").of("crashed")
    assert (crash["kind"], crash["message"]) == ("Refused", "<exception str() failed>")


def test_a_truncated_import_of_a_missing_module_fails_as_ever(tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    folder.mkdir()
    (folder / "train.py").write_text("import keras.no_such, random\n")
    (folder / "keras.py").write_text("")
    expected = plain(folder, "train.py")
    assert expected.code == 1
    assert guided(folder, "train.py").visible == expected.visible


MODULES = {
    "what it can see": """
        import os, sys
        print(sys.argv, __file__, __name__, __spec__.name, __spec__.origin)
        print(__package__, __cached__, __doc__)
        print(sys.path[0], os.getcwd(), sorted(k for k in globals() if k != "__builtins__"))
        print(type(__loader__).__name__, __loader__.path, sys.flags)
        import __main__
        print(__main__.__dict__ is globals(), sys.modules["__main__"] is __main__)
        from .helper import WHO
        from pkg import FIRST
        print(WHO, FIRST, "pkg.sub.train" in sys.modules)
    """,
    "an uncaught exception": "def f():\n    return 1 / 0\nf()\n",
    "a syntax error": "x = (1,\n",
    "multiprocessing": """
        import multiprocessing
        def square(x):
            return x * x
        if __name__ == "__main__":
            for method in ("fork", "spawn"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    print(method, pool.map(square, range(5)))
    """,
    "starting itself again": """
        import os, sys
        if os.environ.get("PYTHONHASHSEED") != "42":
            os.environ["PYTHONHASHSEED"] = "42"
            os.execv(sys.executable, [sys.executable, "-m", __spec__.name] + sys.argv[1:])
        print(sys.argv, hash("a"), __file__, __package__)
    """,
}


@pytest.mark.parametrize(
    ("module", "name"),
    # What a package's `__main__` defines, spawned processes don't find, with plain Python either.
    [("pkg.sub.train", name) for name in MODULES] + [("pkg.sub", "what it can see")],
)
def test_with_and_without_the_guest_a_module_shows_the_same(
    name: str, module: str, tmp_path: Path
) -> None:
    folder = tmp_path / "subject"
    (folder / "pkg/sub").mkdir(parents=True)
    (folder / "pkg/__init__.py").write_text("import sys\nFIRST = list(sys.argv)\n")
    (folder / "pkg/sub/__init__.py").write_text("")
    (folder / "pkg/sub/helper.py").write_text("WHO = __name__\n")
    file = "train" if module.endswith("train") else "__main__"
    (folder / f"pkg/sub/{file}.py").write_text(textwrap.dedent(MODULES[name]))
    expected = plain(folder, "-m", module, "--epochs", "3")
    seen = guided(folder, f"pkg/sub/{file}.py", "--epochs", "3", module=module)
    assert seen.visible == expected.visible
    assert seen.of("guest-error") == []
    assert seen.of("started")
