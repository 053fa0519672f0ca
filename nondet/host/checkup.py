"""``nondet doctor``: the machine, the interpreter and its libraries, as they bear on
reproducibility."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import psutil

from nondet import __version__
from nondet.host import gpus, interrupting, machine, remarks, scratch, surroundings
from nondet.host import subject as subjects
from nondet.host.availability import user_environment
from nondet.host.subject import GUEST, Description
from nondet.machines import Checkup, Library

ASKED = ("numpy", "tensorflow", "keras", "torch", "jax")
"""The libraries that guest/examining.py knows what to ask."""
SECONDS = 120
"""For one library to be imported and asked."""
TELLING = re.compile(
    r"(?:tensorflow|keras|tf-keras|torch|jax|jaxlib|numpy|scipy|scikit-learn|pandas|ml-dtypes|"
    r"h5py|mkl|intel-openmp|nvidia-(?!ml-py).*)\Z"
)
"""Names of the packages whose version bears on results."""


class Told(msgspec.Struct, frozen=True):
    """What a library says (guest/examining.py)."""

    version: str
    told: dict[str, str]
    failure: str = ""


def checkup(python: str, tell: Callable[[str], None] = lambda name: None) -> Checkup:
    """Ask for all of it; `tell` is given the name of each library before it is imported. Raises
    UsageError."""
    interpreter, described = subjects.interpreter(python)
    environ = user_environment()
    packages = {n: v for n, v in described.packages.items() if TELLING.match(n.lower())}
    seen = gpus.found()
    libraries = []
    for name in ASKED:
        if _installed(name, described):
            tell(name)
            libraries.append(examine(interpreter, name, environ))
    found = Checkup(
        nondet=__version__,
        interpreter=interpreter,
        environment=machine.environment(described.python, packages),
        physical_cores=psutil.cpu_count(logical=False),
        all_cores=os.cpu_count() or 1,
        quota=quota(),
        memory=psutil.virtual_memory().total,
        fixed_addresses=machine.can_fix_addresses(),
        features=surroundings.features(),
        cuda=seen.cuda,
        gpus=seen.devices,
        libraries=tuple(libraries),
        variables=surroundings.telling(environ),
    )
    return msgspec.structs.replace(found, remarks=tuple(remarks.of(found)))


def _installed(name: str, described: Description) -> bool:
    known = {package.lower() for package in described.packages}
    return described.found.get(name, name in known)


def examine(interpreter: str, name: str, environ: Mapping[str, str]) -> Library:
    """Import a library in a process of its own, and ask it."""
    with scratch.Private(scratch.temporary()) as folder:
        out = folder / "told.json"
        command = [interpreter, str(GUEST), "--examine", name, str(out)]
        try:
            done = interrupting.run(command, SECONDS, env=dict(environ), cwd=folder)
        except subprocess.TimeoutExpired:
            return Library(name=name, version="", failure=f"not imported within {SECONDS} s")
        try:
            told = msgspec.json.decode(out.read_bytes(), type=Told)
        except (OSError, msgspec.DecodeError):
            return Library(name=name, version="", failure=f"it ended with code {done.returncode}")
    return Library(name=name, version=told.version, told=told.told, failure=told.failure)


def quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Cores' worth of time that this process' control group gets; None without a limit."""
    try:
        allowed, _, period = (root / "cpu.max").read_text().partition(" ")
        return None if allowed == "max" else int(allowed) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
