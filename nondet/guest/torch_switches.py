"""PyTorch's switches: set, and held against a script that sets them otherwise."""

import re
import sys

from .factors.base import replace

REFUSED = re.compile(r"^(\S+) does not have a deterministic implementation, but you set")
"""How PyTorch warns where ``warn_only`` keeps it from refusing."""
CUBLAS = re.compile(r"^Deterministic behavior was enabled .* because it uses CuBLAS")


def hold(torch, setter, value):
    """Set one of PyTorch's own switches by its C function, and have every later call of that set
    the same. Whether this version has it."""
    core = torch._C
    if not hasattr(core, setter):
        return False
    original = getattr(core, setter)

    def make(original):
        def wrapper(*args, **kwargs):
            return original(value)

        return wrapper

    original(value)
    replace(core, setter, make)
    # The properties keep the C functions that were there when they were made.
    for prop in vars(type(torch.backends.cudnn)).values():
        if getattr(prop, "setter", None) is original:
            prop.setter = getattr(core, setter)
    return True


def deterministic(torch):
    """Ask for deterministic kernels, and warn where there is none; the script's own choice gives
    way. What sets PyTorch's switch without us; None where it has none."""
    core = torch._C
    name = "_set_deterministic_algorithms"
    original = getattr(core, name, None)
    if original is None:  # before PyTorch 1.8
        return None

    def ask():
        try:
            original(True, warn_only=True)
        except TypeError:  # before PyTorch 1.11 there is no such choice
            original(True)

    def make(original):
        def wrapper(*args, **kwargs):
            ask()

        return wrapper

    ask()
    replace(core, name, make)
    filling = sys.modules.get("torch.utils.deterministic")
    if filling is not None:
        # Another factor's (memory-fill): numbers that nobody wrote would be NaN from here on.
        filling.fill_uninitialized_memory = False
    return original


def is_deterministic(torch):
    ask = getattr(torch, "are_deterministic_algorithms_enabled", None)
    return ask is not None and bool(ask())


def inductor(session):
    """``torch.compile`` chooses its kernels by timing, unless it is told not to. In PyTorch
    `use_deterministic_algorithms` says so to it as well."""

    def tell(module):
        if hasattr(module, "deterministic"):
            module.deterministic = True

    session.on_import("torch._inductor.config", tell)


def listen(session, factor, suffix):
    """Note which operations PyTorch warns of, at the user's line, in place of the warning; `suffix`
    ends the detail that is noted."""
    import warnings

    warnings.filterwarnings("default", message=REFUSED.pattern)
    warnings.filterwarnings("default", message=CUBLAS.pattern)

    def make(original):
        def wrapper(message):
            op = named(str(message.message))
            if not op:
                return original(message)
            try:
                session.saw(factor, op + suffix, None)
            except Exception as error:
                session.failed("noting " + op, error)

        return wrapper

    replace(warnings, "_showwarnmsg", make)


def named(text):
    """The operation that a warning is about; empty when it is another warning."""
    found = REFUSED.match(text)
    if found:
        return found.group(1)
    return "a product by cuBLAS" if CUBLAS.match(text) else ""
