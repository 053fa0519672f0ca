"""Plugins: small Python files of the user's that name a library's own generator."""

import sys
import types

NAME = "_nondet_plugin_%d"
NAMES = ("DRAWS", "SEEDS")


def load(session):
    """The plugins of the plan, each as the module that its file makes.

    Neither their folder nor a cache of bytecode comes into the subject's way. A trial without a
    plugin that was asked for proves nothing.
    """
    found = []
    for number, path in enumerate(session.plan.get("plugins") or ()):
        try:
            found.append(checked(made(path, NAME % number), path))
        except Exception as error:
            session.failed("loading the plugin " + path, error, lost=True)
    return found


def made(path, name):
    with open(path, "rb") as file:
        source = file.read()
    module = types.ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module
    # A name that is no path: what a plugin does at our request is no line of the user's code.
    exec(compile(source, "<plugin %s>" % path, "exec", dont_inherit=True), module.__dict__)
    return module


def checked(module, path):
    """Raises ValueError for what can't be used; the host has looked at the text alone."""
    if not isinstance(getattr(module, "MODULE", None), str):
        raise ValueError("%s has no MODULE, the dotted name of the library's module" % path)
    for name in ("seed", "draw"):
        if not callable(getattr(module, name, None)):
            raise ValueError("%s has no function %s" % (path, name))
    for name in NAMES:
        names = getattr(module, name, ())
        if isinstance(names, str) or not all(isinstance(n, str) for n in names):
            raise ValueError("%s: %s is to hold dotted names, as text" % (path, name))
    return module
