"""Modules of the standard library as they were before the script ran.

A script may put functions of its own into them. Recording goes on with those that it found, or it
would take itself for a forked child where `os.getpid` is a stand-in, and keep silent.
"""

import hashlib
import json
import os
import threading
import types

__all__ = ["hashlib", "json", "os", "threading"]

TYPE_CHECKING = False  # importing typing costs the subject time


def kept(module):
    """A module with all that this one offers now."""
    copy = types.ModuleType(module.__name__)
    copy.__dict__.update(vars(module))
    return copy


def standing_alone(module, **names):
    """A module whose functions call one another as they are now. `names` it looks up as well."""
    copy = kept(module)
    space = vars(copy)
    space.update(names)
    for name, value in vars(module).items():
        if type(value) is types.FunctionType and value.__globals__ is vars(module):
            made = types.FunctionType(
                value.__code__, space, value.__name__, value.__defaults__, value.__closure__
            )
            made.__kwdefaults__ = value.__kwdefaults__
            space[name] = made
    return copy


if not TYPE_CHECKING:
    hashlib, json, threading = kept(hashlib), kept(json), kept(threading)
    os = kept(os)
    os.path = standing_alone(os.path, os=os)
