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


if not TYPE_CHECKING:
    hashlib, json, threading = kept(hashlib), kept(json), kept(threading)
    os = kept(os)
    os.path = kept(os.path)
