"""What the host needs to know about the subject's interpreter and script, before any trial."""

import importlib.util
import json
import os
import sys
import traceback

LOOKED_FOR = ("tensorflow", "keras", "xxhash", "torch", "jax")


def main(out, script):
    facts = {
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "packages": packages(),
        "found": {name: present(name) for name in LOOKED_FOR},
    }
    facts.update(read_script(script))
    with open(out, "w") as file:
        json.dump(facts, file)


def present(name):
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def packages():
    """Name and version of every installed distribution; empty before Python 3.8."""
    try:
        from importlib import metadata
    except ImportError:
        return {}
    found = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found[name] = distribution.version or ""
    return found


def read_script(path):
    """A syntax error in this interpreter's own words, if there is one."""
    try:
        with open(path, "rb") as file:
            source = file.read()
        shown = os.path.abspath(path) if sys.version_info >= (3, 9) else path
        compile(source, shown, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        text = "".join(traceback.format_exception_only(type(error), error))
        return {"syntax_error": text}
    return {"syntax_error": None}
