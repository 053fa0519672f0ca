"""The files of the user's own that a script imports are told, and nobody else's."""

from __future__ import annotations

import hashlib
import textwrap
from pathlib import Path

from tests.guest.running import guided, plain

SCRIPT = """
    import importlib.util, json, sys
    import data, pack.steps
    from made import x

    spec = importlib.util.find_spec("late")
    loader = spec.loader = importlib.util.LazyLoader(spec.loader)
    sys.modules["late"] = late = importlib.util.module_from_spec(spec)
    loader.exec_module(late)
    sys.modules["none"] = None
    import lazy
    nondet = importlib.import_module("nondet")
    nondet.checkpoint("value", x)
    import after
    print("done", "after" in sys.modules)
"""
LAZY = """
    import sys, types

    class Module(types.ModuleType):
        \"\"\"As that of apipkg: whoever asks for all that it holds has it import that.\"\"\"

        @property
        def __dict__(self):
            import api
            return types.ModuleType.__dict__["__dict__"].__get__(self)

    made = Module(__name__)
    made.__file__, made.__spec__ = __file__, __spec__
    sys.modules[__name__] = made
"""


def test_modules_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    outside = tmp_path / "library" / "site-packages"
    outside.mkdir(parents=True)
    files = {
        "train.py": textwrap.dedent(SCRIPT),
        "data.py": "import sys; sys.path.append('library/site-packages'); import installed",
        "pack/__init__.py": "",
        "pack/steps.py": "",
        "made.py": "x = 1.5",
        "late.py": "print('imported by a look')",
        "after.py": "",
        "lazy.py": textwrap.dedent(LAZY),
        "api.py": "print('imported by a look')",
        "library/site-packages/installed.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    shown = guided(tmp_path, "train.py")
    assert shown.visible == plain(tmp_path, "train.py").visible
    assert shown.out == "done True\n"
    first, later = (event["files"] for event in shown.of("modules"))
    assert all(
        digest == hashlib.sha256(Path(name).read_bytes()).hexdigest()
        for name, digest in {**first, **later}.items()
    )
    names = [
        "data.py",
        "late.py",
        "lazy.py",
        "made.py",
        "pack/__init__.py",
        "pack/steps.py",
        "train.py",
    ]
    assert sorted(first) == [str(tmp_path / name) for name in names]
    assert list(later) == [str(tmp_path / "after.py")]


def test_a_script_that_fails_while_it_imports(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text("x = 1")
    (tmp_path / "train.py").write_text("import data\nraise ValueError(data.x)\n")
    (told,) = guided(tmp_path, "train.py").of("modules")
    assert sorted(told["files"]) == [str(tmp_path / name) for name in ("data.py", "train.py")]


def test_what_is_told_is_what_was_executed(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text("x = 1")
    script = "import data, pathlib\npathlib.Path(data.__file__).write_text('x = 2')\n"
    (tmp_path / "train.py").write_text(script + "exec(compile('1', '/dev/stdin', 'exec'))\n")
    (told,) = guided(tmp_path, "train.py").of("modules")
    digest = hashlib.sha256(b"x = 1").hexdigest()
    assert told["files"][str(tmp_path / "data.py")] == digest
