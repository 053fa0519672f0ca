"""Activity that no factor explains: what to look at when nothing known holds the runs together.

Plain stand-ins for a few functions, where an audit hook would be called at every `id()` and every
look at a frame, a hundred times as often; `os.fork` alone is heard by that of auditing.py.
"""

import os
import re
import sys

from . import auditing, own_code, suspect_calls
from .factors.base import replace
from .launching import Handed
from .made import CLAIMED

SEEDING = (
    "seed", "set_seed", "set_random_seed", "random_seed", "manual_seed", "seed_everything",
    "setRNGSeed", "set_rng_seed", "set_random_generator_seed",
)  # fmt: skip
"""Names of functions that tell of a generator of a library's own."""
EXPLAINED = {
    # Their generators are factors.
    "numpy", "tensorflow", "keras", "tf_keras", "torch", "jax", "jaxlib", "cv2", "numba", "polars",
    "scipy", "sklearn", "random",
    # They seed the generators of the above, and have none.
    "accelerate", "diffusers", "fastai", "lightning", "monai", "pytorch_lightning",
    "sentence_transformers", "transformers", "nondet",
}  # fmt: skip
IMPORT = re.compile(r"\s*(?:from\s+(\w[\w.]*)\s+import\b|import\s+([^\n#;]+))")


def install(session):
    """Listen for threads, processes, connections and foreign code that the script starts."""
    suspicions = Suspicions(session)
    for name, listen in (
        ("threading", suspicions.threads),
        ("subprocess", suspicions.commands),
        ("multiprocessing.process", suspicions.processes),
        ("socket", suspicions.connections),
        ("ctypes", suspicions.foreign_code),
        ("cffi.api", suspicions.foreign_interface),
    ):
        session.on_import(name, listen)
    suspicions.forks()
    suspect_calls.install(suspicions)
    session.at_end.append(suspicions.unlisted_libraries)


class Suspicions(object):
    """Each kind of activity, noted once for each line of the user's."""

    def __init__(self, session):
        self.session = session

    def note(self, detail, frame, through=(), kinds=("user",)):
        """Note what the user's code does itself, or through these modules of the standard
        library."""
        try:
            frame, kind = self.session.asker(frame, through)
            if frame is not None and kind in kinds and self.session.sightings.place(frame)[0]:
                self.session.unexplained(detail, frame)
        except Exception as error:
            self.session.failed("noting " + detail, error)

    def before(self, owner, name, detail, through=(), kinds=("user",)):
        """Note `detail`, or what it says of the arguments, and go on with the function."""

        def make(original):
            def wrapper(*args, **kwargs):
                try:
                    text = detail(*args, **kwargs) if callable(detail) else detail
                except Exception:
                    # Arguments that the function itself refuses.
                    text = ""
                if text:
                    self.note(text, sys._getframe(1), through, kinds)
                return original(*args, **kwargs)

            return wrapper

        replace(owner, name, make)

    def threads(self, module):
        self.before(module.Thread, "start", "a thread of the script's own", ("threading",))

    def commands(self, module):
        def unseen(popen, args=(), *rest, **more):
            return "" if isinstance(args, Handed) else CHILD

        self.before(module.Popen, "__init__", unseen, ("subprocess", "os"))

    def processes(self, module):
        """What a forked pool draws is seen to (python-random); one of another kind has a Python of
        its own for each worker."""

        def make(original):
            def wrapper(process, *args, **kwargs):
                forked = getattr(process, "_start_method", "fork") in ("fork", None)
                self.note(CHILD, sys._getframe(1), PROCESSES if forked else PROCESSES + POOLS)
                return original(process, *args, **kwargs)

            return wrapper

        replace(module.BaseProcess, "start", make)

    def forks(self):
        for name in ("system", "posix_spawn", "posix_spawnp"):
            self.before(os, name, CHILD, ("os",))
        if hasattr(sys, "addaudithook"):
            # It warns where threads run, and of the line that calls it: no stand-in may be that.
            auditing.listen("os.fork", self.forked, self.session.failed)
            return

        def make(original):
            def fork():
                self.forked(sys._getframe(1))
                return original()

            return fork

        replace(os, "fork", make)

    def forked(self, frame, arguments=()):
        # What forks for `os.spawn*`. Other frames are not looked into: that would keep what
        # they hold alive.
        spawning = frame.f_code.co_name == "_spawnvef"
        if not (spawning and isinstance(frame.f_locals.get("args"), Handed)):
            self.note(CHILD, frame, ("os",))

    def connections(self, module):
        """Also those of libraries: what comes over the network may be another in every run."""
        for name in ("connect", "connect_ex"):
            self.before(
                module.socket,
                name,
                lambda connection, address=None, *rest: connected(
                    module, connection, address, sys._getframe(2)
                ),
                THROUGH_NETWORK,
                ("user", "library"),
            )

    def foreign_code(self, module):
        self.before(module.CDLL, "__init__", FOREIGN, ("ctypes",))

    def foreign_interface(self, module):
        self.before(module.FFI, "dlopen", FOREIGN)

    # -- at the end

    def unlisted_libraries(self):
        """Libraries that the user's code imports and that have a generator nobody here knows."""
        told = set()
        files = [(path, lines_of(path)) for path in self.user_files()]
        files += [(cell.name, cell.lines) for cell in self.session.cells]
        for path, lines in files:
            for number, name in imports(lines):
                if name in told or name in EXPLAINED or name in CLAIMED:
                    continue
                seed = seeding_function(name)
                if seed:
                    told.add(name)
                    detail = "%s has a generator of its own (%s), which nondet does not know"
                    site = (path, number, "<module>")
                    self.session.unexplained_at(detail % (name, seed), site)

    def user_files(self):
        return [path for path in own_code.files(self.session) if path.endswith(".py")]


