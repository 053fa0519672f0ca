"""Runs the script as a real ``__main__``, so that it can't tell that we are there."""

import atexit
import json
import os
import sys
import traceback
import types

from . import notebook
from .events import in_words
from .evidence import GUEST

FIELDS = {
    "trial": str, "hash": str, "arms": dict, "seed": int, "script": str, "args": list,
    "folders": list, "events": str, "values": str, "values_limit": int, "digest": str,
    "granularity": str,
}  # fmt: skip
"""What a plan must have; the rest may be missing."""


def read_plan(path):
    """The plan in a file. Raises ValueError for what is none, OSError."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        plan = json.loads(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("%s: no plan: nested too deeply" % path) from None
    if not isinstance(plan, dict):
        raise ValueError("%s: no plan: expected an object" % path)
    for name, kind in FIELDS.items():
        if not isinstance(plan.get(name), kind):
            raise ValueError("%s: no plan: expected %s as %s" % (path, name, kind.__name__))
    return plan


def main(plan_path, late=None):
    """Run the trial of a plan. `late`: what helps to apply it once frameworks are imported."""
    plan = read_plan(plan_path)
    from . import session as sessions

    session = sessions.Session(plan)
    # Registered first, so it runs last: after the user's own exit functions, and after the
    # interpreter has waited for threads that are still training.
    atexit.register(session.finish)
    from . import (
        keras_recorder,
        knobs,
        launching,
        own_code,
        restarting,
        stand_in,
        suspicions,
        user_values,
    )

    recorder = keras_recorder.install(session)
    user_values.install(session, recorder)
    stand_in.install()
    restarting.install(session, plan_path)
    suspicions.install(session)
    knobs.install(session)
    own_code.install(session)
    # After the suspicions, so that what has a guest is none.
    launching.install(session, plan_path)
    session.start()
    if late is not None:
        late.applied(session.arms)
    if plan.get("module"):
        run_module(plan["module"], plan["args"], session, recorder)
    elif plan["script"].lower().endswith(notebook.SUFFIX):
        run_notebook(plan["script"], plan["args"], session, recorder)
    else:
        run(plan["script"], plan["args"], session, recorder)


def run_module(name, args, session, recorder):
    """As ``python -m``: what the interpreter itself calls then finds the module and runs it."""
    import runpy

    sys.argv = ["-m"] + list(args)
    sys.path.insert(0, os.getcwd())
    sys.modules["__main__"] = main_module()
    execute(lambda: runpy._run_module_as_main(name), session, recorder)


def run(script, args, session, recorder):
    sys.argv = [script] + list(args)
    # As the interpreter does: absolute since Python 3.9, and not normalised.
    path = os.path.join(os.getcwd(), script) if sys.version_info >= (3, 9) else script
    sys.path.insert(0, os.path.dirname(os.path.realpath(script)))
    module = main_module(path)
    sys.modules["__main__"] = module

    def whole():
        with open(script, "rb") as file:
            source = file.read()
        exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)

    execute(whole, session, recorder)


def run_notebook(script, args, session, recorder):
    """As a kernel: in the notebook's own folder, and with that first on the path."""
    path = os.path.abspath(script)
    sys.argv = [path] + list(args)
    os.chdir(os.path.dirname(path))
    sys.path.insert(0, "")
    module = main_module()
    sys.modules["__main__"] = module
    notebook.choose_backend()

    def whole():
        session.cells = notebook.read(path)
        notebook.run(session.cells, module, os.path.dirname(session.plan["events"]))

    execute(whole, session, recorder)


def execute(main, session, recorder):
    """Run the script; its exceptions end the process as they would without us."""
    try:
        main()
    except SystemExit:
        recorder.close()
        raise
    except BaseException as error:
        crashed(error, session, recorder)
    else:
        recorder.close()


def main_module(path=None):
    """What the interpreter itself would put in ``sys.modules['__main__']``, for a script of that
    path, or for a module that is still to be found."""
    from importlib.machinery import BuiltinImporter, SourceFileLoader

    module = types.ModuleType("__main__")
    module.__dict__.update(__builtins__=sys.modules["builtins"], __loader__=BuiltinImporter)
    if path is not None:
        module.__dict__.update(
            __file__=path, __cached__=None, __loader__=SourceFileLoader("__main__", path)
        )
    if sys.version_info < (3, 14):
        module.__dict__["__annotations__"] = {}
    return module


def crashed(error, session, recorder):
    """Report an uncaught exception, then print and exit just as the interpreter does."""
    recorder.close()
    kind, trace = type(error), without_guest(error.__traceback__)
    text = "".join(traceback.format_exception(kind, error, trace))
    message = in_words(error)
    session.events.emit("crashed", kind=kind.__name__, message=message, traceback=text[-20000:])
    if session.cells and sys.excepthook is sys.__excepthook__:
        # It looks for the lines in a file, where those of a cell are not.
        sys.stderr.write(text)
    else:
        sys.excepthook(kind, error.with_traceback(trace), trace)
    sys.exit(130 if isinstance(error, KeyboardInterrupt) else 1)


def without_guest(trace):
    """The traceback less our own frames, at its top and wherever a hook of ours stands in it."""
    kept = []
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(GUEST):
            kept.append(trace)
        trace = trace.tb_next
    following = None
    for entry in reversed(kept):
        entry.tb_next = following
        following = entry
    return following
