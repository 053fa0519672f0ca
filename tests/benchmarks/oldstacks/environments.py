"""Environments of old packages, made where they are missing."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
FOLDER = ROOT / "build" / "oldstacks"


@dataclasses.dataclass(frozen=True)
class Stack:
    """Packages of one time, and what they need around them."""

    name: str
    title: str
    packages: tuple[str, ...]
    backend: str = ""
    """Of Keras; empty without it."""
    version: str = "3.7"
    """Of Python."""
    alone: tuple[str, ...] = ()
    """Packages that are installed without what they ask for."""
    eager: bool = False
    """Whether it trains outside of a graph of TensorFlow 1's."""

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
    Stack(
        "eager",
        "Keras 2.11 on TensorFlow 2.11",
        ("tensorflow-cpu==2.11.0", "numpy<1.22"),
        "tensorflow",
        eager=True,
    ),
    Stack(
        "tf_keras",
        "tf_keras 2.18 on TensorFlow 2.18",
        ("tensorflow-cpu==2.18.0",),
        "tensorflow",
        "3.11",
        # It asks for the build with GPUs.
        ("tf_keras==2.18.0",),
        eager=True,
    ),
)


def made(stack: Stack) -> None:
    """Make the environment unless it is there. Raises SystemExit without its Python."""
    ready = stack.folder / "ready"
    wanted = "\n".join((*stack.packages, *stack.alone))
    if ready.exists() and ready.read_text() == wanted:
        return
    shutil.rmtree(stack.folder, ignore_errors=True)
    subprocess.run([interpreter(stack.version), "-m", "venv", str(stack.folder)], check=True)
    install = [stack.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # Theano's own installation needs it and does not say so.
    subprocess.run([*install, "wheel"], check=True)
    subprocess.run([*install, *stack.packages], check=True)
    if stack.alone:
        subprocess.run([*install, "--no-deps", *stack.alone], check=True)
    ready.write_text(wanted)


def interpreter(version: str) -> str:
    """A Python of that version: the one named by PYTHON37 (and alike), pyenv's, or that on PATH."""
    name = f"PYTHON{version.replace('.', '')}"
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    known = [os.environ.get(name)]
    known += [str(path) for path in sorted(root.glob(f"versions/{version}.*/bin/python"))]
    known += [shutil.which(f"python{version}")]
    for found in known:
        if found and os.access(found, os.X_OK):
            return found
    raise SystemExit(
        f"oldstacks: these packages need Python {version}: install one, or name it with {name}=..."
    )
