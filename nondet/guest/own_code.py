"""Which files of the user's own are executed: edited while trials run, they are of two versions."""

import sys
import types

from . import auditing
from .kept import hashlib, os

HELD = vars(types.ModuleType)["__dict__"]
OURS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")


def install(session):
    digests, told = {}, set()

    def executed(frame, arguments):
        code = arguments[0]
        if getattr(code, "co_name", None) == "<module>":
            note(code.co_filename)

    def note(path):
        if path not in digests and is_own(session, path):
            digests[path] = digest(path)

    def tell():
        # Those that no audit event told of, as on Python 3.7.
        for path in files(session):
            note(path)
        found = {path: text for path, text in digests.items() if path not in told}
        if found:
            told.update(found)
            session.events.emit("modules", files=found)

    auditing.listen("exec", executed, session.failed)
    session.first_checkpoint.append(lambda: session.attempt("listing modules", tell))
    session.at_end.append(tell)


def files(session):
    """Those that modules were made of, by their absolute paths; no others than the user's."""
    paths = {attributes(module).get("__file__") for module in list(sys.modules.values())}
    return sorted(path for path in paths if isinstance(path, str) and is_own(session, path))


def is_own(session, path):
    return os.path.isabs(path) and not path.startswith(OURS) and session.sightings.is_own(path)


def attributes(module):
    """What it holds. One that waits to be imported would be, as soon as it is asked by itself, be
    it for this alone, as modules of apipkg's."""
    try:
        if isinstance(module, types.ModuleType):
            return HELD.__get__(module) or {}
        return object.__getattribute__(module, "__dict__")
    except AttributeError:
        return {}


def digest(path):
    """SHA-256 of the content; empty where there is none, as of code that only bears the name."""
    if not os.path.isfile(path):
        return ""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return ""
    try:
        found = hashlib.sha256()
        while True:
            data = os.read(handle, 1 << 20)
            if not data:
                return found.hexdigest()
            found.update(data)
    except OSError:
        return ""
    finally:
        os.close(handle)
