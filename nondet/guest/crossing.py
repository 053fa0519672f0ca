"""A folder that is a mount of its own: what lies in it is renamed and linked as in the one around.

The system does neither from one mount to another. But where both are of one file system, what is
mounted lies in the folder around as well, by another path.
"""

import errno

from .kept import os

MOUNTS = "/proc/self/mountinfo"


class Crossing(object):
    """`place`: a folder over which another is mounted, as a real path. `lost(path)` is told of one
    in it that could not be renamed or linked, though that would do without the mount."""

    def __init__(self, session, place, lost):
        self.session, self.place, self.lost = session, place, lost

    def stand_in(self, original):
        """For `os.rename`, `os.replace` and `os.link`."""

        def wrapper(*args, **kwargs):
            try:
                return original(*args, **kwargs)
            except OSError as error:
                # Relative to open folders, or a link to a link: too rare to be seen to.
                plain = set(kwargs) <= {"src", "dst"}
                ends = self.ends(error) if plain and error.errno == errno.EXDEV else None
                if ends is None:
                    raise
                named = error.filename, None, error.filename2
            try:
                return original(*ends)
            except OSError as error:
                failure = error.errno, error.strerror
            raise OSError(*failure + named)

        return wrapper

    def ends(self, error):
        """Both paths, with the one in the place as it is called outside; None where it is not this
        mount that parts them."""
        try:
            paths = [real(error.filename), real(error.filename2)]
            inside = [path for path in paths if path.startswith(os.path.join(self.place, ""))]
            if len(inside) != 1:
                return None
            around = os.path.dirname(self.place)
            outside = paths[1 - paths.index(inside[0])]
            folder = os.path.dirname(outside)
            if not os.path.isdir(folder) or os.stat(folder).st_dev != os.stat(around).st_dev:
                return None
            beneath = mounted(self.place, around)
            if beneath is None:
                self.lost(inside[0])
                return None
            return [beneath + p[len(self.place) :] if p is inside[0] else p for p in paths]
        except Exception as failure:
            self.session.failed("renaming a temporary file", failure)
            return None


def real(path):
    """Where a name lies; what it stands for, if it is a link, is not looked at."""
    folder, name = os.path.split(os.fsdecode(path))
    return os.path.join(os.path.realpath(folder or "."), name)


def mounted(place, around):
    """What is mounted at a place, by its path below the folder around; None where it is not seen
    there."""
    with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
        mounts = [[unescaped(field) for field in line.split(" ")[2:5]] for line in file]
    over = [mount for mount in mounts if os.path.join(around, "").startswith(within(mount[2]))]
    device, root, point = max(reversed(over), key=lambda mount: len(mount[2]))
    for other, folder, name in mounts:
        if name == place and other == device and folder.startswith(within(root)):
            path = within(point) + folder[len(within(root)) :]
            if os.path.isdir(path) and os.path.samefile(path, place):
                return path
    return None


def within(folder):
    return os.path.join(folder, "")


def unescaped(text):
    for code, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        text = text.replace(code, character)
    return text
