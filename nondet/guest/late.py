"""A plan that is applied after the frameworks were imported, as if it had been before.

Modules take functions over from one another while they are imported (``from time import time``).
What a factor puts in such a function's place later on is passed on to those that took it over.
"""

import contextlib
import sys
import types

from . import session
from .evidence import GUEST
from .own_code import attributes

PACKAGE = __name__.partition(".")[0] + "."


class Late(object):
    """Made before the plan is applied. `early` names the modules that never hold a stand-in;
    `states` are those of `seed_generators` after the imports."""

    def __init__(self, early, states):
        self.early, self.states = early, states
        renew()
        self.before = [(module, dict(attributes(module))) for module in modules()]

    def applied(self, arms):
        """The plan with these arms has been applied."""
        self.spread()
        for factor, state in self.states.items():
            if arms.get(factor) == "pinned":
                generator(factor).setstate(state)

    def spread(self):
        """Pass the stand-ins on."""
        stand_ins = {}
        for module, before in self.before:
            now = attributes(module)
            for name, old in before.items():
                new = now.get(name, old)
                if new is not old and callable(old) and callable(new) and not apart(new):
                    stand_ins[id(old)] = (old, new)
        for module, _ in self.before:
            now = attributes(module)
            if now.get("__name__") in self.early:
                continue
            for name, value in list(now.items()):
                found = stand_ins.get(id(value))
                if found is not None and found[0] is value:
                    now[name] = found[1]


def apart(stand_in):
    """Whether it stands for a class in one module alone. Objects of that class are pickled by its
    name in its own module, where it has to stay."""
    return issubclass(type(stand_in), type) and "stands_apart" in vars(stand_in)


def modules():
    """All modules but our own, each once."""
    found = {}
    for module in list(sys.modules.values()):
        held = attributes(module)
        name = str(held.get("__name__"))
        if isinstance(module, types.ModuleType) and not name.startswith(PACKAGE):
            path = str(held.get("__file__") or "")
            if not path.startswith(GUEST):
                found[id(module)] = module
    return list(found.values())


def seed_generators(seed):
    """Seed as the pinned arms do before the first import: frameworks draw from these generators
    while they are imported. The result gives their states from then on."""
    import random

    factors = ["python-random"]
    random.seed(session.number(seed, session.SEEDS + "python-random", 0))
    with contextlib.suppress(ImportError):
        import numpy.random

        numpy.random.seed(session.number(seed, session.SEEDS + "numpy-global", 0) & 0xFFFFFFFF)
        factors.append("numpy-global")
    return lambda: {factor: generator(factor).getstate() for factor in factors}


class Numpy(object):
    """NumPy's global generator, with the methods of a `random.Random`."""

    def getstate(self):
        return sys.modules["numpy.random"].mtrand._rand.get_state()

    def setstate(self, state):
        sys.modules["numpy.random"].mtrand._rand.set_state(state)


def generator(factor):
    return sys.modules["random"]._inst if factor == "python-random" else Numpy()


def renew():
    """Draw anew what every process of its own draws when it starts. (Python's `random` does that
    by itself in a forked process.)"""
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.default_generator.seed()
