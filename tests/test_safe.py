"""What is read is data: it is never run, and secrets of the environment are not among it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from nondet.guest import keras_hooks
from nondet.host import surroundings, warming
from tests.host.written import Written

PACKAGE = Path(__file__).resolve().parent.parent / "nondet"
UNPICKLERS = {
    *("pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"),
    *("jsonpickle", "yaml", "runpy"),
}
"""Modules that turn data into whatever it says."""
BY_NAME = {"import_module", "__import__", "spec_from_file_location", "exec_module"}
METHODS = {"load": {"np", "numpy", "torch"}, "read_pickle": {"pd", "pandas"}}
REASONS = {
    ("guest/asking.py", "eval"): "expressions of the factors' own, in this package",
    ("guest/plugins.py", "exec"): "the file that the user names with --plugin",
    ("guest/running.py", "exec"): "the user's script",
    ("host/executors/cluster/dask_engine.py", "cloudpickle"): "our functions for dask's workers",
    ("guest/__main__.py", "import_module"): "the guest's own modules",
    ("guest/examining.py", "__import__"): "libraries of the interpreter that doctor is asked about",
    ("guest/parent.py", "import_module"): "frameworks, by names that the host knows (warming.py)",
    ("guest/running.py", "runpy"): "the user's script, with -m",
    ("guest/__main__.py", "exec_module"): "the guest's own package, by its path",
    ("guest/__main__.py", "spec_from_file_location"): "the guest's own package, by its path",
    ("guest/parent.py", "exec_module"): "the host's supervisor, by its path",
    ("guest/parent.py", "spec_from_file_location"): "the host's supervisor, by its path",
    ("guest/stand_in.py", "spec_from_file_location"): "nondet itself, where it is not installed",
}
"""All that runs text or imports by name, and whose that is: nothing comes out of a record, an event
file or an archive."""


def sensitive(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.partition(".")[0] in UNPICKLERS)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            if (node.module or "").partition(".")[0] in UNPICKLERS:
                yield node.module or ""
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec", *BY_NAME}:
                yield node.func.id
            elif isinstance(node.func, ast.Attribute):
                owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
                name = node.func.attr
                if name in BY_NAME or owner in METHODS.get(name, ()):
                    yield name
            if any(k.arg == "shell" and not _false(k.value) for k in node.keywords):
                yield "shell"


def _false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def test_what_runs_text_is_known_with_its_reason() -> None:
    found = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in PACKAGE.rglob("*.py")
        for name in sensitive(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == set(REASONS)


@pytest.mark.parametrize(
    "line",
    [
        *("import pickle", "from yaml import load", "eval(text)", "exec(text)", "import joblib.x"),
        *("numpy.load(path)", "__import__(name)", "importlib.import_module(name)"),
        *("torch.load(path)", "subprocess.run(text, shell=True)", "pd.read_pickle(path)"),
    ],
)
def test_it_would_be_seen(line: str) -> None:
    assert len(list(sensitive(ast.parse(line)))) == 1


# -- what an event file says


def test_no_other_module_is_imported_at_the_word_of_an_event_file(tmp_path: Path) -> None:
    told = Written(tmp_path)
    for name in ("numpy", "torch", "antigravity", "torch.utils.bottleneck"):
        given = {"LD_PRELOAD": "/tmp/x.so", "TORCH_HOME": "x", "PYTHONPATH": "y", "TF_X": None}
        told.emit("framework", name=name, version="1", environ=given)
    found = list(warming.importable(told.heard("completed")))
    assert found == [("torch", (("TF_X", None), ("TORCH_HOME", "x")))]


def test_guest_and_host_know_the_same_frameworks() -> None:
    assert warming.FRAMEWORKS == keras_hooks.FRAMEWORKS
    assert warming.SETTINGS == keras_hooks.SETTINGS


# -- secrets


def test_guest_and_host_know_the_same_secrets() -> None:
    """Neither imports the other."""
    assert keras_hooks.SECRET.pattern == surroundings.PRIVATE.pattern
    assert keras_hooks.SECRET.flags == surroundings.PRIVATE.flags


@pytest.mark.parametrize("word", surroundings.PRIVATE.pattern.split("|"))
def test_a_secret_is_told_by_neither(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (f"TF_{word}", f"TF_MY_{word.lower()}_1"):
        assert surroundings.telling({name: "hidden", "TF_PLAIN": "1"}) == {"TF_PLAIN": "1"}
        monkeypatch.setenv(name, "hidden")
        monkeypatch.setenv("TF_PLAIN", "1")
        assert keras_hooks.changed_settings({name: "other"})["TF_PLAIN"] == "1"  # type: ignore[no-untyped-call]
        assert name not in keras_hooks.changed_settings({})  # type: ignore[no-untyped-call]
