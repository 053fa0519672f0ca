"""Functions of `os` replaced so that what `os` says of itself stays true."""

import os

from .factors.base import replace

SUPPORTS = ("supports_fd", "supports_dir_fd", "supports_follow_symlinks")


def replace_in_os(name, make):
    """Set ``os.name = make(original)`` and return the original, or None when there is none.

    `os` tells by membership of the function itself what it can do, and `shutil` chooses by that
    how it deletes a tree.
    """
    original = replace(os, name, make)
    if original is None:
        return None
    getattr(os, name).__module__ = original.__module__
    for support in SUPPORTS:
        known = getattr(os, support, None)
        if isinstance(known, set) and original in known:
            known.add(getattr(os, name))
    return original


def kept_references(module, stood, names):
    """Put the stand-ins where classes of a module took the originals as attributes of these names.

    `stood`: the stand-ins, by the originals.
    """
    for owner in list(vars(module).values()):
        if not isinstance(owner, type) or owner.__module__ != module.__name__:
            continue
        for name in names:
            value = vars(owner).get(name)
            static = isinstance(value, staticmethod)
            stand_in = stood.get(value.__func__ if static else value) if value else None
            if stand_in is not None:
                setattr(owner, name, staticmethod(stand_in) if static else stand_in)
