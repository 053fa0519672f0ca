"""XLA's flags: set before it reads them, and read back from XLA itself where it tells.

TensorFlow and JAX bring an XLA each. Either reads ``XLA_FLAGS`` once, when it compiles for the
first time, and ends the process over a flag that it does not know.
"""

import os
import sys

from .factors.base import replace

VARIABLE = "XLA_FLAGS"
MODULES = (
    ("tensorflow.python.framework.versions", "VERSION", (2, 4)),
    ("jaxlib.version", "__version__", (0, 3)),
)
"""(module that is imported before XLA compiles anything, its version, the first that knows the
flags for GPUs that are set here)."""


def numbers(version):
    """The first two numbers of a version."""
    found = []
    for part in version.split(".")[:2]:
        digits = "".join(c for c in part if c.isdigit())
        found.append(int(digits or 0))
    return tuple(found)


def add(flags):
    """Put flags after those that are there: the last of two that are alike wins."""
    kept = [f for f in os.environ.get(VARIABLE, "").split() if f not in flags]
    os.environ[VARIABLE] = " ".join(kept + list(flags))


def hold(session, factor, flags):
    """Set flags as soon as something is imported that brings XLA, and read them back at the first
    checkpoint."""

    def imported(module, version, first):
        if numbers(getattr(module, version, "")) < first or not concerned(module, flags):
            return
        add(flags)
        if not waiting:
            waiting.append(module)
            session.first_checkpoint.append(
                lambda: session.read_back(factor, list(flags), in_force(flags))
            )

    def begins(module):
        """A script may have set the variable anew before JAX begins, which is at its first use."""

        def make(original):
            def wrapper(*args, **kwargs):
                if waiting and not module._backends:
                    add(flags)
                return original(*args, **kwargs)

            return wrapper

        replace(module, "backends", make)

    waiting = []
    session.on_import("jax._src.xla_bridge", begins)
    for name, version, first in MODULES:
        session.on_import(
            name, lambda module, version=version, first=first: imported(module, version, first)
        )


def concerned(module, flags):
    """Whether flags bear on the XLA that comes with a module: a TensorFlow for the CPU has nothing
    to do with those for GPUs, and a script that sets its own later would undo them for nothing."""
    if not module.__name__.startswith("tensorflow") or "--xla_gpu_" not in " ".join(flags):
        return True
    try:
        from tensorflow.python.platform import build_info
    except ImportError:
        return True
    return bool(build_info.build_info.get("is_cuda_build", True))


def in_force(flags):
    """The same flags with the values that are in force: as JAX' XLA tells of them, and as
    TensorFlow's, which does not tell, finds them in the environment."""
    told = options()
    if told is None:
        given = in_environment(VARIABLE).split()
        last = {flag.partition("=")[0]: flag for flag in given}
        return [last.get(flag.partition("=")[0], "") for flag in flags]
    values = dict(line.strip().partition(": ")[::2] for line in told.splitlines())
    found = []
    for flag in flags:
        name = flag.lstrip("-").partition("=")[0]
        # What is false, zero or empty by default is left out of what it tells.
        found.append("--%s=%s" % (name, values.get(name, "false").strip('"')))
    return found


def options():
    """All options of the XLA that JAX has begun to use, as text; None when it has not, or when
    this version does not tell. Asking earlier would have it read its flags."""
    bridge = sys.modules.get("jax._src.xla_bridge")
    if bridge is None or not getattr(bridge, "_backends", None):
        return None
    client = getattr(sys.modules.get("jax._src.lib"), "xla_client", None)
    try:
        # Each is a view into the one before, which must outlive it.
        every = client.CompileOptions()
        building = every.executable_build_options
        text = repr(building.debug_options)
    except Exception:
        return None
    return text if "xla_" in text else None


def in_environment(name):
    """A variable as libraries see it, which is not always as Python remembers it."""
    import ctypes

    # Not by a library of its own, which would be noted as one that the script loads.
    getenv = ctypes.pythonapi["getenv"]
    getenv.restype, getenv.argtypes = ctypes.c_char_p, (ctypes.c_char_p,)
    return (getenv(name.encode("ascii")) or b"").decode("utf-8", "replace")


def code(flag):
    """Code for the top of a script that adds a flag to those that are there."""
    return 'import os\nos.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " %s"' % flag
