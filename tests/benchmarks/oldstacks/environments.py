"""Environments of old packages on Python 3.7, made where they are missing."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
FOLDER = ROOT / "build" / "oldstacks"
OLDEST = "3.7"


@dataclasses.dataclass(frozen=True)
class Stack:
    """Packages of one time, and what they need around them."""

    name: str
    title: str
    packages: tuple[str, ...]
    backend: str = ""
    """Of Keras; empty without it."""

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def environ(self, compiled: Path | None = None) -> dict[str, str]:
        """The environment of its scripts. `compiled`: where Theano keeps what it has compiled; by
        itself it does so in the home folder, which the trials would share with whatever ran
        before. None: it compiles nothing, which takes minutes for each new graph."""
        ours = {"TF_CPP_MIN_LOG_LEVEL": "3"}
        if self.backend:
            ours["KERAS_BACKEND"] = self.backend
        if self.backend == "theano":
            # No BLAS to link with is found by itself.
            compiling = "cxx=" if compiled is None else f"base_compiledir={compiled}"
            ours["THEANO_FLAGS"] = f"blas.ldflags=,{compiling}"
        return {**os.environ, **ours}


STACKS = (
    Stack(
        "tensorflow",
        "Keras 2.2.5 on TensorFlow 1.15",
        ("tensorflow==1.15.5", "keras==2.2.5", "h5py==2.10.0", "protobuf<3.21", "numpy<1.19"),
        "tensorflow",
    ),
    Stack(
        "theano",
        "Keras 2.3.1 on Theano 1.0.5",
        ("theano==1.0.5", "keras==2.3.1", "h5py==2.10.0", "numpy==1.19.5", "scipy"),
        "theano",
    ),
    Stack("numpy", "NumPy 1.21 on Python 3.7", ("numpy==1.21.6",)),
)


def made(stack: Stack) -> None:
    """Make the environment unless it is there. Raises SystemExit without Python 3.7."""
    ready = stack.folder / "ready"
    wanted = "\n".join(stack.packages)
    if ready.exists() and ready.read_text() == wanted:
        return
    shutil.rmtree(stack.folder, ignore_errors=True)
    subprocess.run([oldest(), "-m", "venv", str(stack.folder)], check=True)
    install = [stack.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # Theano's own installation needs it and does not say so.
    subprocess.run([*install, "wheel"], check=True)
    subprocess.run([*install, *stack.packages], check=True)
    ready.write_text(wanted)


def oldest() -> str:
    """A Python 3.7: that named by PYTHON37, pyenv's, or the one on PATH."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    known = [os.environ.get("PYTHON37"), shutil.which(f"python{OLDEST}")]
    known[1:1] = [str(path) for path in sorted(root.glob(f"versions/{OLDEST}.*/bin/python"))]
    for found in known:
        if found and os.access(found, os.X_OK):
            return found
    raise SystemExit(
        "oldstacks: these packages need Python 3.7: install one, or name it with PYTHON37=..."
    )
