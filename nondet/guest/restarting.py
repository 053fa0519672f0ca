"""A script that replaces its own process, as recipes do to set PYTHONHASHSEED, stays a trial."""

import json
import os
import sys

from .evidence import GUEST


def install(session, plan_path):
    """Let `os.exec*` of the same script by the same interpreter start the guest again.

    All of the family end in these two, which they look up in the module.
    """
    execv, execve = os.execv, os.execve

    def again(path, args):
        try:
            return command(session, plan_path, os.fsdecode(path), [os.fsdecode(a) for a in args])
        except Exception as error:
            session.failed("restarting the script", error)
            return None

    def wrapped_execv(path, args):
        return execv(path, again(path, args) or args)

    def wrapped_execve(path, args, env):
        return execve(path, again(path, args) or args, env)

    os.execv, os.execve = wrapped_execv, wrapped_execve


def command(session, plan_path, path, args):
    """The arguments that start the guest again, or None for any other program."""
    if os.path.realpath(path) != os.path.realpath(sys.executable):
        return None
    script = os.path.abspath(session.plan["script"])
    places = [i for i, arg in enumerate(args) if i and os.path.abspath(arg) == script]
    if not places:
        return None
    plan = dict(session.plan)
    plan.update(script=args[places[0]], args=args[places[0] + 1 :], restarted=True)
    beside = plan_path + ".restarted"
    with open(beside, "w") as file:
        json.dump(plan, file)
    return args[: places[0]] + [GUEST.rstrip(os.sep), beside]
