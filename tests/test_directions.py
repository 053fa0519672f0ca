"""Who may import whom, and what the guest may contain: the four rules of direction."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "nondet"
MODULES = sorted(PACKAGE.rglob("*.py"))
GUEST = sorted((PACKAGE / "guest").rglob("*.py"))
GROUND = (
    "nondet.machines",
    "nondet.naming",
    "nondet.notebook",
    "nondet.record",
    "nondet.repetition",
    "nondet.runs",
    "nondet.verdict",
    "nondet.stats",
    "nondet.spread",
    "nondet.search",
)
NUMERIC = {"nondet.spread": {"numpy", "scipy"}}
"""Libraries of statistics that a module of the ground may use."""
FRAMEWORKS = {"tensorflow", "keras", "torch", "jax", "sklearn"}
OLDEST = (3, 7)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(path: Path, nodes: Iterator[ast.AST] | None = None) -> set[str]:
    """Dotted names of all that a file imports, wherever in it; relative imports made absolute.

    ``from a import b`` counts as both ``a`` and ``a.b``, since b may be a module.
    """
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    found = set()
    for node in nodes or ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                start = package[: len(package) - node.level + 1]
                base = ".".join([*start, base] if base else start)
            found.add(base)
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def outside(path: Path) -> set[str]:
    """Top-level packages that a file imports, without the standard library and nondet."""
    tops = {name.partition(".")[0] for name in imported(path)}
    return tops - set(sys.stdlib_module_names) - {"nondet"}


def of(package: str) -> list[Path]:
    found = [path for path in MODULES if within(module_name(path), package)]
    assert found, package
    return found


def ours(path: Path) -> set[str]:
    return {name for name in imported(path) if within(name, "nondet")}


@pytest.mark.parametrize("path", [p for g in GROUND for p in of(g)], ids=module_name)
def test_ground_knows_nobody(path: Path) -> None:
    above = {n for n in ours(path) - {"nondet"} if not any(within(n, g) for g in GROUND)}
    assert not above
    assert outside(path) <= {"msgspec"} | NUMERIC.get(module_name(path), set())


@pytest.mark.parametrize("path", of("nondet.search"), ids=module_name)
def test_search_has_neither_files_nor_clock_nor_chance(path: Path) -> None:
    tops = {name.partition(".")[0] for name in imported(path)}
    assert not tops & {"os", "pathlib", "io", "time", "datetime", "random", "secrets", "subprocess"}
    calls = {n.func.id for n in ast.walk(parsed(path)) if isinstance(n, ast.Call)
             and isinstance(n.func, ast.Name)}  # fmt: skip
    assert not calls & {"print", "open", "input"}


@pytest.mark.parametrize("path", GUEST, ids=module_name)
def test_guest_imports_nothing_else_of_nondet(path: Path) -> None:
    assert all(within(name, "nondet.guest") for name in ours(path))


@pytest.mark.parametrize("path", of("nondet.host"), ids=module_name)
def test_host_reads_factors_only_of_the_guest(path: Path) -> None:
    guest = {name for name in ours(path) if within(name, "nondet.guest")}
    assert all(within(name, "nondet.guest.factors") for name in guest)
    assert not outside(path) & FRAMEWORKS


@pytest.mark.parametrize("path", of("nondet.report"), ids=module_name)
def test_report_sees_records_only(path: Path) -> None:
    known = (*GROUND, "nondet.report")
    other = {name for name in ours(path) - {"nondet"} if not any(within(name, k) for k in known)}
    assert not other
    tops = {name.partition(".")[0] for name in imported(path)}
    assert not tops & {"subprocess", "multiprocessing", "psutil", "signal"}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_the_command_is_a_leaf(path: Path) -> None:
    if path != PACKAGE / "__main__.py" and not within(module_name(path), "nondet.cli"):
        assert not any(within(name, "nondet.cli") for name in imported(path))


# -- what an import costs


def modules_after(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after a statement."""
    code = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_importing_nondet_alone_is_light() -> None:
    # What the interpreter itself loads, path files of editable installations among it.
    more = modules_after("import nondet") - modules_after("pass")
    assert more <= {"nondet", "__future__"}


def test_the_command_loads_no_framework() -> None:
    assert not modules_after("import nondet.cli") & (FRAMEWORKS | {"libcst", "scipy"})


# -- the guest's syntax and imports


@pytest.mark.parametrize("path", GUEST, ids=module_name)
def test_guest_is_valid_in_the_oldest_python(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=OLDEST)


@pytest.mark.parametrize("path", GUEST, ids=module_name)
def test_guest_imports_the_standard_library_only_at_module_level(path: Path) -> None:
    """Deeper imports, of the framework that a factor concerns, wait until the script has it."""
    for name in imported(path, at_import(parsed(path))):
        top = name.partition(".")[0]
        assert top == "nondet" or top in sys.stdlib_module_names, name


def at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when a module is imported: all but the bodies of functions."""
    for child in ast.iter_child_nodes(tree):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield child
            yield from at_import(child)


def oldest_python() -> str | None:
    """An interpreter of that version that starts here, or None."""
    version = ".".join(map(str, OLDEST))
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    installed = sorted(root.glob(f"versions/{version}.*/bin/python"))
    for found in [*map(str, installed), shutil.which(f"python{version}")]:
        if found is None:
            continue
        code = "import sys; print(*sys.version_info[:2])"
        done = subprocess.run([found, "-c", code], capture_output=True, text=True, check=False)
        if done.stdout.split() == [str(part) for part in OLDEST]:
            return found
    return None


def test_guest_compiles_and_loads_in_the_oldest_python() -> None:
    python = oldest_python()
    if python is None:
        pytest.skip("no Python 3.7 here: neither of pyenv's nor python3.7 on PATH")
    code = (
        "import importlib, runpy, sys\n"
        "sys.dont_write_bytecode = True\n"
        "start, *names = sys.argv[1:]\n"
        "runpy.run_path(start)['load']()\n"
        "for name in names: importlib.import_module(name)\n"
    )
    names = ["_nondet_guest" + module_name(p).removeprefix("nondet.guest") for p in GUEST]
    names = [name for name in names if not name.endswith("__main__")]
    start = str(PACKAGE / "guest" / "__main__.py")
    done = subprocess.run(
        [python, "-c", code, start, *names], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
