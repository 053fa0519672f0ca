"""Who asks the system for something."""

import os

from .factors import base

UNBOUND = base.Unbound.__call__.__code__
NUMPYS = os.sep + os.path.join("factors", "numpy_generator.py")


def asker(session, frame, through=()):
    """(frame, kind, call) of who asks, where `frame` called a stand-in.

    Kinds are those of `Session.asker`, and ``ours`` where the guest itself needs the real thing or
    another factor owns what is drawn. Modules of the standard library named in `through` only pass
    on; `call` then says what they were asked for, as ``uuid.uuid4``.
    """
    sightings = session.sightings
    if frame.f_code is UNBOUND:
        frame = frame.f_back
    call, first = "", True
    while frame is not None:
        filename = frame.f_code.co_filename
        kind = sightings.askers.get(filename)
        if kind is None:
            kind = sightings.askers[filename] = sightings.kind(filename, frame)
        if kind == "ours":
            if first or filename.endswith(NUMPYS):
                return frame, "ours", call
        elif kind == "standard" and frame.f_globals.get("__name__") in through:
            call = "%s.%s" % (frame.f_globals["__name__"], frame.f_code.co_name)
        else:
            return frame, kind, call
        first, frame = False, frame.f_back
    return None, "standard", call


def as_user(source, **names):
    """What an expression gives where the user's own code has it: for reading pins back."""
    return eval(compile(source, "read back", "eval"), names)
