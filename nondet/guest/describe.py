"""What the host needs to know about the subject's interpreter and script, before any trial."""

import importlib.util
import json
import os
import re
import sys
import traceback

from . import notebook

LOOKED_FOR = ("tensorflow", "keras", "torch", "jax", "IPython")
DIGEST = "xxh3_128"
"""What trials take of `xxhash`, which has it since its version 2."""


def main(out, script, module=False):
    """`script`: its path, or the name of a module as for ``python -m``."""
    facts = {
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "packages": packages(),
        "conda": conda(),
        "found": dict({name: present(name) for name in LOOKED_FOR}, xxhash=has_digest()),
    }
    if module:
        sys.path.insert(0, os.getcwd())
        facts["script"], facts["module"] = find_module(script)
        script = facts["script"]
    # What cells mean is only known while they run: an extension may change their syntax.
    readable = script and not script.lower().endswith(notebook.SUFFIX)
    facts.update(read_script(script) if readable else {"syntax_error": None})
    facts["package"] = package(script, facts.get("module", "")) if script else ""
    with open(out, "w") as file:
        json.dump(facts, file)


def present(name):
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def has_digest():
    try:
        import xxhash
    except Exception:  # Of whatever kind: a broken installation may raise anything.
        return False
    return hasattr(xxhash, DIGEST)


def packages():
    """Name and version of every installed distribution."""
    try:
        from importlib import metadata
    except ImportError:
        return dict(pair for entry in reversed(sys.path) for pair in installed_in(entry))
    found = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found[name] = distribution.version or ""
    return found


def conda():
    """Name, version and build of every package of the conda environment, if it is one: libraries
    that no distribution of Python's tells of are among them."""
    found = set()
    for prefix in (sys.prefix, sys.base_prefix):
        try:
            names = os.listdir(os.path.join(prefix, "conda-meta"))
        except OSError:
            continue
        found.update(name[: -len(".json")] for name in names if name.endswith(".json"))
    return sorted(found)


def installed_in(folder):
    """For Python 3.7, which has no `importlib.metadata`: pairs of name and version, by the names of
    the folders that installers leave."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        match = re.match(r"([\w.+-]+?)-(\d[^-]*)(-py[\d.]+)?\.(dist|egg)-info$", name)
        if match:
            yield match.group(1).replace("_", "-"), match.group(2)


def find_module(name):
    """The file that ``python -m`` would run, and the module's own name, a package's ``__main__``;
    nothing is executed for that, no package on the way either. None for no such file."""
    places, parts = None, name.split(".")
    spec = None
    for end in range(1, len(parts) + 1):
        spec = found(".".join(parts[:end]), places)
        if spec is None:
            return None, name
        places = spec.submodule_search_locations
        if places is None and end < len(parts):
            return None, name
    if places is not None:
        name += ".__main__"
        spec = found(name, places)
    origin = getattr(spec, "origin", None)
    return (origin if getattr(spec, "has_location", False) else None), name


def package(script, module):
    """Folder of the installed package that a script is a part of: of the module that is run, or of
    what a console script calls. Empty where the code is no installed one."""
    name = module or entry_point(script)
    spec = found(name.partition(".")[0], None) if name else None
    places = list(getattr(spec, "submodule_search_locations", None) or ())
    installed = os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep
    return next((p for p in places if any(part in p for part in installed)), "")


def entry_point(script):
    """The module that a console script, as installers write them, calls; empty for others."""
    try:
        with open(script, encoding="utf-8") as file:
            source = file.read(4096)
    except (OSError, UnicodeDecodeError):
        return ""
    if not source.startswith("#!") or "sys.exit(" not in source:
        return ""
    called = re.search(r"^from ([\w.]+) import \w+\s*(?:#.*)?$", source, re.MULTILINE)
    return called.group(1) if called else ""


def found(name, places):
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        try:
            spec = find(name, places) if find else None
        except (ImportError, ValueError, TypeError):
            spec = None
        if spec is not None:
            return spec
    return None


def read_script(path):
    """A syntax error in this interpreter's own words, if there is one."""
    try:
        with open(path, "rb") as file:
            source = file.read()
        shown = os.path.abspath(path) if sys.version_info >= (3, 9) else path
        compile(source, shown, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        # The last two say that it is nested too deeply.
        text = "".join(traceback.format_exception_only(type(error), error))
        return {"syntax_error": text}
    return {"syntax_error": None}
