"""What a process is called: its id, its host's name, the names of its temporary files."""

import functools
import os
import stat
import sys

from .. import asking
from ..crossing import Crossing
from ..lineage import LINEAGE
from ..os_functions import kept_references, replace_in_os
from .base import ALWAYS, Factor, replace

HIGHEST_PID = 1 << 22
"""Process ids of Linux are below this: those that stand in are above, and name no other process."""
TAKING_PID = (
    "kill", "killpg", "waitpid", "wait4", "getpgid", "getsid", "setpgid", "pidfd_open",
    "sched_getaffinity", "sched_setaffinity", "sched_getscheduler", "sched_setscheduler",
    "sched_getparam", "sched_setparam", "sched_rr_get_interval",
)  # fmt: skip
TAKING_HOST = ("gethostbyname", "gethostbyname_ex", "getaddrinfo")
MAKING = ("_sanitize_params", "mktemp")
"""Functions of `tempfile` that ask for the usual folder where none was named."""
MOUNT_POINT = 0o500
"""Mode of the folder over which a trial's own is mounted, which has another."""
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class ProcessIdentity(Factor):
    name = "process-identity"
    group = "entropy"
    title = "Process id, host name, temporary names"
    symptom = (
        "Results differ between any two processes and agree within one. Files that were written"
        " under temporary names are read back in another order."
    )
    explanation = (
        "The id of a process and the names of its temporary files are others in every run; the "
        "host's name is another on every machine."
    )
    because = "the process id, the host's name or a temporary name changes the results"
    pinned = (
        "The script's own code sees a fixed process id (the children that it forks the numbers "
        "after it), a fixed host name, and temporary names that follow one another in sorted "
        "order. Given back to the system, that process id means the real one. Threads keep their "
        "ids. Temporary files for which the script names no folder are made in one that only the "
        "trial sees, where trials have mounts of their own; elsewhere, where a name is taken, the "
        "pin counts as not held. A path with the process id in it is the same for trials that run "
        "side by side."
    )
    varied = "The same, with other numbers and another host name in every trial."
    noticed = (
        "By every use in the script's own code. Whether a result depends on it can't be seen. The "
        "host's name is the same in every run on one machine."
    )
    stress = "dormant"
    acts = "before-import"
    due = (ALWAYS,)
    advice = (
        "Take no seed from a process id. Number files that are read back in sorted order instead "
        "of giving them temporary names. Give workers their index."
    )
    references = (
        ("Python: os.getpid", "https://docs.python.org/3/library/os.html#os.getpid"),
        ("Python: tempfile", "https://docs.python.org/3/library/tempfile.html"),
    )
    # For people alone: what a script tells the system about itself needs the real one, as does
    # `os.kill(os.getpid(), ...)`.
    edits = (
        ("os.getpid", "42  # a fixed number instead of the process id"),
        ("os.getppid", "42  # a fixed number instead of the process id"),
        ("threading.get_native_id", "42  # the worker's index instead of the thread's id"),
        ("tempfile.", 'os.path.join(folder, f"{number:05d}")'),
    )

    def install(self, session, arm):
        self.session, self.arm, self.noting, self.place = session, arm, True, ""
        self.held = arm != "free"
        self.parent = os.getppid()
        self.children = {}
        self.host = ""
        if self.held:
            LINEAGE.listen()
            self.first = 2 * HIGHEST_PID + session.seed(self.name, arm) % HIGHEST_PID
            self.host = "localhost" if arm == "pinned" else "host-%d" % self.first
            self.real = {self.first: os.getpid(), self.first - 1: self.parent}
        self.ids(session)
        self.hosts(session)
        session.on_import("tempfile", self.temporary)

    def asks(self, detail, unseeded, through=(), note=True):
        """Whether the user's own code asks the function whose stand-in calls this one."""
        try:
            _, kind, call = asking.asker(self.session, sys._getframe(2), through)
            if kind != "user":
                return False
            if note and self.noting:
                self.session.saw(self.name, call or detail, unseeded)
            return self.held
        except Exception as error:
            self.session.failed("noting " + detail, error, unheld=self.name)
            return False

    def stand_in(self, detail, instead, unseeded=None, through=()):
        """Makes a function that gives the user's own code `instead(real)`."""

        def make(original):
            def wrapper(*args, **kwargs):
                found = original(*args, **kwargs)
                return instead(found) if self.asks(detail, unseeded, through) else found

            return wrapper

        return make

    # -- numbers

    def pid(self, place):
        """The number of the forked child at that place (see lineage)."""
        number = 0
        for ordinal in place:
            number = number * 1000 + ordinal
        return self.first + number

    def ids(self, session):
        real_pid = replace_in_os(
            "getpid", self.stand_in("os.getpid", lambda _: self.pid(LINEAGE.place))
        )
        replace_in_os("getppid", self.stand_in("os.getppid", self.parents))
        import threading

        replace(threading, "get_native_id", self.native)
        if not self.held:
            return
        for name in TAKING_PID:
            replace_in_os(name, self.taking(self.real_pid))
        replace_in_os("fork", self.fork)
        session.on_import("psutil", self.psutil)
        self.getpid = real_pid
        look = functools.partial(self.read_back, "os.getpid()", self.first, os=os)
        look()
        session.look(look, told=True)
        # The real process, or there would be none of that number.
        self.read_back("os.getpgid(os.getpid())", os.getpgid(0), os=os)

    def parents(self, _):
        return self.pid(LINEAGE.place[:-1]) if LINEAGE.place else self.first - 1

    def real_pid(self, number):
        """The process id that the system knows, for one that stands in."""
        if type(number) is not int or abs(number) <= HIGHEST_PID:
            return number
        if number == self.pid(LINEAGE.place):
            return self.getpid()
        if number < 0:
            return -self.real_pid(-number)
        return self.real.get(number, number)

    def taking(self, translate):
        def make(original):
            def wrapper(*args, **kwargs):
                return original(*(args and (translate(args[0]),) + args[1:]), **kwargs)

            return wrapper

        return make

    def fork(self, original):
        def wrapper():
            before = self.getpid()
            child = original()
            if child:
                self.real[self.pid(LINEAGE.place + (LINEAGE.children,))] = child
            else:
                self.real[self.pid(LINEAGE.place[:-1])] = before
            return child

        return wrapper

    def psutil(self, module):
        def make(original):
            def wrapper(process, pid=None, *args, **kwargs):
                return original(process, self.real_pid(pid), *args, **kwargs)

            return wrapper

        replace(module.Process, "__init__", make)
        replace(module, "pid_exists", self.taking(self.real_pid))

    def native(self, original):
        """A thread's id is left real: `Thread.native_id` and the system know it by that alone, and
        scripts compare them."""

        def wrapper(*args, **kwargs):
            detail = "threading.get_native_id"
            try:
                frame, kind, _ = asking.asker(self.session, sys._getframe(1))
                if kind == "user" and self.held:
                    self.session.unexplained(detail + ", which is not held", frame)
                elif kind == "user":
                    self.session.saw(self.name, detail, None)
            except Exception as error:
                self.session.failed("noting " + detail, error)
            return original(*args, **kwargs)

        return wrapper

    # -- names

    def hosts(self, session):
        replace_in_os("uname", self.stand_in("os.uname", self.with_host, False))
        session.on_import("platform", self.platform)
        session.on_import("socket", self.socket)
        if self.held:
            self.read_back("os.uname()[1]", self.host, os=os)

    def with_host(self, found):
        return type(found)((found[0], self.host) + tuple(found[2:]))

    def platform(self, module):
        def named(found):
            try:
                return found._replace(node=self.host)
            except (TypeError, ValueError):
                # Python 3.9's own fields of this tuple are not all in it.
                return found

        replace(module, "node", self.stand_in("platform.node", lambda _: self.host, False))
        replace(module, "uname", self.stand_in("platform.uname", named, False))

    def socket(self, module):
        through = ("socket",)
        ask = self.stand_in("socket.gethostname", lambda _: self.host, False, through)
        real_name = replace(module, "gethostname", ask)
        if self.held:
            for name in TAKING_HOST:
                translate = lambda host: real_name() if host == self.host else host  # noqa: E731
                replace(module, name, self.taking(translate))
            self.read_back("socket.gethostname()", self.host, socket=module)

    def temporary(self, module):
        """Names that sort in the order in which they were given, for the user's own files."""
        names = Names(self.taken)

        def make(original):
            def wrapper():
                asked = self.asks("tempfile.mktemp", None, ("tempfile",))
                return names.candidates() if asked and self.arm == "pinned" else original()

            return wrapper

        replace(module, "_get_candidate_names", make)
        if self.arm == "pinned":
            self.own_folder(module)
            source = "os.path.basename(tempfile.mktemp(dir='', prefix=''))"
            self.read_back(source, Names(None).following(), os=os, tempfile=module)
            names.count = 0

    def own_folder(self, module):
        """The user's temporary files for which no other folder is named are made in the trial's
        own, where it has one: else a name may be taken, by a trial that runs beside it or by what
        an earlier one left."""
        self.place = self.session.plan.get("temporary", "")
        if not self.place:
            return
        mounted = stat.S_IMODE(os.stat(self.place).st_mode) != MOUNT_POINT
        self.session.read_back(self.name, [self.place, True], [self.place, mounted])
        if not mounted:
            return
        usual, name = os.path.split(self.place)

        def within(found):
            try:
                # The script may have named another folder, by `tempfile.tempdir` or by a variable.
                if os.path.realpath(os.fsdecode(found)) == usual:
                    part = os.fsencode(name) if isinstance(found, bytes) else name
                    return os.path.join(found, part)
            except Exception as error:
                self.session.failed("placing a temporary file", error, unheld=self.name)
            return found

        def make(original):
            def wrapper():
                found, frame = original(), sys._getframe(1)
                if frame.f_globals is not vars(module) or frame.f_code.co_name not in MAKING:
                    return found
                asked = self.asks("tempfile.mktemp", None, ("tempfile",), note=False)
                return within(found) if asked else found

            return wrapper

        for function in ("gettempdir", "gettempdirb"):
            replace(module, function, make)
        crossing = Crossing(self.session, self.place, self.lost)
        stood, moving = {}, ("rename", "replace", "link")
        for function in moving:
            original = replace_in_os(function, crossing.stand_in)
            stood[original] = getattr(os, function)
        self.session.on_import("pathlib", lambda found: kept_references(found, stood, moving))

    def lost(self, path):
        source = "the temporary file %s" % path
        self.session.read_back(self.name, [source, "renamed"], [source, "not renamed"])

    def taken(self, name, folder):
        """A name that the pin gives is passed over, as there is such a file in that folder."""
        if LINEAGE.place or self.session.plan.get("restarted"):
            # In a child's the trial itself may have it.
            return
        try:
            folder = os.path.realpath(os.fsdecode(folder))
            own = [self.place] if self.place else []
            for each in own + self.session.plan["folders"]:
                if os.path.join(folder, "").startswith(os.path.join(os.path.realpath(each), "")):
                    # What lies there is the trial's own, or was there before each.
                    return
            source = "the temporary name %s in %s" % (name, folder)
            self.session.read_back(self.name, [source, "free"], [source, "taken"])
        except Exception as error:
            self.session.failed("noting a temporary name", error, unheld=self.name)

    def read_back(self, source, expected, **names):
        self.noting = False
        try:
            seen = asking.as_user(source, **names)
        finally:
            self.noting = True
        self.session.read_back(self.name, [source, expected], [source, seen])


class Names(object):
    """Temporary names in sorted order. One that can't be had goes to `taken(name, folder)`."""

    def __init__(self, taken):
        self.count, self.taken = 0, taken

    def candidates(self):
        """For one file. Where `tempfile` asks for a second one, the first is taken."""
        while True:
            name = self.following()
            yield name
            frame = sys._getframe(1)
            if frame.f_globals.get("__name__") == "tempfile" and "dir" in frame.f_locals:
                self.taken(name, frame.f_locals["dir"])

    def following(self):
        self.count += 1
        name, rest = "", self.count
        for _ in range(7):
            rest, digit = divmod(rest, 36)
            name = DIGITS[digit] + name
        # Each forked child begins with a letter of its own, as long as there are any.
        return DIGITS[10 + sum(LINEAGE.place) % 26] + name


FACTOR = ProcessIdentity()