CHILD = "a child process, in which nothing is seen"
FOREIGN = "a foreign library, in which nothing is seen"
PROCESSES = ("multiprocessing.process", "multiprocessing.context")
POOLS = (
    "multiprocessing.pool", "concurrent.futures.process", "concurrent.futures._base",
    "asyncio.base_events",
)  # fmt: skip
"""`map` of an executor, and an event loop that hands something to one, submit on their caller's
behalf, and the first task is what starts the processes."""
THROUGH_NETWORK = ("socket", "ssl", "http.client", "urllib.request", "ftplib", "smtplib")


def connected(module, connection, address, frame):
    """Where a connection goes, or nothing for one that needs no network."""
    if connection.family not in (module.AF_INET, module.AF_INET6) or not address:
        return ""
    host = address[0]
    if frame.f_code.co_name == "create_connection":
        # Of the standard library or urllib3: the name is looked up by then.
        host = frame.f_locals.get("host", host)
    return "a connection to %s" % (host,)


def lines_of(path):
    """The lines of a file of the user's."""
    try:
        with open(path, "rb") as file:
            return [line.decode("utf-8", "replace") for line in file]
    except OSError:
        # Made on the way and gone, as those of AutoGraph.
        return []


def imports(lines):
    """Line and top-level package of every import in the user's code, as its text has them."""
    for number, line in enumerate(lines, start=1):
        found = IMPORT.match(line)
        if found:
            for name in (found.group(1) or found.group(2)).split(","):
                yield number, name.strip().partition(" ")[0].partition(".")[0]


def seeding_function(name):
    """The dotted name of what seeds a library's own generator; empty where there is none.

    Looked up in what is loaded and nowhere else: asking a module for an attribute may import more.
    """
    package = sys.modules.get(name)
    path = getattr(package, "__file__", None) or ""
    third_party = os.sep + "site-packages" + os.sep in path or os.sep + "dist-packages" in path
    if package is None or not third_party:
        return ""
    for place in (name, name + ".random"):
        values = own_code.attributes(sys.modules.get(place))
        for seed in SEEDING:
            function = values.get(seed)
            home = str(getattr(function, "__module__", None) or name).partition(".")[0]
            if callable(function) and home.lstrip("_") == name.lstrip("_"):
                return "%s.%s" % (place, seed)
    return ""
