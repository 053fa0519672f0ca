"""Which interpreter runs the script where ``--python`` names none."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ACTIVATED = ("VIRTUAL_ENV", "CONDA_PREFIX")
"""Variables by which a shell's activated environment is known: its folder."""
RECEIPTS = ("pipx_metadata.json", "uv-receipt.toml")
"""Files that lie in an environment made for one command alone, by pipx and by uv."""


def default(
    environ: Mapping[str, str] | None = None,
    *,
    own: str = sys.executable,
    prefix: str = sys.prefix,
    path: Sequence[str] | None = None,
    program: str | None = None,
) -> str:
    """The interpreter that ``python train.py`` would start in the user's shell, as far as that is
    clear; else the one that runs nondet.

    That is the activated environment's, where nondet lives in another one: in one of its own, or in
    any that the shell found the command in by its name. Who names the command by its path means
    the environment that it lies in.
    """
    environ = os.environ if environ is None else environ
    path = sys.path if path is None else path
    program = sys.argv[0] if program is None else program
    folder = activated(environ)
    if folder is None or same(folder, Path(prefix)) or extends(folder, path):
        return own
    python = folder / "bin" / "python"
    if not os.access(python, os.X_OK):
        return own
    return str(python) if tool(prefix) or by_name(program, environ) else own


def activated(environ: Mapping[str, str]) -> Path | None:
    """The folder of the activated environment. Of two, the one whose programs the shell finds."""
    found = [Path(environ[name]) for name in ACTIVATED if environ.get(name)]
    for entry in environ.get("PATH", "").split(os.pathsep):
        for folder in found:
            if entry and same(folder / "bin", Path(entry)):
                return folder
    return found[0] if found else None


def same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def extends(folder: Path, path: Sequence[str]) -> bool:
    """Whether nondet's own interpreter finds the packages of that environment as well, as with
    ``uv run --with``."""
    libraries = os.path.join(os.path.realpath(folder), "lib", "")
    return any(os.path.realpath(entry).startswith(libraries) for entry in path if entry)


def tool(prefix: str = sys.prefix) -> bool:
    """Whether that environment was made for one command alone: no script's packages are in it."""
    return any((Path(prefix) / name).exists() for name in RECEIPTS)


def by_name(program: str, environ: Mapping[str, str]) -> bool:
    """Whether the shell would find this very program by its name."""
    found = shutil.which(os.path.basename(program), path=environ.get("PATH"))
    return found is not None and same(Path(found), Path(program))
