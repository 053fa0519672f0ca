"""A process that has imported a subject's frameworks and run nothing: its trials are forked off it.

Started as ``PYTHON .../nondet/guest --parent SETTINGS.json SOCKET``. Each message from the host is
a number of four bytes. A zero asks for a trial, and comes with three descriptors: the order's pipe,
the answers' pipe and a log. A first fork becomes that trial's supervisor (the host's own program,
named in the settings), and the supervisor forks the trial, which goes on below as if it had just
been started. Any other number is that of a supervisor that has ended and that the host is done
with.
"""

import json
import os
import sys

from . import (  # noqa: F401
    keras_recorder,
    knobs,
    late,
    own_code,
    restarting,
    running,
    session,
    suspicions,
    user_values,
)

EARLY = frozenset(sys.modules)
"""Modules that a trial started by itself has loaded as well when its plan is applied."""

import contextlib  # noqa: E402
import ctypes  # noqa: E402
import importlib  # noqa: E402
import importlib.util  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import tempfile  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
import traceback  # noqa: E402
import warnings  # noqa: E402

PR_SET_PDEATHSIG = 1
SUPERVISOR = "_nondet_supervisor"
NVIDIA = "/dev/nvidia"
"""Devices that CUDA opens once it is asked for a GPU's number or more; a forked process can't use
it from then on."""


def main(settings_path, handle):
    with open(settings_path, "rb") as file:
        settings = json.loads(file.read().decode("utf-8"))
    host = socket.socket(fileno=int(handle))
    host.set_inheritable(False)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != settings["host"]:
        return
    parent = Parent(settings)
    answer = parent.prepare()
    host.sendall(json.dumps(answer).encode() + b"\n")
    if answer["unfit"]:
        return
    # Whatever the imports have set: a supervisor that nobody has waited for keeps its number, which
    # the host knows it by.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    while True:
        data, handles, _, _ = socket.recv_fds(host, 4, 3)
        if not data:
            return
        ended = int.from_bytes(data, "big")
        if ended:
            os.waitpid(ended, 0)
            continue
        with warnings.catch_warnings():
            # Of forking beside threads: those of the linear algebra library know about it.
            warnings.simplefilter("ignore")
            child = os.fork()
        if child == 0:
            host.close()
            order = supervise(settings["supervisor"], handles)
            begin(order, parent)
            return
        for each in handles:
            os.close(each)
        host.sendall(json.dumps({"pid": child}).encode() + b"\n")


class Parent(object):
    """What is imported, and what the process was like before."""

    def __init__(self, settings):
        self.settings = settings
        self.given = dict(os.environ)
        self.states = {}
        """Of the generators that are seeded before the imports, what the pinned arms start from."""
        self.said = (b"", b"")
        """What the imports wrote to stdout and stderr."""

    def prepare(self):
        """Import as the subject does; the answer for the host."""
        started, unfit = time.perf_counter(), ""
        with self.listening():
            try:
                self.imports()
            except Exception as error:
                unfit = "%s: %s" % (type(error).__name__, error)
        unfit = unfit or self.unfit()
        return {"ready": time.perf_counter() - started, "unfit": unfit}

    def imports(self):
        folder = self.settings["folder"]
        # A module in the script's folder may stand before an installed one.
        sys.path.insert(0, folder)
        changed = {}
        states = late.seed_generators(self.settings["seed"])
        for name, changes in self.settings["imports"]:
            change(changes)
            changed.update(changes)
            importlib.import_module(name)
        self.states = states()
        sys.path.remove(folder)
        # The script will change it by itself; what the frameworks have set stays.
        change({name: self.given.get(name) for name in changed})

    def unfit(self):
        """Why nothing can be forked off this process; empty when that is possible."""
        if threading.active_count() > 1:
            return "importing starts threads"
        for name in list(sys.modules):
            if name not in EARLY and self.own(sys.modules[name]):
                return "%s is a file of the script's own" % name
        for name, attribute in (
            ("tensorflow.python.eager.context", "_context"),
            ("jax._src.xla_bridge", "_backends"),
        ):
            if getattr(sys.modules.get(name), attribute, None):
                return "importing starts %s" % name.partition(".")[0]
        cuda = sys.modules.get("torch.cuda")
        if (cuda is not None and cuda.is_initialized()) or opens(NVIDIA):
            return "importing starts CUDA"
        return ""

    def own(self, module):
        path = getattr(module, "__file__", None) or ""
        folder = os.path.join(self.settings["folder"], "")
        installed = "site-packages" in path or "dist-packages" in path
        return path.startswith(folder) and not installed

    @contextlib.contextmanager
    def listening(self):
        """Keep what is written meanwhile, by libraries below Python as well."""
        kept = [os.dup(1), os.dup(2)]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            for number, file in enumerate((out, err), 1):
                os.dup2(file.fileno(), number)
            try:
                yield
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                for number, handle in enumerate(kept, 1):
                    os.dup2(handle, number)
                    os.close(handle)
                said = []
                for file in (out, err):
                    file.seek(0)
                    said.append(file.read())
                self.said = tuple(said)


def opens(start, folder="/proc/self/fd"):
    """Whether this process has a file open whose path starts so."""
    for name in os.listdir(folder):
        try:
            if os.readlink(os.path.join(folder, name)).startswith(start):
                return True
        except OSError:
            continue
    return False


def change(variables):
    """Set variables of the environment, or take out those without a value."""
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def supervise(program, handles):
    """Be the supervisor of one trial to its end. Returns in the forked trial, with its order."""
    try:
        os.setsid()
        for number, handle in enumerate(handles):
            os.dup2(handle, number)
            os.close(handle)
        spec = importlib.util.spec_from_file_location(SUPERVISOR, program)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        order = module.main(forking=True)
    except BaseException:
        os.write(2, traceback.format_exc().encode("utf-8", "replace"))
        os._exit(1)
    if order is None:
        os._exit(0)
    return order


def begin(order, parent):
    """In the trial: go on as the interpreter would that was started with these arguments."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, said in enumerate(parent.said, 1):
        os.write(number, said)
    names = set(order["env"]) | set(parent.given)
    values = {name: order["env"].get(name) for name in names}
    change({name: value for name, value in values.items() if parent.given.get(name) != value})
    sys.argv = order["argv"][1:]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv = list(order["argv"])
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None:
        processes.ORIGINAL_DIR = os.getcwd()
    sys.path_importer_cache.pop(parent.settings["folder"], None)
    importlib.invalidate_caches()
    running.main(order["argv"][-1], late.Late(EARLY, parent.states))
