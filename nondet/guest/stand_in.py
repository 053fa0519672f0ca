"""`import nondet` in a trial where it is not installed, so that a script can name checkpoints.

Found last, so that one that is installed, or a module of the user's, comes first.
"""

import sys

from .evidence import GUEST
from .kept import os

FOLDER = os.path.dirname(GUEST.rstrip(os.sep))
"""That of the package which this guest is a part of."""


class Finder(object):
    """Not derived from `importlib.abc.MetaPathFinder`: importing that pulls in `random`."""

    def find_spec(self, name, path=None, target=None):
        file = os.path.join(FOLDER, "__init__.py")
        if name != "nondet" or not os.path.isfile(file):
            return None
        from importlib.util import spec_from_file_location

        return spec_from_file_location(name, file, submodule_search_locations=[FOLDER])


def install():
    sys.meta_path.append(Finder())
