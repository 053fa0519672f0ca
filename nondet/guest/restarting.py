"""A script that replaces its own process, as recipes do to set PYTHONHASHSEED, stays a trial."""

import itertools
import os
import sys

from . import kept
from .evidence import GUEST
from .kept import json

COUNT = itertools.count(1)
RESTARTED = ".restarted"


def install(session, plan_path):
    """Let `os.exec*` of the same script by the same interpreter start the guest again.

    All of the family end in these two, which they look up in the module.
    """
    execv, execve = os.execv, os.execve

    def again(path, args):
        if not session.events.file.at_home():
            # A forked child, as `os.spawn*` makes them: it is no trial that starts itself again.
            return None
        try:
            return command(session, plan_path, os.fsdecode(path), [os.fsdecode(a) for a in args])
        except Exception as error:
            session.failed("restarting the script", error)
            return None

    def wrapped_execv(path, argv):
        return execv(path, again(path, argv) or argv)

    def wrapped_execve(path, argv, env):
        return execve(path, again(path, argv) or argv, env)

    os.execv, os.execve = wrapped_execv, wrapped_execve


def command(session, plan_path, path, args):
    """The arguments that start the guest again, or None for any other program."""
    if os.path.realpath(path) != os.path.realpath(sys.executable):
        return None
    guest = GUEST.rstrip(os.sep)
    if guest in args and args.index(guest) == len(args) - 2:
        # From `sys.orig_argv`, which names us: the script with the arguments it had.
        place = args.index(guest)
        return args[:place] + [guest, written(session, plan_path, {})]
    module = session.plan.get("module")
    if module and module in args and args[args.index(module) - 1] == "-m":
        place = args.index(module)
        again = written(session, plan_path, {"args": args[place + 1 :]})
        return args[: place - 1] + [guest, again]
    script = os.path.abspath(session.plan["script"])
    places = [i for i, arg in enumerate(args) if i and os.path.abspath(arg) == script]
    if not places:
        return None
    place = places[0]
    changes = {"script": args[place], "args": args[place + 1 :], "module": ""}
    return args[:place] + [guest, written(session, plan_path, changes)]


def written(session, plan_path, changes):
    """Path of a plan like this one with some changes: of a new file each time, since several
    children may still have theirs to read."""
    plan = dict(session.plan, restarted=True, **changes)
    folder, name = kept.os.path.split(plan_path)
    # A guest that was started so may start others.
    first = kept.os.path.join(folder, name.partition(RESTARTED)[0]) + RESTARTED
    beside = ""
    while not beside or kept.os.path.exists(beside):
        # The same process counts anew when it has replaced itself.
        beside = "%s-%d-%d" % (first, kept.os.getpid(), next(COUNT))
    with open(beside + ".new", "w") as file:
        json.dump(plan, file)
    kept.os.rename(beside + ".new", beside)
    return beside
