"""A script that starts another one in a Python of its own, as launchers do: that one is the trial.

A child that runs one of the user's scripts, or modules, gets a guest with the same plan, and this
process falls silent; what it has noted so far stays evidence. A child that recorded nothing may be
followed by another, or by training here. Any further child has a guest that only watches: where
two processes train, there is no one course of training to be compared, and the trial says so.
"""

import os
import shutil
import sys

from . import spawning
from .evidence import GUEST
from .factors.base import replace
from .restarting import written

FLAGS = ("-u", "-B", "-O", "-OO", "-q", "-s")
"""Options of an interpreter that leave to it what the guest needs."""
WITH_VALUE = ("-X", "-W")
RECORDED = b'"event": "checkpoint"'
GIVEN_UP = 70
"""Exit code of such a trial (EX_SOFTWARE)."""
SEVERAL = "SeveralCourses"
"""Kind of the failure that ends such a trial."""
TWICE = "a second child process trains: only one can be compared, diagnose its script by itself"
BESIDE = "it trains beside its child process: only one can be compared, diagnose each by itself"


TRAINING = ("fit", "layout", "checkpoint")
"""Events of a process that trains."""
MUTED = ".muted"
"""End of the name of a file that tells children to keep silent."""


class Handed(list):  # type: ignore[type-arg]
    """The arguments of a child that has a guest."""

    second = False
    """Whether it is none of the trial."""


def install(session, plan_path):
    if session.plan.get("second"):
        watch(session)
    elif session.plan.get("muted"):
        listen(session, session.plan["muted"])
    launching = Launching(session, plan_path)
    session.on_import("subprocess", launching.wrap)
    spawning.install(launching)


class Launching(object):
    def __init__(self, session, plan_path):
        self.session = session
        self.plan_path = plan_path
        self.children = []
        """Those that have a guest."""
        self.kept = []
        """What was to be told while others told."""
        self.trains = False
        """Whether one of them has recorded something."""

    def wrap(self, module):
        def make(original):
            def __init__(popen, args=(), *rest, **more):
                handed = self.handed(args, rest, more)
                if handed is None:
                    return original(popen, args, *rest, **more)
                result = original(popen, handed, *rest, **more)
                popen.args = args
                self.started(popen, handed)
                return result

            return __init__

        replace(module.Popen, "__init__", make)

    def handed(self, args, rest, more):
        """The arguments that start a guest, or None for what is left alone."""
        try:
            if not self.session.events.file.at_home() or rest[1:2] or more.get("executable"):
                return None
            if more.get("shell") or not isinstance(args, (list, tuple)):
                return None
            folder = os.fsdecode(more.get("cwd") or os.getcwd())
            found = self.script([os.fsdecode(arg) for arg in args], folder)
            if found is None:
                return None
            place, changes = found
            if not self.recorded() and not self.running():
                self.tell(self.shown(changes, folder))
                changes.update(muted=self.plan_path + MUTED, second=False)
            elif self.children:
                changes.update(second=True)
            else:
                return None
            plan = written(self.session, self.plan_path, changes)
            made = Handed([os.fsdecode(arg) for arg in args[:place]] + [GUEST.rstrip(os.sep), plan])
            made.second = changes["second"]
            return made
        except Exception as error:
            self.session.failed("starting a child process", error)
            return None

    def tell(self, script):
        events = self.session.events
        silence, events.unheard = events.unheard, None
        events.emit("launched", script=script)
        events.unheard = silence

    def shown(self, changes, folder):
        """The script's path; of a module, that of its file."""
        if changes["module"]:
            return module_file(changes["module"], folder) or ""
        return os.path.realpath(os.path.join(folder, changes["script"]))

    def script(self, args, folder):
        """(place in the arguments, changes of the plan) of a script or module of the user's that
        this very interpreter is to run; None for all else."""
        if not args or not same_interpreter(args[0]):
            return None
        place = 1
        while place < len(args) and args[place].startswith("-"):
            if args[place] == "-m" and place + 1 < len(args):
                name = args[place + 1]
                if module_file(name, folder) is None:
                    return None
                rest = args[place + 2 :]
                return place, {"script": name, "module": name, "args": rest}
            if args[place] in WITH_VALUE:
                place += 1
            elif args[place] not in FLAGS and args[place][:2] not in WITH_VALUE:
                return None
            place += 1
        if place >= len(args):
            return None
        path = os.path.join(folder, args[place])
        if not os.path.isfile(path) or not self.session.sightings.is_user(os.path.realpath(path)):
            return None
        return place, {"script": args[place], "module": "", "args": args[place + 1 :]}

    def recorded(self):
        """Whether anything was, here or in a child."""
        with open(self.session.events.file.path, "rb") as file:
            return any(RECORDED in line for line in file)

    def running(self):
        return any(child.poll() is None for child in self.children)

    def started(self, popen, handed):
        """From now on the child tells of the trial, and nobody else; a second one only watches."""
        if not handed.second:
            self.children.append(popen)
            self.session.events.unheard = self.unheard

    def unheard(self, event, data):
        """Whether an event of this process is to be written: once its children have ended and
        recorded nothing, or as soon as it trains itself before they do, it is the trial."""
        self.trains = self.trains or self.recorded()
        if self.trains:
            if event == "checkpoint":
                self.proves_nothing(BESIDE)
            return False
        if self.running():
            if event not in TRAINING:
                self.kept.append(data)
                return False
            self.mute()
        self.session.events.unheard = None
        self.session.events.emit("launched", script="")
        for earlier in self.kept:
            self.session.events.file.write(earlier)
        self.kept = []
        return True

    def mute(self):
        """Children that still run are none of the trial: a server, something that watches."""
        with open(self.plan_path + MUTED, "w"):
            pass
        if self.recorded():
            self.proves_nothing(BESIDE)

    def proves_nothing(self, reason):
        """End the trial, and say why. It would take its time for nothing, again and again."""
        events = self.session.events
        events.unheard = None
        events.emit("crashed", kind=SEVERAL, message=reason, traceback="")
        os._exit(GIVEN_UP)


def watch(session):
    """In a child beside or after the one that is the trial: only tell when it trains as well."""
    told = []

    def heard(event, data):
        if event == "checkpoint" and not told:
            told.append(event)
            session.events.emit_in_child("crashed", kind=SEVERAL, message=TWICE, traceback="")
        return False

    session.events.unheard = heard


def listen(session, path):
    """In a child: be silent once its parent has said so, and tell what is not recorded."""
    told, recorded = [], []

    def heard(event, data):
        if not os.path.exists(path):
            if event != "checkpoint" or recorded:
                return True
            recorded.append(event)
            session.events.file.write(data)
            # The parent looks what is recorded once it has said so: if it has just now, it may
            # have looked too early, and one of the two must see the other.
            if os.path.exists(path):
                session.events.emit_in_child("crashed", kind=SEVERAL, message=BESIDE, traceback="")
            return False
        if event == "checkpoint" and not told:
            told.append(event)
            session.events.emit_in_child("elsewhere", what="training of another script")
        return False

    session.events.unheard = heard


def same_interpreter(program):
    found = shutil.which(program) or program
    ours = os.path.abspath(sys.executable)
    return os.path.dirname(os.path.abspath(found)) == os.path.dirname(ours) and os.path.realpath(
        found
    ) == os.path.realpath(ours)


def module_file(name, folder):
    """The file that ``python -m`` finds for a module in its working folder; None elsewhere."""
    path = os.path.join(os.path.realpath(folder), *name.split("."))
    for file in (os.path.join(path, "__main__.py"), path + ".py"):
        if os.path.isfile(file):
            return file
    return None
